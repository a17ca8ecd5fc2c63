import { Descriptions, Tag, Typography } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { Json } from "../../ui/Json";
import { Looks } from "../monitor";

type Version = Schemas["ModelVersion"];

export function VersionFacts({ version }: { version: Version }): ReactNode {
  const { t, language } = useSpeech();
  return (
    <>
      <Descriptions
        size="small"
        column={1}
        bordered
        styles={{ label: { whiteSpace: "nowrap" } }}
        items={[
          {
            key: "task",
            label: t.models.task,
            children: <Link to={`/tasks/${lastPart(version.task)}`}>{lastPart(version.task)}</Link>,
          },
          {
            key: "report",
            label: t.models.validationReport,
            children: <Link to={`/reports/${lastPart(version.report)}`}>{lastPart(version.report)}</Link>,
          },
          { key: "image", label: t.models.image, children: shortVersion(version.algorithmImageVersion) },
          { key: "parent", label: t.models.parent, children: shortVersion(version.parentVersion) || "—" },
          {
            key: "releaser",
            label: t.models.releaser,
            children: `${lastPart(version.releaser)}, ${time(version.createTime, language)}`,
          },
          { key: "seed", label: t.models.seed, children: version.seed },
          {
            key: "codes",
            label: t.models.codes,
            children: version.codeList.map((code, index) => (
              <Tag
                key={code}
                {...(index >= version.numOfClasses ? { variant: "outlined", title: t.models.specialCodes } : {})}
              >
                {code}
              </Tag>
            )),
          },
          ...(version.looks
            ? [{ key: "looks", label: t.looks.title, children: <Looks looks={version.looks} /> }]
            : []),
          {
            key: "weights",
            label: t.models.weights,
            children: (
              <Typography.Text code copyable ellipsis>
                {version.weightsSha256}
              </Typography.Text>
            ),
          },
          {
            key: "snapshots",
            label: t.models.snapshots,
            children: version.snapshots.map((snapshot) => {
              const [dataset, path, digest = ""] = ids(snapshot);
              return (
                <div key={snapshot}>
                  {dataset}/{path} <code>{digest.slice(0, 12)}…</code>
                </div>
              );
            }),
          },
        ]}
      />
      <Json title={t.models.modelParams} value={version.modelParams} />
      <Json title={t.models.trainingParams} value={version.trainingParams} />
      <Json title={t.models.preprocessingParams} value={version.preprocessingParams} />
    </>
  );
}
