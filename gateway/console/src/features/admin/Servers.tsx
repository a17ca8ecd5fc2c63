import { Alert, Badge, Card, Table, Tag, Tooltip } from "antd";
import type { ReactNode } from "react";
import { ApiError, api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bytes, duration, percent, time, whole } from "../../ui/format";
import { ScrollRegion } from "../../ui/ScrollRegion";
import { Answered } from "../../ui/states";
import { attentions, lackingOf, type GatewayState, type Replica, type Server, versionsOf } from "./attention";
import { since } from "./since";

const INTERVAL_MS = 5000;

interface Installation {
  gateway: GatewayState;
  /** State of each server's name, as the gateway's own health checks have it. */
  states: Record<string, string>;
  servers: Server[];
}

/** The health of all servers, and what those that answer tell of all their replicas. */
async function readInstallation(signal: AbortSignal): Promise<Installation> {
  const response = await fetch("/readyz", { signal }).catch(() => {
    throw new ApiError(0, undefined);
  });
  const ready = (await response.json()) as GatewayState & { backends: Record<string, string> };
  const answers = await Promise.all(
    Object.keys(ready.backends).map((name) =>
      // A server that does not answer has its state in the answer of /readyz.
      api.get("/v1/servers/{server}", { path: { server: name }, signal }).catch(() => undefined),
    ),
  );
  return { gateway: ready, states: ready.backends, servers: answers.filter((server) => server !== undefined) };
}

function useInstallation() {
  return useApiQuery(["servers"], readInstallation, { intervalMs: INTERVAL_MS });
}

/** What needs attention, and every replica of every server. */
export function Servers(): ReactNode {
  const { t } = useSpeech();
  return (
    <Answered query={useInstallation()}>
      {(found) => {
        const look = attentions(found.servers, found.gateway, Date.now(), t.system.attention);
        return (
          <>
            {look.length > 0 && (
              <div className="span-12">
                <Alert
                  type="warning"
                  showIcon
                  title={t.system.attentionTitle}
                  description={
                    <ul style={{ margin: 0, paddingInlineStart: 20 }}>
                      {look.map((sentence) => (
                        <li key={sentence}>{sentence}</li>
                      ))}
                    </ul>
                  }
                />
              </div>
            )}
            <Replicas {...found} />
          </>
        );
      }}
    </Answered>
  );
}

/** What servers stand on: disks, certificates, the last backup; and their events. */
export function StoresAndEvents(): ReactNode {
  return (
    <Answered query={useInstallation()}>
      {({ gateway, servers }) => (
        <>
          <Stores gateway={gateway} servers={servers} />
          <Events servers={servers} />
        </>
      )}
    </Answered>
  );
}

interface Row {
  key: string;
  server: string;
  state: string;
  replica?: Partial<Replica>;
}

function rowsOf({ gateway, states, servers }: Installation): Row[] {
  const own = { version: gateway.version, ...(gateway.startTime ? { startTime: gateway.startTime } : {}) };
  return [
    { key: "gateway", server: "gateway", state: "SERVING", replica: own },
    ...Object.entries(states).flatMap(([name, state]): Row[] => {
      const server = servers.find((one) => one.name === `servers/${name}`);
      if (!server || server.replicas.length === 0) {
        return [{ key: name, server: name, state, ...(server ? { replica: server } : {}) }];
      }
      return server.replicas.map((replica) => ({
        key: `${name} ${replica.address} ${replica.startTime ?? ""}`,
        server: name,
        state: replica.ready ? "SERVING" : lackingOf(replica).join(", "),
        replica,
      }));
    }),
  ];
}

function Replicas(installation: Installation): ReactNode {
  const { t, language } = useSpeech();
  const several = versionsOf(installation.servers, installation.gateway).length > 1;
  return (
    <Card size="small" className="span-12" title={t.system.services}>
      <ScrollRegion label={t.system.services}>
        <Table<Row>
          size="small"
          rowKey="key"
          pagination={false}
          dataSource={rowsOf(installation)}
          columns={[
            { title: t.system.service, dataIndex: "server" },
            { title: t.system.address, render: (_, { replica }) => replica?.address ?? "—" },
            {
              title: t.common.state,
              render: (_, { state }) => (
                <Badge
                  status={state === "SERVING" ? "success" : "error"}
                  text={state === "SERVING" ? t.system.serving : `${t.system.notServing} (${state})`}
                />
              ),
            },
            {
              title: t.system.version,
              render: (_, { replica }) =>
                several && replica?.version ? <Tag color="warning">{replica.version}</Tag> : replica?.version || "—",
            },
            { title: t.system.tables, render: (_, { replica }) => replica?.schemaRevision ?? "—" },
            { title: t.system.started, render: (_, { replica }) => time(replica?.startTime, language) },
            {
              title: t.system.heard,
              render: (_, { replica }) =>
                replica?.heardTime ? t.system.ago(duration(since(replica.heardTime), language)) : "—",
            },
          ]}
        />
      </ScrollRegion>
    </Card>
  );
}

