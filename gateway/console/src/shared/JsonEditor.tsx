import { Button } from "antd";
import { useRef, type ReactNode } from "react";
import type { Schemas } from "../api/client";
import { useSpeech } from "../i18n";
import { jsonFault } from "./json";

interface Props {
  label: string;
  value: string;
  /** What stands there while nothing is written, and comes back with a click. */
  defaults: string;
  hint: string;
  onChange: (text: string) => void;
  findings: readonly Schemas["ValidateTaskResponse_Finding"][];
  disabled?: boolean;
}

/** A JSON text with its lines numbered; the line of a fault is marked, and every fault is said under it. */
export function JsonEditor({ label, value, defaults, hint, onChange, findings, disabled }: Props): ReactNode {
  const { t, pick } = useSpeech();
  const numbers = useRef<HTMLPreElement>(null);
  const fault = jsonFault(value);
  const shown = value || defaults;
  const lines = shown.split("\n");
  const marked = new Set([...(fault ? [fault.line] : []), ...findings.map((finding) => lineOf(lines, finding.field))]);
  return (
    <div>
      <div className="row" style={{ justifyContent: "space-between" }}>
        <strong>{label}</strong>
        {value !== "" && !disabled && (
          <Button
            size="small"
            type="link"
            onClick={() => {
              onChange("");
            }}
          >
            {t.wizard.restoreDefaults}
          </Button>
        )}
      </div>
      <div className="editor">
        <pre ref={numbers} aria-hidden="true">
          {lines.map((_, index) => (
            <div key={index} className={marked.has(index + 1) ? "editor-fault" : ""}>
              {index + 1}
            </div>
          ))}
        </pre>
        <textarea
          aria-label={label}
          aria-invalid={fault !== undefined || findings.some((finding) => !finding.warning)}
          spellCheck={false}
          readOnly={disabled}
          value={shown}
          onScroll={(event) => {
            if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop;
          }}
          onChange={(event) => {
            onChange(event.target.value);
          }}
        />
      </div>
      {fault ? (
        <div role="alert" className="editor-told">
          {t.wizard.jsonError(fault.line, fault.column, fault.text)}
        </div>
      ) : (
        <small className="dim">{hint}</small>
      )}
      {!fault &&
        findings.map((finding) => (
          <div key={finding.field + finding.reason} className={finding.warning ? "editor-warned" : "editor-told"}>
            <code>{finding.field}</code> {pick(finding.message, finding.messageZh)}
          </div>
        ))}
    </div>
  );
}

/** The line that holds the last name of a field's path, such as `max_iter` of `…classification.max_iter`; 0: none. */
function lineOf(lines: readonly string[], field: string): number {
  const names = field.replace(/\[\d+\]/g, "").split(".");
  const last = names.at(-1) ?? "";
  const parent = names.at(-2) ?? "";
  const from = Math.max(
    0,
    lines.findIndex((line) => line.includes(`"${parent}"`)),
  );
  const found = lines.findIndex((line, index) => index >= from && line.includes(`"${last}"`));
  return found + 1;
}
