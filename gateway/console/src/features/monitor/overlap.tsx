/** Whether the data of a prediction was trained with (P7): such a report is never the version's official one. */
import { Alert, Tag } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech, type Words } from "../../i18n";
import { whole } from "../../ui/format";

type Overlap = Schemas["TrainingOverlap"];

/** The overlap is absent in reports that are older than the check. */
export function trainedWith(overlap: Overlap | undefined): "none" | "some" | "unknown" {
  if (!overlap) return "unknown";
  return Number(overlap.affectedSampleCount) > 0 ? "some" : "none";
}

function said(overlap: Overlap | undefined, t: Words): string {
  if (!overlap) return t.overlap.unknown;
  const { trainedSampleCount, sampleCount, trainedGroupCount, affectedSampleCount } = overlap;
  return t.overlap.some(
    whole(trainedSampleCount),
    whole(sampleCount),
    whole(trainedGroupCount),
    whole(affectedSampleCount),
  );
}

export function OverlapTag({ overlap }: { overlap: Overlap | undefined }): ReactNode {
  const { t } = useSpeech();
  const found = trainedWith(overlap);
  if (found === "none") return null;
  return (
    <Tag title={said(overlap, t)} {...(found === "some" ? { color: "warning" } : {})}>
      {t.overlap.tags[found]}
    </Tag>
  );
}

/** Nothing where the data is new to the version. `side` names it where there are several. */
export function OverlapAlert({ overlap, side }: { overlap: Overlap | undefined; side?: string }): ReactNode {
  const { t } = useSpeech();
  const found = trainedWith(overlap);
  if (found === "none") return null;
  return (
    <Alert
      className="span-12"
      type={found === "some" ? "warning" : "info"}
      showIcon
      title={side ? `${side}: ${said(overlap, t)}` : said(overlap, t)}
    />
  );
}
