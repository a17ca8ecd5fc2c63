import { Card, Descriptions, Form, Input, Radio, Select } from "antd";
import { useMemo, useState, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { ids, lastPart } from "../../api/names";
import { useAlgorithmImageVersions, useEnvironments } from "../../api/queries";
import { useSpeech } from "../../i18n";
import { knownKeys, textOf } from "../../ui/json";
import { JsonEditor } from "../../ui/JsonEditor";
import { Failure, Loading, Nothing } from "../../ui/states";
import { CodesOfData } from "./Codes";
import type { StepProps } from "./steps";
import { isAbout, isParameterFinding, changedText, type Spec } from "./wizard";

export function ImageStep({
  spec,
  change,
  findings,
  version,
  params,
  images,
  image,
  fixedName,
  paths,
}: StepProps & {
  paths: readonly Schemas["DataPath"][];
  images: Schemas["AlgorithmImage"][];
  image: Schemas["AlgorithmImage"] | undefined;
  fixedName: boolean;
}): ReactNode {
  const { t, pick } = useSpeech();
  const [kind, setKind] = useState<Schemas["ImageKind"]>(image?.kind ?? "IMAGE_KIND_GENERAL");
  const [environment, setEnvironment] = useState("");
  const environments = useEnvironments();
  const places = environments.data ?? [];
  const offered = images.filter(
    (one) =>
      one.kind === kind && (kind === "IMAGE_KIND_GENERAL" || !environment || one.productionEnvironment === environment),
  );
  const [chosen = "", number = ""] = ids(spec.algorithmImageVersion ?? "");
  const standard = textOf(version.data?.defaultModelParams);
  const versions = useAlgorithmImageVersions(chosen);
  const known = useMemo(
    () =>
      knownKeys(version.data?.defaultModelParams, t.parameters, { name: version.data?.classificationNetworks ?? [] }),
    [version.data, t],
  );
  const options = places.map((place) => ({
    value: place.name,
    label: `${place.site} · ${place.product} · ${place.processStep} · ${place.equipment}`,
  }));
  const faultsOf = (name: keyof Spec) => {
    const found = findings.filter((finding) => !finding.warning && isAbout(finding, name));
    if (!found.length) return {};
    return {
      validateStatus: "error" as const,
      help: found.map(({ reason, message, messageZh }) => <div key={reason + message}>{pick(message, messageZh)}</div>),
    };
  };
  return (
    <div className="grid">
      <Card size="small" className="span-6">
        <Form layout="vertical" requiredMark={false}>
          <Form.Item label={t.wizard.modelName} extra={t.wizard.modelNameHint} {...faultsOf("modelName")}>
            <Input
              aria-label={t.wizard.modelName}
              value={spec.modelName}
              maxLength={60}
              showCount
              disabled={fixedName}
              onChange={(event) => {
                change({ modelName: event.target.value });
              }}
            />
          </Form.Item>
          <Form.Item>
            <Radio.Group
              value={kind}
              disabled={fixedName}
              onChange={(event) => {
                setKind(event.target.value as Schemas["ImageKind"]);
                change({ algorithmImageVersion: "", productionEnvironment: "", modelParamsJson: undefined });
              }}
              options={(["IMAGE_KIND_GENERAL", "IMAGE_KIND_BUSINESS"] as const).map((value) => ({
                value,
                label: t.imageKinds[value],
              }))}
              optionType="button"
            />
          </Form.Item>
          {kind === "IMAGE_KIND_BUSINESS" && (
            <Form.Item label={t.wizard.environmentFilter}>
              <Select
                allowClear
                aria-label={t.wizard.environmentFilter}
                value={environment || null}
                onChange={(value?: string) => {
                  setEnvironment(value ?? "");
                }}
                options={options}
              />
            </Form.Item>
          )}
          <Form.Item label={t.wizard.image} {...faultsOf("algorithmImageVersion")}>
            <Select
              aria-label={t.wizard.image}
              value={chosen || null}
              onChange={(value: string) => {
                const found = images.find((one) => lastPart(one.name) === value);
                change({ algorithmImageVersion: found?.latestVersion ?? "", modelParamsJson: undefined });
              }}
              options={offered.map((one) => ({
                value: lastPart(one.name),
                label: `${one.displayName || lastPart(one.name)} · ${t.taskTypes[one.taskType]}`,
              }))}
            />
          </Form.Item>
          <Form.Item label={t.models.version}>
            <Select
              aria-label={t.models.version}
              value={spec.algorithmImageVersion || null}
              onChange={(value: string) => {
                change({ algorithmImageVersion: value });
              }}
              options={(versions.data ?? []).map((one) => ({ value: one.name, label: lastPart(one.name) }))}
            />
          </Form.Item>
          {kind === "IMAGE_KIND_GENERAL" && (
            <Form.Item label={t.common.environment} {...faultsOf("productionEnvironment")}>
              <Select
                aria-label={t.common.environment}
                value={spec.productionEnvironment || null}
                onChange={(value: string) => {
                  change({ productionEnvironment: value });
                }}
                options={options}
              />
            </Form.Item>
          )}
        </Form>
      </Card>
      <div className="span-6" style={{ display: "grid", gap: 12 }}>
        {version.data && (
          <Card size="small" title={t.wizard.imageInfo}>
            <Descriptions
              size="small"
              column={1}
              items={[
                { key: "name", label: t.common.name, children: `${image?.displayName ?? chosen} ${number}` },
                { key: "text", label: t.common.description, children: image?.description },
                { key: "networks", label: t.images.networks, children: version.data.classificationNetworks.join(", ") },
                {
                  key: "input",
                  label: t.wizard.input,
                  children: [version.data.input?.width, version.data.input?.height, version.data.input?.channels]
                    .map((side) => side ?? 0)
                    .join(" × "),
                },
              ]}
            />
          </Card>
        )}
        <Card size="small">
          {version.data ? (
            <JsonEditor
              label={t.wizard.modelParams}
              value={params.model}
              defaults={standard}
              hint={kind === "IMAGE_KIND_BUSINESS" ? t.wizard.fixedParams : t.wizard.modelParamsHint}
              disabled={kind === "IMAGE_KIND_BUSINESS"}
              known={known}
              findings={findings.filter(isParameterFinding)}
              onChange={(text) => {
                change({ modelParamsJson: changedText(text, standard) });
              }}
              actions={
                <CodesOfData
                  text={params.model}
                  version={version.data}
                  paths={paths}
                  chosen={spec.dataPaths ?? []}
                  change={change}
                />
              }
            />
          ) : version.error ? (
            <Failure error={version.error} retry={version.reload} />
          ) : chosen ? (
            <Loading />
          ) : (
            <Nothing text={t.wizard.chooseImage} />
          )}
        </Card>
      </div>
    </div>
  );
}
