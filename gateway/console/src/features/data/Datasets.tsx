import { ImportOutlined } from "@ant-design/icons";
import { Button, Table, Tabs, Tag } from "antd";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, useState, type ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useDataPaths, useStorageQuotas } from "../../api/queries";
import { useSession } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { CodeCounts } from "../../ui/CodeCounts";
import { deferred } from "../../ui/deferred";
import { time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { StorageUse } from "../../ui/StorageUse";
import { InBanks } from "../banks";
import { Bin } from "./Bin";
import { Marks } from "./Marks";
import { PathActions } from "./PathActions";

type Path = Schemas["DataPath"];

const ImportFolder = deferred(() => import("./ImportFolder"));

/** 数据集: datasets, and the data paths of each. */
export default function Datasets(): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const client = useQueryClient();
  const [importing, setImporting] = useState<{ dataset?: string }>();
  const datasets = usePagedQuery(["datasets"], async (page, signal) => {
    const answer = await api.get("/v1/datasets", { query: page, signal });
    return { items: answer.datasets, next: answer.nextPageToken };
  });
  const quotas = useStorageQuotas();
  const stored = new Map(quotas.data?.map((quota) => [quota.subject, quota]));
  const list = (
    <>
      <Answered query={datasets}>
        {(all) => (
          <Table<Schemas["Dataset"]>
            size="middle"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            locale={{ emptyText: <Nothing text={t.datasets.empty} /> }}
            expandable={{
              expandedRowRender: (dataset) => <Paths dataset={lastPart(dataset.name)} />,
              ...(all[0] && all.length <= 10 ? { defaultExpandedRowKeys: all.map((dataset) => dataset.name) } : {}),
            }}
            columns={[
              { title: t.common.name, render: (_, dataset) => lastPart(dataset.name) },
              { title: t.datasets.paths, align: "right", dataIndex: "pathCount" },
              { title: t.datasets.samples, align: "right", render: (_, dataset) => whole(dataset.sampleCount) },
              { title: t.system.quota.used, render: (_, { name }) => <StorageUse quota={stored.get(name)} /> },
              { title: t.common.description, dataIndex: "description" },
              { title: t.common.creator, render: (_, dataset) => lastPart(dataset.creator) },
              { title: t.common.createTime, render: (_, dataset) => time(dataset.createTime, language) },
            ]}
          />
        )}
      </Answered>
      <More pages={datasets} />
    </>
  );
  return (
    <Page
      title={t.datasets.title}
      actions={
        may("ROLE_ENGINEER") && (
          <Button
            type="primary"
            icon={<ImportOutlined />}
            onClick={() => {
              setImporting({});
            }}
          >
            {t.datasets.import}
          </Button>
        )
      }
    >
      <Tabs
        activeKey={search.get("tab") ?? "datasets"}
        onChange={(tab) => {
          setSearch({ tab }, { replace: true });
        }}
        items={[
          { key: "datasets", label: t.datasets.title, children: list },
          {
            key: "marks",
            label: t.datasets.marks,
            children: <Marks dataPath={search.get("path") ?? ""} report={search.get("report") ?? ""} />,
          },
          { key: "bin", label: t.datasets.bin, children: <Bin /> },
        ]}
      />
      {importing && (
        <Suspense fallback={null}>
          <ImportFolder
            start={importing}
            onClose={() => {
              setImporting(undefined);
              void client.invalidateQueries();
            }}
          />
        </Suspense>
      )}
    </Page>
  );
}

function Paths({ dataset }: { dataset: string }): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const paths = useDataPaths(dataset);
  return (
    <Answered query={paths}>
      {(dataPaths) => (
        <Table<Path>
          size="small"
          rowKey="name"
          pagination={false}
          scroll={{ x: "max-content" }}
          dataSource={dataPaths}
          columns={[
            {
              title: t.wizard.path,
              render: (_, path) => (
                <Link to={`/datasets/${dataset}/${lastPart(path.name)}`}>{lastPart(path.name)}</Link>
              ),
            },
            {
              title: t.common.state,
              render: (_, path) => {
                const valid = path.status === "DATA_PATH_STATUS_VALID";
                return (
                  <>
                    <Tag color={valid ? "green" : "red"}>{valid ? t.wizard.valid : t.wizard.invalid}</Tag>
                    <div>
                      <InBanks path={path} />
                    </div>
                  </>
                );
              },
            },
            { title: t.datasets.samples, align: "right", render: (_, path) => whole(path.sampleCount) },
            { title: t.datasets.masks, align: "right", render: (_, path) => whole(path.maskCount) },
            {
              title: t.datasets.codes,
              render: (_, path) => <CodeCounts counts={path.codeCounts} />,
            },
            { title: t.datasets.owner, render: (_, path) => lastPart(path.owner) || t.datasets.shared },
            { title: t.common.description, dataIndex: "description" },
            { title: t.common.updateTime, render: (_, path) => time(path.updateTime, language) },
            ...(may("ROLE_ENGINEER")
              ? [
                  {
                    title: t.common.actions,
                    // In sight whatever the others take.
                    fixed: "right" as const,
                    render: (_: unknown, path: Path) => <PathActions path={path} />,
                  },
                ]
              : []),
          ]}
        />
      )}
    </Answered>
  );
}
