import { Badge, Card, Table, Tag, Tooltip } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { readPages } from "../../api/pages";
import { useSession } from "../../api/session";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bytes, duration, time, whole } from "../../ui/format";
import { Page } from "../../ui/Page";
import { ScrollRegion } from "../../ui/ScrollRegion";
import { Answered, Nothing } from "../../ui/states";
import { titlesOf } from "../monitor";
import { Drained, DrainWorker } from "./DrainWorker";
import { Servers, StoresAndEvents } from "./Servers";
import { SigningKeys } from "./SigningKeys";
import { since } from "./since";
import { StorageCheck } from "./StorageCheck";
import { StorageQuotas } from "./StorageQuotas";

type Worker = Schemas["Worker"];
type Amounts = Schemas["Amounts"];

const INTERVAL_MS = 5000;
const PRESENCE_STATUS: Record<Worker["presence"], "success" | "processing" | "error" | "default"> = {
  WORKER_PRESENCE_UNSPECIFIED: "default",
  WORKER_PRESENCE_IDLE: "success",
  WORKER_PRESENCE_BUSY: "processing",
  WORKER_PRESENCE_GONE: "error",
};

/** 系统: every replica of the servers, what they stand on, who works on what, what waits (T4), who stores what. */
export default function System(): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  return (
    <Page title={t.system.title} actions={<a href="/docs">{t.system.interface}</a>}>
      <div className="grid">
        <Servers />
        <Queue />
        <Workers />
        <StoresAndEvents />
        <StorageQuotas />
        <SigningKeys />
        {may("ROLE_ADMIN") && <StorageCheck />}
      </div>
    </Page>
  );
}

/** `1/2 CPU · 3.0/4 GiB`: what is taken, or free, of all there is. */
function Share({ part, all }: { part: Amounts | undefined; all: Amounts | undefined }): ReactNode {
  const { t } = useSpeech();
  const figures = [
    ...(all?.gpus ? [`${part?.gpus ?? 0}/${all.gpus} ${t.wizard.gpus}`] : []),
    `${part?.cpus ?? 0}/${all?.cpus ?? 0} ${t.wizard.cpus}`,
    `${bytes(Number(part?.memoryBytes ?? 0))} / ${bytes(Number(all?.memoryBytes ?? 0))}`,
  ];
  return figures.join(" · ");
}

function Queue(): ReactNode {
  const { t, language } = useSpeech();
  const queue = useApiQuery(["queue"], (signal) => api.get("/v1/queue", { signal }), { intervalMs: INTERVAL_MS });
  const reasons: Record<string, string> = t.system.reasons;
  return (
    <Card size="small" className="span-12" title={t.system.queue} extra={<Link to="/tasks">{t.nav.tasks}</Link>}>
      <Answered query={queue}>
        {({ resources }) =>
          resources.length === 0 ? (
            <Nothing text={t.system.nothingQueued} />
          ) : (
            <ScrollRegion label={t.system.queue}>
              <Table<Schemas["ResourceQueue"]>
                size="small"
                rowKey="computeResource"
                pagination={false}
                dataSource={resources}
                columns={[
                  { title: t.system.resource, render: (_, one) => lastPart(one.computeResource) },
                  { title: t.system.workers, align: "right", render: (_, one) => whole(one.workerCount) },
                  { title: t.system.running, align: "right", render: (_, one) => whole(one.runningCount) },
                  {
                    title: t.system.taken,
                    render: (_, one) => (one.workerCount > 0 ? <Share part={one.taken} all={one.capacity} /> : "—"),
                  },
                  { title: t.system.waiting, align: "right", render: (_, one) => whole(one.waitingCount) },
                  {
                    title: t.system.why,
                    render: (_, one) =>
                      one.waiting.map(({ reason, count }) => (
                        <Tag key={reason} color={reason === "ALL_WORKERS_BUSY" ? "default" : "warning"}>
                          {whole(count)} × {reasons[reason] ?? reason}
                        </Tag>
                      )),
                  },
                  {
                    title: t.system.oldest,
                    render: (_, one) => (
                      <Tooltip title={time(one.oldestWaitTime, language)}>
                        {duration(since(one.oldestWaitTime), language)}
                      </Tooltip>
                    ),
                  },
                ]}
              />
            </ScrollRegion>
          )
        }
      </Answered>
    </Card>
  );
}

