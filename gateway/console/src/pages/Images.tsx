import { Descriptions, Table } from "antd";
import type { ReactNode } from "react";
import { api, type Schemas } from "../api/client";
import { useQuery } from "../api/useQuery";
import { useSpeech } from "../i18n";
import { Json } from "../shared/Json";
import { Page } from "../shared/Page";
import { lastPart, time } from "../shared/format";
import { Answered, Nothing } from "../shared/states";

/** 镜像: the algorithm images and their versions. */
export default function Images(): ReactNode {
  const { t, language } = useSpeech();
  const images = useQuery("images", (signal) => api.get("/v1/algorithmImages", { query: { pageSize: 200 }, signal }));
  return (
    <Page title={t.images.title}>
      <Answered query={images}>
        {({ algorithmImages }) => (
          <Table<Schemas["AlgorithmImage"]>
            size="middle"
            rowKey="name"
            pagination={false}
            dataSource={algorithmImages}
            locale={{ emptyText: <Nothing text={t.images.empty} /> }}
            expandable={{ expandedRowRender: (image) => <Versions image={lastPart(image.name)} /> }}
            columns={[
              { title: t.common.name, render: (_, image) => image.displayName || lastPart(image.name) },
              { title: t.models.latest, render: (_, image) => lastPart(image.latestVersion) },
              { title: t.common.type, render: (_, image) => `${t.imageKinds[image.kind]} · ${t.taskTypes[image.taskType]}` },
              { title: t.common.environment, render: (_, image) => lastPart(image.productionEnvironment) || "—" },
              { title: t.common.description, dataIndex: "description" },
              { title: t.common.createTime, render: (_, image) => time(image.createTime, language) },
            ]}
          />
        )}
      </Answered>
    </Page>
  );
}

function Versions({ image }: { image: string }): ReactNode {
  const { t } = useSpeech();
  const versions = useQuery(`image versions ${image}`, (signal) =>
    api.get("/v1/algorithmImages/{algorithmImage}/versions", { path: { algorithmImage: image }, signal }),
  );
  return (
    <Answered query={versions}>
      {({ versions: all }) => (
        <>
          {all.map((version) => (
            <section key={version.name}>
              <Descriptions
                size="small"
                title={lastPart(version.name)}
                column={3}
                items={[
                  { key: "networks", label: t.images.networks, children: version.classificationNetworks.join(", ") },
                  {
                    key: "input",
                    label: t.images.input,
                    children: `${version.input?.width ?? 0} × ${version.input?.height ?? 0} × ${version.input?.channels ?? 0}`,
                  },
                  { key: "text", label: t.common.description, children: version.description },
                ]}
              />
              <div className="grid">
                <div className="span-6">
                  <Json title={t.models.modelParams} value={version.defaultModelParams} />
                </div>
                <div className="span-6">
                  <Json title={t.models.trainingParams} value={version.defaultTrainingParams} />
                </div>
              </div>
            </section>
          ))}
        </>
      )}
    </Answered>
  );
}
