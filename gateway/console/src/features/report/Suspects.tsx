import type { ReactNode } from "react";
import { api } from "../../api/client";
import type { Schemas } from "../../api/client";
import { useWindowedQuery } from "../../api/useWindowedQuery";
import { useSpeech } from "../../i18n";
import { PAGE, Tiles } from "./Gallery";

/** 可疑标注: samples whose label may be wrong, the most suspect first (P4). */
export function Suspects({ report, codes }: { report: string; codes: string[] }): ReactNode {
  const { t } = useSpeech();
  const suspects = useWindowedQuery(
    ["reports", report, "suspectedLabels"],
    async (page, signal) => {
      const answer = await api.get("/v1/reports/{report}/suspectedLabels", { path: { report }, query: page, signal });
      return { items: answer.labels, next: answer.nextPageToken };
    },
    PAGE,
  );
  return (
    <>
      <p className="dim">{t.report.suspectsHint}</p>
      <Tiles
        samples={suspects}
        codes={codes}
        of={(suspect) => suspect.sample as Schemas["SampleResult"]}
        note={(suspect) => ` → ${suspect.suggestedCode}? ${t.report.suspicions[suspect.suspicion]}`}
      />
    </>
  );
}
