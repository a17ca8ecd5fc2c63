import { expect, it } from "vitest";
import { dictionaries } from "../../i18n";
import { attentions, type Replica, type Server, versionsOf } from "./attention";

const NOW = Date.parse("2026-11-30T12:00:00Z");

function replica(changes: Partial<Replica>): Replica {
  return {
    address: "a:7102",
    version: "0.1.0",
    schemaRevision: "0018",
    ready: true,
    needs: [],
    disks: [],
    certificates: [],
    ...changes,
  };
}

function server(replicas: Replica[], changes: Partial<Server> = {}): Server {
  return {
    name: "servers/scheduler",
    version: "0.1.0",
    schemaRevision: "0018",
    replicas,
    streams: [],
    consumers: [],
    ...changes,
  };
}

const gateway = { version: "0.1.0" };
const looks = (servers: Server[], told = gateway as Parameters<typeof attentions>[1]) =>
  attentions(servers, told, NOW, dictionaries.zh.system.attention);

it("nothing needs attention while all is well", () => {
  const fine = replica({
    disks: [{ name: "data", freeBytes: "10", sizeBytes: "100" }],
    certificates: [{ name: "tls", expireTime: "2027-11-30T12:00:00Z" }],
  });
  const lastBackup = {
    place: "/backup",
    createTime: "2026-11-30T02:00:00Z",
    objectCount: "1",
    sizeBytes: "1",
    encrypted: true,
    faultCount: "0",
  };
  expect(looks([server([fine, fine], { lastBackup })])).toEqual([]);
});

it("two versions at once are said, the gateway's among them", () => {
  const servers = [server([replica({}), replica({ address: "b:7102", version: "0.2.0" })])];
  expect(versionsOf(servers, gateway)).toEqual(["0.1.0", "0.2.0"]);
  expect(looks(servers)[0]).toContain("0.1.0, 0.2.0");
  expect(looks([server([replica({})])], { version: "0.2.0" })).toHaveLength(1);
});

it("what stands still, fills up or expires is said with its remedy", () => {
  const sick = replica({
    ready: false,
    needs: [
      { name: "messaging", state: "MESSAGING_UNAVAILABLE" },
      { name: "database", state: "READY" },
    ],
    disks: [{ name: "data", freeBytes: "4", sizeBytes: "100" }],
    certificates: [{ name: "tls", expireTime: "2026-12-10T12:00:00Z" }],
  });
  const backlog = { outboxCount: "9", oldestOutboxTime: "2026-11-30T11:50:00Z", deadLetterCount: "2" };
  const lastBackup = { place: "", objectCount: "0", sizeBytes: "0", encrypted: false, faultCount: "0" };
  const found = looks([server([sick], { backlog, lastBackup })], {
    version: "0.1.0",
    certificates: { https: "2026-12-01T12:00:00Z" },
  }).join("\n");
  for (const part of ["2 个事件", "9 个事件", "尚未做过备份", "MESSAGING_UNAVAILABLE", "4 B", "2026-12-10", "gateway"]) {
    expect(found).toContain(part);
  }
  expect(found).not.toContain("READY,");
});
