import { Button } from "antd";
import { Suspense, type ReactNode } from "react";
import type { Schemas } from "../api/client";
import { useSpeech } from "../i18n";
import { useAppearance } from "./appearance";
import { deferred } from "./deferred";
import { jsonFault, type KnownKey, pathOf } from "./json";
import { Loading } from "./states";

const CodeEditor = deferred(() => import("./CodeEditor"));

interface Props {
  label: string;
  value: string;
  /** The text that the button restores. */
  defaults: string;
  hint: string;
  onChange: (text: string) => void;
  findings: readonly Schemas["ValidateTaskResponse_Finding"][];
  /** Keys that completion offers. */
  known?: ReadonlyMap<string, KnownKey>;
  disabled?: boolean;
  /** More buttons. */
  actions?: ReactNode;
}

const NOTHING: ReadonlyMap<string, KnownKey> = new Map();

/** An editor for a JSON text (W3a). Faults are marked in their lines and listed below the text. */
export function JsonEditor({
  label,
  value,
  defaults,
  hint,
  onChange,
  findings,
  known,
  disabled,
  actions,
}: Props): ReactNode {
  const { t, pick } = useSpeech();
  const { dark } = useAppearance();
  const fault = jsonFault(value);
  const malformed = fault && t.wizard.jsonError(fault.line, fault.column, t.wizard.jsonFaults[fault.kind]);
  const faultText = value.trim() ? malformed : t.wizard.emptyParams;
  return (
    <div>
      <div className="row" style={{ justifyContent: "space-between", minHeight: 24 }}>
        <strong>{label}</strong>
        {!disabled && (
          <div className="row">
            {value !== defaults && (
              <Button
                size="small"
                type="link"
                onClick={() => {
                  onChange(defaults);
                }}
              >
                {t.wizard.restoreDefaults}
              </Button>
            )}
            {actions}
          </div>
        )}
      </div>
      <div className="editor">
        <Suspense fallback={<Loading />}>
          <CodeEditor
            label={label}
            value={value}
            onChange={onChange}
            readOnly={disabled ?? false}
            dark={dark}
            fault={faultText}
            diagnostics={findings.map((finding) => ({
              path: pathOf(finding.field),
              message: pick(finding.message, finding.messageZh),
              warning: finding.warning,
            }))}
            known={known ?? NOTHING}
          />
        </Suspense>
      </div>
      {faultText ? (
        <div role="alert" className="editor-told">
          {faultText}
        </div>
      ) : (
        <small className="dim">{hint}</small>
      )}
      {!faultText &&
        findings
          .filter((finding) => !finding.warning)
          .map((finding) => (
            <div key={finding.field + finding.reason} className="editor-told">
              <code>{finding.field}</code> {pick(finding.message, finding.messageZh)}
            </div>
          ))}
    </div>
  );
}