async function readWorkers(signal: AbortSignal): Promise<{ workers: Worker[]; titles: Map<string, string> }> {
  const { items: workers } = await readPages(Infinity, async (query) => {
    const answer = await api.get("/v1/workers", { query, signal });
    return { items: answer.workers, next: answer.nextPageToken };
  });
  const held = new Set(workers.flatMap((worker) => worker.leases.map((lease) => lease.task)));
  if (held.size === 0) return { workers, titles: new Map() };
  return {
    workers,
    titles: await titlesOf(["TASK_STATE_TRAINING", "TASK_STATE_PREDICTING", "TASK_STATE_PACKAGING"], signal),
  };
}

function Workers(): ReactNode {
  const { t, language } = useSpeech();
  const found = useApiQuery(["workers"], readWorkers, { intervalMs: INTERVAL_MS });
  return (
    <Card size="small" className="span-12" title={t.system.workers}>
      <Answered query={found}>
        {({ workers, titles }) =>
          workers.length === 0 ? (
            <Nothing text={t.system.noWorkers} />
          ) : (
            <ScrollRegion label={t.system.workers}>
              <Table<Worker>
                size="small"
                rowKey="name"
                pagination={false}
                dataSource={workers}
                columns={[
                  {
                    title: t.system.worker,
                    render: (_, worker) => (
                      <>
                        {lastPart(worker.name)}
                        <br />
                        <small className="dim">{worker.kinds.map((kind) => t.system.kinds[kind]).join(" · ")}</small>
                      </>
                    ),
                  },
                  {
                    title: t.common.state,
                    render: (_, worker) => (
                      <>
                        <Badge status={PRESENCE_STATUS[worker.presence]} text={t.system.presence[worker.presence]} />
                        {worker.drainTime && (
                          <>
                            <br />
                            <Badge status="warning" text={<Drained worker={worker} />} />
                          </>
                        )}
                      </>
                    ),
                  },
                  { title: t.system.resource, render: (_, worker) => worker.computeResources.map(lastPart).join(", ") },
                  {
                    title: t.system.holds,
                    render: (_, worker) =>
                      worker.leases.length === 0
                        ? "—"
                        : worker.leases.map((lease) => (
                            <div key={lease.job}>
                              <Link to={`/tasks/${lastPart(lease.task)}`}>
                                {titles.get(lease.task) ?? lastPart(lease.task)}
                              </Link>{" "}
                              <small className="dim">
                                {t.system.kinds[lease.kind]} · {duration(since(lease.startTime), language)}
                              </small>
                            </div>
                          )),
                  },
                  { title: t.system.free, render: (_, worker) => <Share part={worker.free} all={worker.capacity} /> },
                  {
                    title: t.system.heard,
                    render: (_, worker) => (
                      <Tooltip title={`${t.system.started}: ${time(worker.startTime, language)}`}>
                        {t.system.ago(duration(since(worker.heardTime), language))}
                      </Tooltip>
                    ),
                  },
                  {
                    title: t.system.version,
                    render: (_, worker) => (
                      <>
                        {worker.version || "—"}
                        <br />
                        <small className="dim">{worker.torchVersion && `torch ${worker.torchVersion}`}</small>
                      </>
                    ),
                  },
                  { title: t.system.device, render: (_, worker) => worker.device || "—" },
                  { title: t.common.actions, render: (_, worker) => <DrainWorker worker={worker} /> },
                ]}
              />
            </ScrollRegion>
          )
        }
      </Answered>
    </Card>
  );
}
