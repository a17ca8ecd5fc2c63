/** What every page shows while it has nothing to show: loading, nothing there, failed, away. */
import { CloudServerOutlined } from "@ant-design/icons";
import { Alert, Button, Empty, Skeleton } from "antd";
import { Component, type ReactNode } from "react";
import type { ApiError } from "../api/client";
import type { Query } from "../api/useQuery";
import { useSpeech } from "../i18n";

export function Loading(): ReactNode {
  const { t } = useSpeech();
  return (
    <div role="status" aria-label={t.states.loading} className="pad">
      <Skeleton active paragraph={{ rows: 6 }} />
    </div>
  );
}

export function Nothing({ text, children }: { text?: string; children?: ReactNode }): ReactNode {
  const { t } = useSpeech();
  return (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={text ?? t.states.emptyTitle}>
      {children}
    </Empty>
  );
}

/** A failure in words: each fault with its field, and the trace that an operator finds the request by. */
export function Failure({ error, retry }: { error: ApiError; retry?: () => void }): ReactNode {
  const { t, pick } = useSpeech();
  const again = retry && (
    <Button size="small" onClick={retry}>
      {t.common.retry}
    </Button>
  );
  if (error.status === 404) {
    return <Alert type="error" showIcon title={t.states.notFound} description={t.states.notFoundHint} />;
  }
  if (error.status === 0) {
    return <Alert type="warning" showIcon icon={<CloudServerOutlined />} title={t.states.offline} action={again} />;
  }
  return (
    <Alert
      type="error"
      showIcon
      title={error.violations.length === 0 ? error.message : t.states.failed}
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

/** The data of a query once it is there; a failure later stands above what was there before. */
export function Answered<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }): ReactNode {
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
  title: string;
  hint: string;
}

/** Keeps a bug of one page from taking the menu with it. */
export class Boundary extends Component<BoundaryProps, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    return (
      <main className="big" role="alert">
        <h1 className="page-title">{this.props.title}</h1>
        <p>{this.props.hint}</p>
        <pre>{this.state.error.message}</pre>
      </main>
    );
  }
}
