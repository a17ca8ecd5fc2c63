import { Button, Input, Modal, Table } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart, shortPath } from "../../api/names";
import { useSession } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Answered, Nothing } from "../../ui/states";
import { useAction } from "../../ui/useAction";
import { useConfirmed } from "../../ui/useConfirmed";
import { mayChange } from "./PathActions";

type Deleted = Schemas["DeletedDataPath"];

/** 回收站: deleted data paths, which can be restored until they are purged (D8). */
export function Bin(): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const deleted = usePagedQuery(["deletedDataPaths"], async (page, signal) => {
    const answer = await api.get("/v1/datasets/{dataset}/deletedPaths", {
      path: { dataset: "-" },
      query: page,
      signal,
    });
    return { items: answer.dataPaths, next: answer.nextPageToken };
  });
  return (
    <>
      <Answered query={deleted}>
        {(all) => (
          <Table<Deleted>
            size="small"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            locale={{ emptyText: <Nothing text={t.datasets.emptyBin} /> }}
            columns={[
              { title: t.wizard.path, render: (_, one) => shortPath(one.name) },
              { title: t.datasets.samples, align: "right", render: (_, one) => whole(one.dataPath?.sampleCount ?? 0) },
              { title: t.datasets.owner, render: (_, one) => lastPart(one.dataPath?.owner ?? "") || t.datasets.shared },
              { title: t.common.description, render: (_, one) => one.dataPath?.description },
              { title: t.datasets.deleteTime, render: (_, one) => time(one.deleteTime, language) },
              { title: t.datasets.deleter, render: (_, one) => lastPart(one.deleter) },
              { title: t.datasets.purgeTime, render: (_, one) => time(one.purgeTime, language) },
              ...(may("ROLE_ENGINEER")
                ? [{ title: t.common.actions, render: (_: unknown, one: Deleted) => <BinActions deleted={one} /> }]
                : []),
            ]}
          />
        )}
      </Answered>
      <More pages={deleted} />
    </>
  );
}

function BinActions({ deleted }: { deleted: Deleted }): ReactNode {
  const { t } = useSpeech();
  const session = useSession();
  const act = useAction();
  const confirmed = useConfirmed();
  const [wanted, setWanted] = useState<string>();
  if (!deleted.dataPath || !mayChange(session, deleted.dataPath)) return null;
  const [dataset = "", deletedPath = ""] = ids(deleted.name);
  const former = lastPart(deleted.dataPath.name);
  const name = { dataset, deletedPath };
  return (
    <>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          setWanted(former);
        }}
      >
        {t.datasets.restore}
      </Button>
      {session.may("ROLE_ADMIN") && (
        <Button
          type="link"
          size="small"
          danger
          className="inline-button"
          onClick={() => {
            confirmed(() => api.delete("/v1/datasets/{dataset}/deletedPaths/{deletedPath}", { path: name }), {
              label: t.datasets.purge,
              subject: shortPath(deleted.name),
              content: t.datasets.purgeConfirm,
              success: t.common.done,
            });
          }}
        >
          {t.datasets.purge}
        </Button>
      )}
      <Modal
        open={wanted !== undefined}
        title={`${t.datasets.restore} · ${shortPath(deleted.name)}`}
        okText={t.datasets.restore}
        okButtonProps={{ disabled: !wanted?.trim() }}
        onCancel={() => {
          setWanted(undefined);
        }}
        onOk={async () => {
          const dataPathId = wanted?.trim() ?? former;
          const done = await act(
            () =>
              api.post("/v1/datasets/{dataset}/deletedPaths/{deletedPath}:restore", {
                path: name,
                body: { dataPathId },
              }),
            t.datasets.restored(`${dataset}/${dataPathId}`),
          );
          if (done) setWanted(undefined);
        }}
      >
        <p>{t.datasets.restoreAs}</p>
        <Input
          value={wanted ?? ""}
          aria-label={t.datasets.restoreAs}
          onChange={(event) => {
            setWanted(event.target.value);
          }}
        />
      </Modal>
    </>
  );
}
