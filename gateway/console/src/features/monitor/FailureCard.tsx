import { Alert } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";

export function FailureCard({ failure }: { failure: Schemas["Failure"] }): ReactNode {
  const { t, pick } = useSpeech();
  const colon = pick(": ", "：");
  return (
    <Alert
      className="span-12"
      type="error"
      showIcon
      title={`${t.monitor.failure}${colon}${pick(failure.message, failure.messageZh)}`}
      description={
        <>
          {failure.remedy && (
            <p>
              {t.monitor.remedy}
              {colon}
              {pick(failure.remedy, failure.remedyZh)}
            </p>
          )}
          <p>
            <code>{failure.code}</code>
          </p>
          {failure.logTail && (
            <pre
              className="log"
              style={{ height: "auto", maxHeight: 200 }}
              tabIndex={0}
              role="region"
              aria-label={t.monitor.log}
            >
              {failure.logTail}
            </pre>
          )}
        </>
      }
    />
  );
}
