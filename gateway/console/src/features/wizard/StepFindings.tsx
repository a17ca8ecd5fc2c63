import { Alert, Button, Checkbox } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { acknowledgement, identity, isConfirmed, type Finding, type Spec } from "./wizard";

interface Props {
  /** By step; without a title those of the step that is looked at. */
  found: readonly { step: number; title?: string; findings: readonly Finding[] }[];
  spec: Spec;
  confirmed: ReadonlySet<string>;
  onConfirm: (finding: Finding, confirmed: boolean) => void;
  onGo: (step: number) => void;
}

/** What the servers found: faults, and warnings with a box each to confirm that they were read (W4, W14). */
export function StepFindings({ found, spec, confirmed, onConfirm, onGo }: Props): ReactNode {
  const { t, pick } = useSpeech();
  const all = found.flatMap(({ findings }) => findings);
  const open = all.some((finding) => finding.warning && !isConfirmed(finding, spec, confirmed));
  return (
    <>
      {found
        .filter(({ findings }) => findings.length)
        .map(({ step, title, findings }) => (
          <section key={step} aria-label={title} className="step-findings">
            {title && (
              <Button type="link" size="small" onClick={() => { onGo(step); }}>
                {title}
              </Button>
            )}
            {findings.map((finding) => (
              <Alert
                key={identity(finding)}
                type={finding.warning ? "warning" : "error"}
                showIcon
                title={pick(finding.message, finding.messageZh)}
                description={
                  <>
                    <code>{finding.field}</code>
                    {finding.warning && (
                      <div>
                        <Checkbox
                          checked={isConfirmed(finding, spec, confirmed)}
                          onChange={(event) => {
                            onConfirm(finding, event.target.checked);
                          }}
                        >
                          {acknowledgement(finding) === "acknowledgeMissingTrainingPaths"
                            ? t.wizard.acknowledge
                            : t.wizard.confirm}
                        </Checkbox>
                      </div>
                    )}
                  </>
                }
              />
            ))}
          </section>
        ))}
      {open && (
        <div role="status" className="to-confirm">
          {t.wizard.confirmFirst}
        </div>
      )}
    </>
  );
}
