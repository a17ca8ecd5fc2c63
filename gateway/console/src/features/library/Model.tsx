import { Button, Card, Drawer, Switch, Table, Tabs, Tag } from "antd";
import { DiffOutlined } from "@ant-design/icons";
import { useState, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered } from "../../ui/states";
import { Lineage } from "./Lineage";
import { ModelActions } from "./ModelActions";
import { ModelFacts } from "./ModelFacts";
import { VersionActions } from "./VersionActions";
import { VersionFacts } from "./VersionFacts";

type Version = Schemas["ModelVersion"];

/** One model: its environment, its versions and where they come from. */
export default function Model(): ReactNode {
  const { t, language } = useSpeech();
  const { model: id = "" } = useParams();
  const [archived, setArchived] = useState(false);
  const [open, setOpen] = useState<Version>();
  const [picked, setPicked] = useState<string[]>([]);
  const navigate = useNavigate();
  const model = useApiQuery(["models", id], (signal) => api.get("/v1/models/{model}", { path: { model: id }, signal }));
  const versions = usePagedQuery(["models", id, "versions", { archived }], async (page, signal) => {
    const answer = await api.get("/v1/models/{model}/versions", {
      path: { model: id },
      query: { ...page, showArchived: archived },
      signal,
    });
    return { items: answer.versions, next: answer.nextPageToken };
  });
  return (
    <Page title={id}>
      <Answered query={model}>
        {(found) => (
          <>
            <Card size="small" title={t.models.details}>
              <ModelFacts model={found} />
            </Card>
            <Tabs
              style={{ marginTop: 8 }}
              items={[
                {
                  key: "versions",
                  label: t.models.versions,
                  children: (
                    <>
                      <div className="filters">
                        <Switch checked={archived} onChange={setArchived} aria-label={t.models.showArchived} />
                        {t.models.showArchived}
                        <Button
                          icon={<DiffOutlined />}
                          style={{ marginInlineStart: "auto" }}
                          disabled={picked.length === 1 || (versions.data?.length ?? 0) < 2}
                          onClick={() => {
                            // The list is newest first, whatever the order in which they were picked.
                            const order = (versions.data ?? [])
                              .map((version) => version.name)
                              .filter((name) => picked.includes(name));
                            const [candidate = "", base = ""] = order.map(lastPart);
                            void navigate(`/models/${id}/compare${base ? `?base=${base}&candidate=${candidate}` : ""}`);
                          }}
                        >
                          {t.compare.compare}
                        </Button>
                      </div>
                      <Answered query={versions}>
                        {(all) => (
                          <Table<Version>
                            size="middle"
                            rowKey="name"
                            pagination={false}
                            dataSource={all}
                            rowSelection={{
                              selectedRowKeys: picked,
                              hideSelectAll: true,
                              columnTitle: <span className="unseen">{t.compare.pick}</span>,
                              onChange: (keys) => {
                                setPicked(keys.map(String).slice(-2));
                              },
                              getCheckboxProps: (version) => ({
                                "aria-label": `${t.compare.compare} ${lastPart(version.name)}`,
                              }),
                            }}
                            columns={[
                              {
                                title: t.models.version,
                                render: (_, version) => (
                                  <Button
                                    type="link"
                                    size="small"
                                    onClick={() => {
                                      setOpen(version);
                                    }}
                                  >
                                    {lastPart(version.name)}
                                  </Button>
                                ),
                              },
                              {
                                title: t.models.aliases,
                                render: (_, version) => (
                                  <>
                                    {version.aliases.map((alias) => (
                                      <Tag key={alias} variant="outlined">
                                        {alias}
                                      </Tag>
                                    ))}
                                    {version.archived && <Tag>{t.models.archived}</Tag>}
                                  </>
                                ),
                              },
                              {
                                title: t.models.parent,
                                // Its own model need not be named again.
                                render: (_, { parentVersion }) =>
                                  (ids(parentVersion)[0] === id
                                    ? lastPart(parentVersion)
                                    : shortVersion(parentVersion)) || "—",
                              },
                              {
                                title: t.models.image,
                                render: (_, version) => shortVersion(version.algorithmImageVersion),
                              },
                              { title: t.models.releaser, render: (_, version) => lastPart(version.releaser) },
                              {
                                title: t.models.releaseTime,
                                render: (_, version) => time(version.createTime, language),
                              },
                              {
                                title: t.common.actions,
                                render: (_, version) => (
                                  <div className="row">
                                    <ModelActions version={version.name} />
                                    <VersionActions version={version} />
                                  </div>
                                ),
                              },
                            ]}
                          />
                        )}
                      </Answered>
                      <More pages={versions} />
                    </>
                  ),
                },
                {
                  key: "lineage",
                  label: t.models.lineage,
                  children: (
                    <Answered query={versions}>
                      {(all) => (
                        <Lineage
                          versions={all}
                          onOpen={(name) => {
                            setOpen(all.find((version) => version.name === name));
                          }}
                        />
                      )}
                    </Answered>
                  ),
                },
              ]}
            />
          </>
        )}
      </Answered>
      <Drawer
        open={open !== undefined}
        size={640}
        title={open && shortVersion(open.name)}
        onClose={() => {
          setOpen(undefined);
        }}
      >
        {open && <VersionFacts version={open} />}
      </Drawer>
    </Page>
  );
}

