import { useMemo, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { percent } from "../../ui/format";
import { rows } from "./confusion";

type Report = Schemas["Report"];

export function Confusion({
  report,
  onCell,
}: {
  report: Report;
  onCell: (truth: string, predicted: string) => void;
}): ReactNode {
  const { t } = useSpeech();
  const lines = useMemo(() => rows(report.codeList, report.confusion?.counts ?? []), [report]);
  return (
    <div style={{ overflow: "auto" }}>
      <p className="dim">{t.report.confusionHint}</p>
      <table className="matrix">
        <thead>
          <tr>
            <td />
            {report.codeList.map((code) => (
              <th key={code} scope="col">
                {code}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line[0]?.truth}>
              <th scope="row">{line[0]?.truth}</th>
              {line.map((cell) => (
                <td
                  key={cell.predicted}
                  style={{
                    background: cell.count
                      ? `rgba(${cell.right ? "56,158,13" : "207,19,34"},${(0.12 + 0.5 * cell.share).toFixed(2)})`
                      : undefined,
                  }}
                >
                  <button
                    type="button"
                    className="cell"
                    disabled={cell.count === 0}
                    title={
                      `${t.report.truth} ${cell.truth} → ${t.report.predicted} ${cell.predicted}: ` +
                      `${cell.count} (${percent(cell.share)})`
                    }
                    onClick={() => {
                      onCell(cell.truth, cell.predicted);
                    }}
                  >
                    {cell.count}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
