import { Segmented, Slider, Switch } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { OtherTask } from "./OtherTask";
import type { Task } from "./task";

interface Props {
  /** Its name. */
  task: string;
  logScale: boolean;
  setLogScale: (value: boolean) => void;
  /** 0 = as it was measured. */
  smoothing: number;
  setSmoothing: (value: number) => void;
  compared: Task | undefined;
  setCompared: (task: Task | undefined) => void;
}

/** How a curve is shown, and beside which other one. */
export default function CurveSettings(props: Props): ReactNode {
  const { t } = useSpeech();
  const { task, logScale, setLogScale, smoothing, setSmoothing, compared, setCompared } = props;
  return (
    <>
      <Switch size="small" checked={logScale} onChange={setLogScale} aria-label={t.monitor.logScale} />
      {t.monitor.logScale}
      <span style={{ marginLeft: 16 }}>{t.monitor.smoothing}</span>
      <Slider
        style={{ width: 140 }}
        min={0}
        max={0.99}
        step={0.01}
        value={smoothing}
        onChange={setSmoothing}
        ariaLabelForHandle={t.monitor.smoothing}
      />
      <Segmented
        size="small"
        value={smoothing === 0 ? "raw" : "smooth"}
        onChange={(value) => {
          setSmoothing(value === "raw" ? 0 : 0.6);
        }}
        options={[
          { value: "raw", label: t.monitor.raw },
          { value: "smooth", label: t.monitor.smoothing },
        ]}
      />
      <OtherTask task={task} chosen={compared} onChange={setCompared} />
      <small className="dim">{t.monitor.zoomHint}</small>
    </>
  );
}