function Stores({ gateway, servers }: { gateway: GatewayState; servers: Server[] }): ReactNode {
  const { t, language } = useSpeech();
  const of = servers.flatMap((server) =>
    server.replicas.map((replica) => ({ where: `${lastPart(server.name)} ${replica.address}`, replica })),
  );
  const rows = [
    ...of.flatMap(({ where, replica }) =>
      replica.disks.map(({ name, freeBytes, sizeBytes }) => ({
        key: `disk ${where} ${name}`,
        what: t.system.disk,
        where,
        told:
          `${bytes(Number(freeBytes))} / ${bytes(Number(sizeBytes))} ` +
          `(${percent(Number(freeBytes) / Number(sizeBytes))})`,
      })),
    ),
    ...[
      ...of.flatMap(({ where, replica }) => replica.certificates.map((one) => ({ where, ...one }))),
      ...Object.entries(gateway.certificates ?? {}).map(([name, expireTime]) => ({
        where: "gateway",
        name,
        expireTime,
      })),
    ].map(({ where, name, expireTime }) => ({
      key: `certificate ${where} ${name}`,
      what: `${t.system.certificate} ${name}`,
      where,
      told: t.system.expires(time(expireTime, language)),
    })),
    ...servers.flatMap(({ name, lastBackup }) =>
      lastBackup?.createTime
        ? [
            {
              key: "backup",
              what: t.system.backup,
              where: lastPart(name),
              told: [
                time(lastBackup.createTime, language),
                lastBackup.place,
                bytes(Number(lastBackup.sizeBytes)),
                lastBackup.verifyTime
                  ? t.system.verified(time(lastBackup.verifyTime, language))
                  : t.system.notVerified,
              ].join(" · "),
            },
          ]
        : [],
    ),
  ];
  if (rows.length === 0) return null;
  return (
    <Card size="small" className="span-12" title={t.system.stores}>
      <ScrollRegion label={t.system.stores}>
        <Table
          size="small"
          pagination={false}
          showHeader={false}
          dataSource={rows}
          columns={[{ dataIndex: "what" }, { dataIndex: "where" }, { dataIndex: "told" }]}
        />
      </ScrollRegion>
    </Card>
  );
}

function Events({ servers }: { servers: Server[] }): ReactNode {
  const { t, language } = useSpeech();
  const rows = servers.flatMap(({ name, backlog, streams, consumers }) => {
    const server = lastPart(name);
    return [
      ...(backlog
        ? [
            {
              what: t.system.outbox,
              count: backlog.outboxCount,
              told: backlog.oldestOutboxTime
                ? t.system.ago(duration(since(backlog.oldestOutboxTime), language))
                : "",
            },
            { what: t.system.deadLetters, count: backlog.deadLetterCount, told: "" },
          ]
        : []),
      ...streams.map((stream) => ({
        what: `${t.system.stream} ${stream.name}`,
        count: stream.messageCount,
        told: bytes(Number(stream.sizeBytes)),
      })),
      ...consumers.map((consumer) => ({
        what: `${t.system.consumer} ${consumer.name} (${consumer.stream})`,
        count: consumer.pendingCount,
        told: "",
      })),
    ].map((row) => ({ ...row, server, key: `${server} ${row.what}` }));
  });
  return (
    <Card size="small" className="span-12" title={t.system.events}>
      <ScrollRegion label={t.system.events}>
        <Table
          size="small"
          pagination={false}
          dataSource={rows}
          columns={[
            { title: t.system.service, dataIndex: "server" },
            { title: t.system.event, dataIndex: "what" },
            {
              title: <Tooltip title={t.system.eventCountHint}>{t.system.eventCount}</Tooltip>,
              align: "right",
              render: (_, { count }) => whole(count),
            },
            { title: "", dataIndex: "told" },
          ]}
        />
      </ScrollRegion>
    </Card>
  );
}
