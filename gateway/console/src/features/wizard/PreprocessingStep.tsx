import { Card, Checkbox, Form, InputNumber, Switch } from "antd";
import type { ReactNode } from "react";
import type { DeepPartial, Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { AugmentationPreview } from "./AugmentationPreview";
import type { StepProps } from "./steps";

const AUGMENTATIONS = [
  "AUGMENTATION_COLOUR",
  "AUGMENTATION_SCALE",
  "AUGMENTATION_FLIP",
  "AUGMENTATION_RANDOM",
] as const;

export function PreprocessingStep({
  spec,
  change,
  segmentation,
  retraining,
}: StepProps & { segmentation: boolean; retraining: boolean }): ReactNode {
  const { t } = useSpeech();
  const preprocessing = spec.preprocessing ?? {};
  const put = (part: DeepPartial<Schemas["PreprocessingParams"]>) => {
    change({ preprocessing: { ...preprocessing, ...part } });
  };
  return (
    <div className="grid">
    <Card size="small" className="span-4">
      <Form layout="vertical" requiredMark={false}>
        <Form.Item label={t.wizard.trainFraction}>
          <InputNumber
            min={0.01}
            max={0.99}
            step={0.05}
            value={preprocessing.trainFraction ?? 0.8}
            aria-label={t.wizard.trainFraction}
            onChange={(value) => {
              put({ trainFraction: value ?? 0.8 });
            }}
          />
        </Form.Item>
        <Form.Item label={t.wizard.filterResolution}>
          <Switch
            checked={preprocessing.filterResolution ?? false}
            aria-label={t.wizard.filterResolution}
            onChange={(filterResolution) => {
              put({ filterResolution });
            }}
          />
        </Form.Item>
        <Form.Item label={t.wizard.augmentations}>
          <Checkbox.Group
            className="stacked"
            value={preprocessing.augmentations ?? []}
            onChange={(augmentations) => {
              put({ augmentations });
            }}
            options={AUGMENTATIONS.map((value) => ({ value, label: t.wizard.augmentation[value] }))}
          />
        </Form.Item>
        <Form.Item label={t.wizard.trainSegmentation} extra={segmentation ? undefined : t.wizard.segmentationHint}>
          <Switch
            disabled={!segmentation}
            checked={spec.trainSegmentation ?? false}
            aria-label={t.wizard.trainSegmentation}
            onChange={(trainSegmentation) => {
              change({ trainSegmentation });
            }}
          />
        </Form.Item>
        {retraining && (
          <Form.Item label={t.wizard.warmStart}>
            <Switch
              checked={spec.warmStart ?? false}
              aria-label={t.wizard.warmStart}
              onChange={(warmStart) => {
                change({ warmStart });
              }}
            />
          </Form.Item>
        )}
      </Form>
    </Card>
      <Card size="small" className="span-8" title={t.wizard.preview}>
        <AugmentationPreview
          kinds={AUGMENTATIONS}
          chosen={preprocessing.augmentations ?? []}
          dataPath={spec.dataPaths?.[0]}
        />
      </Card>
    </div>
  );
}
