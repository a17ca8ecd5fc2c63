import { Button, Modal, Select, Slider, Switch, Tag } from "antd";
import { useEffect, useState, type PointerEvent, type ReactNode } from "react";
import { address, api, type Schemas } from "../../api/client";
import { ids, shortPath } from "../../api/names";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { percent } from "../../ui/format";
import { useAction } from "../../ui/useAction";

type Sample = Schemas["SampleResult"];

/** The address of a sample's picture: thumbnail, original or overlay of both masks. */
export function picture(sample: Sample, kind: "THUMBNAIL" | "ORIGINAL" | "OVERLAY"): string {
  const [report = "", sampleResult = ""] = ids(sample.name);
  return address(
    "/v1/reports/{report}/sampleResults/{sampleResult}/picture",
    { report, sampleResult },
    { picture: `SAMPLE_PICTURE_${kind}` },
  );
}

interface View {
  scale: number;
  x: number;
  y: number;
}
const WHOLE: View = { scale: 1, x: 0, y: 0 };
const MOST = 40;

/** Zoomed by a factor about a point of the stage, or its middle. */
function about(before: View, by: number, stage: HTMLElement | null, point?: readonly [number, number]): View {
  const [x, y] = point ?? [(stage?.clientWidth ?? 0) / 2, (stage?.clientHeight ?? 0) / 2];
  const scale = Math.min(MOST, Math.max(1, before.scale * by));
  if (scale === 1) return WHOLE;
  const ratio = scale / before.scale;
  return { scale, x: x - (x - before.x) * ratio, y: y - (y - before.y) * ratio };
}

interface Props {
  sample: Sample | undefined;
  note?: ReactNode;
  codes: string[];
  onClose: () => void;
  onStep: (by: 1 | -1) => void;
}

/** One sample at full size: zoom, pan, masks, what was predicted, and whether its label is wrong (P4, P6). */
export function Viewer({ sample, note, codes, onClose, onStep }: Props): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const act = useAction();
  const [view, setView] = useState<View>(WHOLE);
  const [overlay, setOverlay] = useState(true);
  const [drag, setDrag] = useState<{ x: number; y: number }>();
  const [failed, setFailed] = useState(false);
  const [right, setRight] = useState<string>();
  // In state, because the dialog renders the element after it has opened.
  const [stage, setStage] = useState<HTMLDivElement | null>(null);
  const name = sample?.name;

  useEffect(() => {
    setView(WHOLE);
    setFailed(false);
    setRight(undefined);
  }, [name]);
  useEffect(() => {
    if (!name) return;
    const step = (event: KeyboardEvent) => {
      const { target } = event;
      // A field or slider handles its arrow keys itself.
      if (target instanceof HTMLElement && target.closest("input, [role=slider], [role=combobox]")) return;
      if (event.key === "ArrowRight") onStep(1);
      else if (event.key === "ArrowLeft") onStep(-1);
      else if (event.key === "+" || event.key === "=") setView((before) => about(before, 1.4, stage));
      else if (event.key === "-") setView((before) => about(before, 1 / 1.4, stage));
      else if (event.key === "0") setView(WHOLE);
      else if (event.key === "m") setOverlay((before) => !before);
    };
    window.addEventListener("keydown", step);
    return () => {
      window.removeEventListener("keydown", step);
    };
  }, [name, onStep, stage]);

  // React's wheel listeners are passive and cannot prevent scrolling.
  useEffect(() => {
    if (!stage) return;
    const zoom = (event: WheelEvent) => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      const point = [event.clientX - box.left, event.clientY - box.top] as const;
      setView((before) => about(before, 1.002 ** -event.deltaY, stage, point));
    };
    stage.addEventListener("wheel", zoom, { passive: false });
    return () => {
      stage.removeEventListener("wheel", zoom);
    };
  }, [stage]);
  const move = (event: PointerEvent<HTMLDivElement>) => {
    if (!drag) return;
    setView((before) => ({ ...before, x: before.x + event.clientX - drag.x, y: before.y + event.clientY - drag.y }));
    setDrag({ x: event.clientX, y: event.clientY });
  };
  const masks = Boolean(sample && (sample.maskSha256 || sample.predictedMaskSha256));
  return (
    <Modal
      open={sample !== undefined}
      onCancel={onClose}
      footer={null}
      width="min(1180px, 96vw)"
      title={sample?.file}
      style={{ top: 24 }}
    >
      {sample && (
        <>
          <div
            className="stage-canvas"
            ref={setStage}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              setDrag({ x: event.clientX, y: event.clientY });
            }}
            onPointerMove={move}
            onPointerUp={() => {
              setDrag(undefined);
            }}
            onDoubleClick={() => {
              setView(WHOLE);
            }}
          >
            {failed ? (
              <p className="pad">{t.report.noPicture}</p>
            ) : (
              <img
                src={picture(sample, masks && overlay ? "OVERLAY" : "ORIGINAL")}
                alt={sample.file}
                draggable={false}
                onError={() => {
                  setFailed(true);
                }}
                style={{ transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` }}
              />
            )}
          </div>
          <div className="row" style={{ marginTop: 10 }}>
            <span>
              {t.report.truth} <Tag>{sample.trueCode}</Tag>
            </span>
            {sample.verdict === "VERDICT_NONCONFORMING" ? (
              <Tag color="warning" title={sample.message}>
                {sample.reason}
              </Tag>
            ) : (
              <span>
                {t.report.predicted}{" "}
                <Tag color={sample.verdict === "VERDICT_CORRECT" ? "success" : "error"}>{sample.predictedCode}</Tag>
                {t.report.confidence} {percent(sample.confidence)} · {t.report.decidedBy[sample.decidedBy]}
              </span>
            )}
            {sample.top.map((score) => (
              <Tag key={score.code}>
                {score.code} {percent(score.score)}
              </Tag>
            ))}
            {note && <Tag color="warning">{note}</Tag>}
            <span className="dim">{shortPath(sample.dataPath)}</span>
          </div>
          <div className="row" style={{ marginTop: 8 }}>
            {masks && (
              <>
                <Switch size="small" checked={overlay} onChange={setOverlay} aria-label={t.report.overlay} />
                {t.report.overlay}
              </>
            )}
            <Slider
              style={{ width: 120 }}
              min={1}
              max={MOST}
              step={0.5}
              value={view.scale}
              ariaLabelForHandle={t.report.zoom}
              onChange={(scale) => {
                setView((before) => about(before, scale / before.scale, stage));
              }}
            />
            <Button size="small" href={picture(sample, "ORIGINAL")} download>
              {t.report.original}
            </Button>
            {may("ROLE_ENGINEER") && (
              <>
                <Select
                  size="small"
                  style={{ minWidth: 150 }}
                  placeholder={t.report.rightCode}
                  aria-label={t.report.rightCode}
                  value={right ?? null}
                  onChange={setRight}
                  options={codes.filter((code) => code !== sample.trueCode).map((value) => ({ value, label: value }))}
                />
                <Button
                  size="small"
                  danger
                  disabled={!right}
                  onClick={() =>
                    act(
                      () =>
                        api.post("/v1/relabelMarks", { body: { sampleResult: sample.name, rightCode: right ?? "" } }),
                      t.report.marked,
                    )
                  }
                >
                  {t.report.wrongLabel}
                </Button>
              </>
            )}
            <small className="dim">{t.report.zoomHint}</small>
          </div>
        </>
      )}
    </Modal>
  );
}
