import { App, Button, Card, Descriptions, Drawer, Input, Modal, Switch, Table, Tabs, Tag, Typography } from "antd";
import { DiffOutlined } from "@ant-design/icons";
import { useState, type ReactNode } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { useQuery } from "../../api/useQuery";
import { useSpeech } from "../../i18n";
import { Json } from "../../ui/Json";
import { Lineage } from "./Lineage";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { ids, lastPart, shortVersion, time } from "../../ui/format";
import { useSession } from "../../api/session";
import { Answered } from "../../ui/states";
import { useAct } from "../../ui/useAct";
import { usePages } from "../../ui/usePages";
import { ModelActions } from "./Models";

type Version = Schemas["ModelVersion"];

/** One model: its environment, its versions and where they come from. */
export default function Model(): ReactNode {
  const { t, language } = useSpeech();
  const { model: id = "" } = useParams();
  const [archived, setArchived] = useState(false);
  const [open, setOpen] = useState<Version>();
  const [picked, setPicked] = useState<string[]>([]);
  const navigate = useNavigate();
  const model = useQuery(`model ${id}`, (signal) => api.get("/v1/models/{model}", { path: { model: id }, signal }));
  const versions = usePages(`versions ${id} ${archived}`, async (page, signal) => {
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
                            const order = (versions.data ?? []).map((version) => version.name).filter((name) => picked.includes(name));
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
                              getCheckboxProps: (version) => ({ "aria-label": `${t.compare.compare} ${lastPart(version.name)}` }),
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
                                  (ids(parentVersion)[0] === id ? lastPart(parentVersion) : shortVersion(parentVersion)) || "—",
                              },
                              { title: t.models.image, render: (_, version) => shortVersion(version.algorithmImageVersion) },
                              { title: t.models.releaser, render: (_, version) => lastPart(version.releaser) },
                              { title: t.models.releaseTime, render: (_, version) => time(version.createTime, language) },
                              {
                                title: t.common.actions,
                                render: (_, version) => (
                                  <div className="row">
                                    <ModelActions version={version.name} />
                                    <VersionActions version={version} onChanged={versions.reload} />
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

function ModelFacts({ model }: { model: Schemas["Model"] }): ReactNode {
  const { t, language } = useSpeech();
  const id = lastPart(model.productionEnvironment);
  const environment = useQuery(`environment ${id}`, (signal) =>
    api.get("/v1/productionEnvironments/{productionEnvironment}", { path: { productionEnvironment: id }, signal }),
  );
  const place = environment.data;
  return (
    <Descriptions
      size="small"
      column={{ xs: 1, md: 2, xl: 4 }}
      items={[
        { key: "latest", label: t.models.latest, children: lastPart(model.latestVersion) },
        { key: "type", label: t.common.type, children: t.taskTypes[model.taskType] },
        { key: "modifier", label: t.models.modifier, children: lastPart(model.lastModifier) },
        { key: "time", label: t.common.updateTime, children: time(model.updateTime, language) },
        { key: "environment", label: t.common.environment, children: id },
        { key: "site", label: t.masterData.site, children: place?.site ?? "—" },
        { key: "product", label: t.masterData.product, children: place?.product ?? "—" },
        {
          key: "step",
          label: t.masterData.step,
          children: place ? `${place.processStep} · ${place.equipment}` : "—",
        },
      ]}
    />
  );
}

function VersionActions({ version, onChanged }: { version: Version; onChanged: () => void }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAct();
  const [naming, setNaming] = useState(false);
  const [alias, setAlias] = useState("production");
  if (!may("ROLE_RELEASER")) return null;
  const [model = "", number = ""] = ids(version.name);
  const path = { model, version: number };
  const archive = async (restore: boolean) => {
    await act(() => api.post("/v1/models/{model}/versions/{version}:archive", { path, body: { restore }, etag: version.etag }), t.common.done);
    onChanged();
  };
  return (
    <>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          setNaming(true);
        }}
      >
        {t.models.setAlias}
      </Button>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          if (version.archived) void archive(true);
          else
            modal.confirm({
              title: `${t.models.archive} ${shortVersion(version.name)}`,
              content: t.models.archiveConfirm,
              onOk: () => archive(false),
            });
        }}
      >
        {version.archived ? t.models.restore : t.models.archive}
      </Button>
      <Modal
        open={naming}
        title={`${t.models.setAlias}: ${shortVersion(version.name)}`}
        okButtonProps={{ disabled: !alias }}
        onCancel={() => {
          setNaming(false);
        }}
        onOk={async () => {
          const done = await act(
            () => api.post("/v1/models/{model}/versions/{version}:setAlias", { path, body: { alias }, etag: version.etag }),
            t.models.aliasSet(alias, shortVersion(version.name)),
          );
          if (done) setNaming(false);
          onChanged();
        }}
      >
        <Input
          value={alias}
          placeholder={t.models.aliasHint}
          aria-label={t.models.aliases}
          onChange={(event) => {
            setAlias(event.target.value);
          }}
        />
      </Modal>
    </>
  );
}

function VersionFacts({ version }: { version: Version }): ReactNode {
  const { t, language } = useSpeech();
  return (
    <>
      <Descriptions
        size="small"
        column={1}
        bordered
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
              <Tag key={code} {...(index >= version.numOfClasses ? { variant: "outlined", title: t.models.specialCodes } : {})}>
                {code}
              </Tag>
            )),
          },
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
