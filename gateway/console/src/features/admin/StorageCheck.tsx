import { Alert, Button, Card, Table, Tag } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { Problem, Schemas } from "../../api/client";
import { follow, type Stream } from "../../api/events";
import { lastPart } from "../../api/names";
import { useSpeech } from "../../i18n";
import { whole } from "../../ui/format";

type Answer = Schemas["CheckStorageResponse"];
type Finding = Schemas["StorageFinding"];

const SERVERS = ["registry", "scheduler", "evaluator"] as const;
const HARMLESS: readonly Finding["kind"][] = ["KIND_ORPHAN", "KIND_NOT_PUBLISHED"];

interface Progress {
  counts?: Answer;
  findings: Finding[];
  ended: boolean;
  problem?: Problem;
}

const BEGUN: Progress = { findings: [], ended: false };

/** 存储检查: whether every object that a row names is there, and every event. It runs while this page is open. */
export function StorageCheck(): ReactNode {
  const { t, pick } = useSpeech();
  const [servers, setServers] = useState<Record<string, Progress>>();
  const streams = useRef<Stream[]>([]);
  const stop = () => {
    for (const stream of streams.current) stream.close();
  };
  useEffect(() => stop, []);
  const begin = () => {
    stop();
    setServers(Object.fromEntries(SERVERS.map((server) => [server, BEGUN])));
    streams.current = SERVERS.map((server) => {
      const change = (next: (before: Progress) => Progress) => {
        setServers((all) => ({ ...all, [server]: next(all?.[server] ?? BEGUN) }));
      };
      return follow<Answer>(`/v1/servers/${server}:checkStorage`, "CheckStorageResponse", {
        onMessage: (counts) => {
          change((before) => ({ ...before, counts, findings: [...before.findings, ...counts.findings] }));
        },
        onProblem: (problem) => {
          change((before) => ({ ...before, problem }));
        },
        onEnd: () => {
          change((before) => ({ ...before, ended: true }));
        },
        // A broken check does not go on where it was: it begins anew, and so do its findings.
        onConnection: (connected) => {
          if (!connected) change(() => BEGUN);
        },
      });
    });
  };
  const all = Object.values(servers ?? {});
  const sum = (of: (counts: Answer) => string) =>
    all.reduce((total, { counts }) => total + Number(counts ? of(counts) : 0), 0);
  const running = all.some(({ ended }) => !ended);
  const problems = all.flatMap(({ problem }) => problem ?? []);
  const lost = sum(({ lostCount }) => lostCount);
  const objectCount = sum((counts) => counts.objectCount);
  const eventCount = sum((counts) => counts.eventCount);
  const told = t.system.checked(whole(objectCount), whole(eventCount), whole(lost));
  const verdict = problems.length > 0 || lost > 0 ? "error" : running ? "info" : "success";
  return (
    <Card
      size="small"
      className="span-12"
      title={t.system.storage}
      extra={
        <Button size="small" loading={running} onClick={begin}>
          {t.system.check}
        </Button>
      }
    >
      {servers && <Alert type={verdict} title={told} />}
      {problems.map((problem) => (
        <Alert key={problem.detail} type="error" title={problem.detail} />
      ))}
      {all.some(({ findings }) => findings.length > 0) && (
        <Table<Finding>
          size="small"
          rowKey={({ kind, subject }) => `${kind} ${subject}`}
          pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
          scroll={{ x: "max-content" }}
          dataSource={all.flatMap(({ findings }) => findings)}
          columns={[
            {
              title: t.common.state,
              render: (_, { kind }) => (
                <Tag color={HARMLESS.includes(kind) ? "default" : "error"}>{t.system.findings[kind]}</Tag>
              ),
            },
            { title: t.system.subject, dataIndex: "subject" },
            {
              title: t.system.namedBy,
              render: (_, { resource }) => (resource ? <span title={resource}>{lastPart(resource)}</span> : "—"),
            },
            { title: t.system.cure, render: (_, { cure, cureZh }) => pick(cure, cureZh) },
          ]}
        />
      )}
    </Card>
  );
}
