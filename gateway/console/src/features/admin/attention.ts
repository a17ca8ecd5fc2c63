import type { Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import type { Words } from "../../i18n";
import { bytes } from "../../ui/format";

export type Server = Schemas["Server"];
export type Replica = Schemas["Replica"];

/** What the gateway tells at /readyz. */
export interface GatewayState {
  version: string;
  startTime?: string;
  certificates?: Record<string, string>;
}

/** As the alerts of deploy/monitoring/alerts.yaml, and `loupe system`. */
const LEAST_FREE = 0.05;
const CERTIFICATE_LEFT_MS = 14 * 86_400_000;
const OUTBOX_MS = 60_000;
const BACKUP_AGE_MS = 7 * 86_400_000;

/** All versions that run now, sorted: more than one is an upgrade, or what was left of one. */
export function versionsOf(servers: readonly Server[], gateway: GatewayState | undefined): string[] {
  const found = servers.flatMap((server) => server.replicas.map(({ version }) => version));
  return [...new Set([...found, ...(gateway ? [gateway.version] : [])])].sort();
}

/** Sentences on what an operator should look at, with the remedy. */
export function attentions(
  servers: readonly Server[],
  gateway: GatewayState | undefined,
  now: number,
  say: Words["system"]["attention"],
): string[] {
  const versions = versionsOf(servers, gateway);
  return [
    ...(versions.length > 1 ? [say.versions(versions.join(", "))] : []),
    ...servers.flatMap((server) => [
      ...ofServer(server, now, say),
      ...server.replicas.flatMap((replica) => ofReplica(server, replica, now, say)),
    ]),
    ...Object.entries(gateway?.certificates ?? {}).flatMap(([name, expiry]) =>
      ofCertificate("gateway", name, expiry, now, say),
    ),
  ];
}

function ofServer(server: Server, now: number, say: Words["system"]["attention"]): string[] {
  const found: string[] = [];
  const { backlog, lastBackup } = server;
  if (backlog && Number(backlog.deadLetterCount) > 0) {
    found.push(say.deadLetters(lastPart(server.name), backlog.deadLetterCount));
  }
  if (backlog?.oldestOutboxTime && now - Date.parse(backlog.oldestOutboxTime) > OUTBOX_MS) {
    found.push(say.outbox(lastPart(server.name), backlog.outboxCount));
  }
  if (lastBackup && !lastBackup.createTime) found.push(say.noBackup);
  if (lastBackup?.createTime) {
    const age = now - Date.parse(lastBackup.createTime);
    if (age > BACKUP_AGE_MS) found.push(say.oldBackup(Math.floor(age / 86_400_000)));
    if (Number(lastBackup.faultCount) > 0) found.push(say.faultyBackup(lastBackup.place));
  }
  return found;
}

function ofReplica(server: Server, replica: Replica, now: number, say: Words["system"]["attention"]): string[] {
  const where = `${lastPart(server.name)} ${replica.address}`;
  return [
    ...(replica.ready ? [] : [say.notReady(where, lackingOf(replica).join(", "))]),
    ...replica.disks
      .filter(({ freeBytes, sizeBytes }) => Number(freeBytes) < Number(sizeBytes) * LEAST_FREE)
      .map(({ freeBytes }) => say.disk(where, bytes(Number(freeBytes)))),
    ...replica.certificates.flatMap(({ name, expireTime }) => ofCertificate(where, name, expireTime, now, say)),
  ];
}

function ofCertificate(
  where: string,
  name: string,
  expiry: string | undefined,
  now: number,
  say: Words["system"]["attention"],
): string[] {
  if (!expiry || Date.parse(expiry) - now >= CERTIFICATE_LEFT_MS) return [];
  return [say.certificate(where, name, expiry.slice(0, 10))];
}

/** What a replica needs and has not: `database: DATABASE_UNAVAILABLE`. */
export function lackingOf(replica: Replica): string[] {
  return replica.needs.filter(({ state }) => state !== "READY").map(({ name, state }) => `${name}: ${state}`);
}
