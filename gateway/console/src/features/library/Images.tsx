import { PlusOutlined } from "@ant-design/icons";
import { Button, Descriptions, Table } from "antd";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, useState, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { useAlgorithmImages, useAlgorithmImageVersions } from "../../api/queries";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { deferred } from "../../ui/deferred";
import { time } from "../../ui/format";
import { Json } from "../../ui/Json";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";

const NewImageVersion = deferred(() => import("./NewImageVersion"));

/** 模型镜像: the algorithm images and their versions. */
export default function Images(): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const client = useQueryClient();
  const [making, setMaking] = useState<{ of?: Schemas["AlgorithmImage"] }>();
  const images = useAlgorithmImages();
  return (
    <Page
      title={t.images.title}
      actions={
        may("ROLE_ADMIN") && (
          <Button
            type="primary"
            icon={<PlusOutlined />}
            onClick={() => {
              setMaking({});
            }}
          >
            {t.images.newImage}
          </Button>
        )
      }
    >
      <Answered query={images}>
        {(all) => (
          <Table<Schemas["AlgorithmImage"]>
            size="middle"
            rowKey="name"
            pagination={false}
            dataSource={all}
            locale={{ emptyText: <Nothing text={t.images.empty} /> }}
            expandable={{ expandedRowRender: (image) => <Versions image={lastPart(image.name)} /> }}
            columns={[
              { title: t.common.name, render: (_, image) => image.displayName || lastPart(image.name) },
              { title: t.models.latest, render: (_, image) => lastPart(image.latestVersion) },
              {
                title: t.common.type,
                render: (_, image) => `${t.imageKinds[image.kind]} · ${t.taskTypes[image.taskType]}`,
              },
              { title: t.common.environment, render: (_, image) => lastPart(image.productionEnvironment) || "—" },
              { title: t.common.description, dataIndex: "description" },
              { title: t.common.createTime, render: (_, image) => time(image.createTime, language) },
              ...(may("ROLE_ADMIN")
                ? [
                    {
                      title: t.common.actions,
                      render: (_: unknown, image: Schemas["AlgorithmImage"]) => (
                        <Button
                          type="link"
                          size="small"
                          onClick={() => {
                            setMaking({ of: image });
                          }}
                        >
                          {t.images.newVersion}
                        </Button>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        )}
      </Answered>
      {making && (
        <Suspense fallback={null}>
          <NewImageVersion
            image={making.of}
            onClose={(made) => {
              setMaking(undefined);
              if (made) void client.invalidateQueries();
            }}
          />
        </Suspense>
      )}
    </Page>
  );
}

function Versions({ image }: { image: string }): ReactNode {
  const { t } = useSpeech();
  const versions = useAlgorithmImageVersions(image);
  return (
    <Answered query={versions}>
      {(all) => (
        <>
          {all.map((version) => (
            <section key={version.name} className="image-version">
              <Descriptions
                size="small"
                title={lastPart(version.name)}
                column={3}
                items={[
                  { key: "networks", label: t.images.networks, children: version.classificationNetworks.join(", ") },
                  {
                    key: "input",
                    label: t.images.input,
                    children: [version.input?.width, version.input?.height, version.input?.channels]
                      .map((side) => side ?? 0)
                      .join(" × "),
                  },
                  {
                    key: "conforms",
                    label: t.images.conforms,
                    children: `≥ ${version.input?.minSide ?? 0} px, ≤ ${version.input?.maxAspectRatio ?? 0} : 1`,
                  },
                  {
                    key: "paths",
                    label: t.images.trainingPaths,
                    children: version.trainingPaths.map(shortPath).join(", ") || "—",
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
