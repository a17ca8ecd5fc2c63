/** What pages show instead of data: loading, empty, failed, server not reachable. */
import { CloudServerOutlined } from "@ant-design/icons";
import { Alert, Button, Empty, Skeleton } from "antd";
import { Component, type ReactNode } from "react";
import type { ApiError } from "../api/client";
import { useWaiting } from "../api/reach";
import type { ApiQuery } from "../api/useApiQuery";
import { useSpeech, type Speech, type Words } from "../i18n";
import { NewBuild } from "./deferred";

export function Loading(): ReactNode {
  const { t } = useSpeech();
  const waiting = useWaiting();
  if (waiting) {
    return (
      <div className="pad">
        <Away />
      </div>
    );
  }
  return (
    <div role="status" aria-label={t.states.loading} className="pad">
      <Skeleton active paragraph={{ rows: 6 }} />
    </div>
  );
}

function Away({ action }: { action?: ReactNode }): ReactNode {
  const { t } = useSpeech();
  return <Alert type="warning" showIcon icon={<CloudServerOutlined />} title={t.states.offline} action={action} />;
}

/** The sentence for a refusal in the person's language; the server's own sentence where there is none. */
export function errorText(error: ApiError, { t, language }: Speech): string {
  if (error.status === 0) return t.states.offline;
  if (error.status === 401) return t.states.signedOut;
  const { reason = "", code = "", metadata = {} } = error.problem ?? {};
  if (language === "zh" && metadata["message_zh"]) return metadata["message_zh"];
  return (t.refusals[reason] ?? t.refusals[code])?.(metadata) ?? error.message;
}

export function Nothing({ text, children }: { text?: string; children?: ReactNode }): ReactNode {
  const { t } = useSpeech();
  return (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={text ?? t.states.emptyTitle}>
      {children}
    </Empty>
  );
}

/** Shows a failure: every violation with its field, and the trace id by which operators find the request. */
export function Failure({ error, retry }: { error: ApiError; retry?: () => void }): ReactNode {
  const speech = useSpeech();
  const { t, pick } = speech;
  const again = retry && (
    <Button size="small" onClick={retry}>
      {t.common.retry}
    </Button>
  );
  if (error.status === 404) {
    return <Alert type="error" showIcon title={t.states.notFound} description={t.states.notFoundHint} />;
  }
  if (error.status === 0) return <Away action={again} />;
  return (
    <Alert
      type="error"
      showIcon
      title={error.violations.length === 0 ? errorText(error, speech) : t.states.failed}
      description={
        <>
          {error.violations.length > 0 && (
            <ul className="faults">
              {error.violations.map((fault) => (
                <li key={`${fault.field}${fault.reason}`}>
                  {fault.field && <code>{fault.field}</code>} {pick(fault.message, fault.messageZh)}
                </li>
              ))}
            </ul>
          )}
          {error.problem?.traceId && (
            <small className="dim">
              {t.states.trace}: {error.problem.traceId}
            </small>
          )}
        </>
      }
      action={again}
    />
  );
}

/** Shows the data of a query when it has arrived; a later failure is shown above the last data. */
export function Answered<T>({ query, children }: { query: ApiQuery<T>; children: (data: T) => ReactNode }): ReactNode {
  if (query.data === undefined) {
    return query.error ? <Failure error={query.error} retry={query.reload} /> : <Loading />;
  }
  return (
    <>
      {query.error && <Failure error={query.error} retry={query.reload} />}
      {children(query.data)}
    </>
  );
}

interface BoundaryProps {
  children: ReactNode;
  words: Words["states"];
}

const RELOADED = "loupe.reloaded";
const RELOAD_ONCE_IN_MS = 30_000;

/** Limits a bug of one page to this page: the menu stays usable. */
export class Boundary extends Component<BoundaryProps, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  /** After a new build the page must be reloaded; once in 30 s, because a build without that file would never end. */
  override componentDidCatch(error: Error): void {
    const now = Date.now();
    if (!(error instanceof NewBuild) || now - Number(sessionStorage.getItem(RELOADED)) < RELOAD_ONCE_IN_MS) return;
    sessionStorage.setItem(RELOADED, String(now));
    window.location.reload();
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    const { words } = this.props;
    return (
      <main className="big" role="alert">
        <h1 className="page-title">{words.crashed}</h1>
        <p>{words.crashedHint}</p>
        <pre>{this.state.error.message}</pre>
      </main>
    );
  }
}
