import { Card, Form, Radio } from "antd";
import { useMemo, type ReactNode } from "react";
import { lastPart } from "../../api/names";
import { useComputeResources } from "../../api/queries";
import { useSpeech } from "../../i18n";
import { bytes } from "../../ui/format";
import { isSound, knownKeys, textOf } from "../../ui/json";
import { JsonEditor } from "../../ui/JsonEditor";
import { Nothing } from "../../ui/states";
import { LR_POLICIES, scheduleOf } from "./schedule";
import { ScheduleChart } from "./ScheduleChart";
import type { StepProps } from "./steps";
import { isParameterFinding, changedText } from "./wizard";

export function TrainingStep({
  spec,
  change,
  findings,
  version,
  params,
  segmentation,
}: StepProps & { segmentation: boolean }): ReactNode {
  const { t } = useSpeech();
  const resources = useComputeResources();
  const defaults = version.data?.defaultTrainingParams;
  const standard = textOf(defaults);
  const known = useMemo(() => knownKeys(defaults, t.parameters, { lr_policy: LR_POLICIES }), [defaults, t]);
  const parsed = isSound(params.training) ? (JSON.parse(params.training) as Record<string, unknown> | null) : null;
  return (
    <div className="grid">
      <Card size="small" className="span-6">
        <Form layout="vertical" requiredMark={false}>
          <Form.Item label={t.wizard.resource}>
            <Radio.Group
              value={spec.computeResource}
              onChange={(event) => {
                change({ computeResource: event.target.value as string });
              }}
            >
              <div style={{ display: "grid", gap: 6 }}>
                {(resources.data ?? []).map((one) => (
                  <Radio key={one.name} value={one.name}>
                    <strong>{lastPart(one.name)}</strong>{" "}
                    <span className="dim">
                      {one.description} · {one.nodes > 1 && `${String(one.nodes)} ${t.wizard.nodes} × `}
                      {one.gpus} {t.wizard.gpus} · {one.cpus} {t.wizard.cpus} · {bytes(Number(one.memoryBytes))}
                    </span>
                  </Radio>
                ))}
              </div>
            </Radio.Group>
          </Form.Item>
        </Form>
        <JsonEditor
          label={t.wizard.trainingParams}
          value={params.training}
          defaults={standard}
          hint={t.wizard.trainingParamsHint}
          known={known}
          findings={findings.filter(isParameterFinding)}
          onChange={(text) => {
            change({ trainingParamsJson: changedText(text, standard) });
          }}
        />
      </Card>
      <Card size="small" className="span-6">
        {(["classification", ...(segmentation ? ["segmentation"] : [])] as const).map((network) => {
          const schedule = scheduleOf(parsed?.[network]);
          const label =
            network === "classification" ? t.networks.NETWORK_CLASSIFICATION : t.networks.NETWORK_SEGMENTATION;
          return schedule ? (
            <ScheduleChart key={network} schedule={schedule} label={label} />
          ) : (
            <Nothing key={network} text={`${label} · ${t.wizard.noSchedule}`} />
          );
        })}
      </Card>
    </div>
  );
}
