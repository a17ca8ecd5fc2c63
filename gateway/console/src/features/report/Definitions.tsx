import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";

type Report = Schemas["Report"];

export function Definitions({ report }: { report: Report }): ReactNode {
  const { pick } = useSpeech();
  return (
    <dl>
      {report.definitions.map((definition) => (
        <div key={definition.id}>
          <dt>
            <strong>{pick(definition.term, definition.termZh)}</strong>
          </dt>
          <dd style={{ marginInlineStart: 0, marginBottom: 6 }}>{pick(definition.meaning, definition.meaningZh)}</dd>
        </div>
      ))}
    </dl>
  );
}
