import { Input, Table } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { origin, time } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";

/** 审计日志: who did what, when, from where, with what result (A3). */
export default function Audit(): ReactNode {
  const { t, language } = useSpeech();
  const [principal, setPrincipal] = useState("");
  const wanted = useDebounced(principal.trim());
  const entries = usePagedQuery(["auditEntries", wanted], async (page, signal) => {
    const answer = await api.get("/v1/auditEntries", { query: { ...page, principal: wanted }, signal });
    return { items: answer.entries, next: answer.nextPageToken };
  });
  return (
    <Page title={t.audit.title}>
      <div className="filters">
        <Input
          allowClear
          style={{ width: 320 }}
          placeholder={t.audit.filter}
          aria-label={t.audit.filter}
          value={principal}
          onChange={(event) => {
            setPrincipal(event.target.value);
          }}
        />
      </div>
      <Answered query={entries}>
        {(all) => (
          <Table<Schemas["AuditEntry"]>
            size="small"
            rowKey="id"
            pagination={false}
            dataSource={all}
            locale={{ emptyText: <Nothing /> }}
            columns={[
              { title: t.common.time, render: (_, entry) => time(entry.time, language) },
              { title: t.audit.who, render: (_, entry) => <Who entry={entry} /> },
              {
                title: t.audit.action,
                render: (_, entry) => <span title={entry.action}>{lastPart(entry.action)}</span>,
              },
              {
                title: t.audit.resource,
                render: (_, entry) => <span style={{ wordBreak: "break-all" }}>{entry.resource}</span>,
              },
              {
                title: t.audit.result,
                render: (_, entry) => (entry.result === "OK" ? "OK" : <strong>{entry.result}</strong>),
              },
              { title: t.audit.from, render: (_, entry) => <From peer={entry.peer} /> },
            ]}
          />
        )}
      </Answered>
      <More pages={entries} />
    </Page>
  );
}

/** Who did it, and which process says so, where the registry did not see it itself. */
function Who({ entry }: { entry: Schemas["AuditEntry"] }): ReactNode {
  const { t } = useSpeech();
  return (
    <>
      {entry.principal || "—"}
      {entry.reporter !== "" && (
        <>
          <br />
          <small className="dim">{t.audit.toldBy(entry.reporter)}</small>
        </>
      )}
    </>
  );
}

/** Any client of the servers can claim to call for another address, so the client's own address is shown too. */
function From({ peer }: { peer: string }): ReactNode {
  const { t } = useSpeech();
  const { address, via } = origin(peer);
  return (
    <>
      {address}
      {via !== undefined && via !== address && (
        <>
          <br />
          <small className="dim">{t.audit.via(via)}</small>
        </>
      )}
    </>
  );
}
