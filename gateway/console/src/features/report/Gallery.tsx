import { useCallback, useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { useWindowedQuery, type WindowedQuery } from "../../api/useWindowedQuery";
import { useSpeech } from "../../i18n";
import { percent } from "../../ui/format";
import { Answered, Nothing } from "../../ui/states";
import { Thumbnail, TileGrid } from "../../ui/TileGrid";
import { Viewer, picture } from "./Viewer";

type Sample = Schemas["SampleResult"];

export interface SampleFilter {
  trueCode?: string;
  predictedCode?: string;
  verdict?: Schemas["Verdict"];
  belowThreshold?: boolean;
}

export const PAGE = 120;

/** Samples of a report as pictures; one opens at full size. */
export function Gallery({
  report,
  filter,
  codes,
}: {
  report: string;
  filter: SampleFilter;
  codes: string[];
}): ReactNode {
  const samples = useWindowedQuery(
    ["reports", report, "sampleResults", filter],
    async (page, signal) => {
      const answer = await api.get("/v1/reports/{report}/sampleResults", {
        path: { report },
        query: { ...page, ...filter },
        signal,
      });
      return { items: answer.results, next: answer.nextPageToken };
    },
    PAGE,
  );
  return <Tiles samples={samples} of={(sample) => sample} codes={codes} />;
}

interface TilesProps<T> {
  samples: WindowedQuery<T>;
  of: (item: T) => Sample;
  codes: string[];
  /** Replaces the prediction in the caption of a tile. */
  note?: (item: T) => ReactNode;
}

/** Items with a sample each, as tiles, and the viewer of the opened one. */
export function Tiles<T>({ samples, of, codes, note }: TilesProps<T>): ReactNode {
  const { t } = useSpeech();
  const [open, setOpen] = useState<number>();
  const { known, show } = samples;
  const step = useCallback(
    (by: 1 | -1) => {
      setOpen((before) => {
        if (before === undefined) return undefined;
        const next = Math.min(known - 1, Math.max(0, before + by));
        show(next, next + 1);
        return next;
      });
    },
    [known, show],
  );
  const opened = open === undefined ? undefined : samples.at(open);
  return (
    <Answered query={samples}>
      {() =>
        known === 0 ? (
          <Nothing text={t.report.noneHere} />
        ) : (
          <>
            <TileGrid
              items={samples}
              onOpen={setOpen}
            >
              {(item) => <Tile sample={of(item)} note={note?.(item)} />}
            </TileGrid>
            <Viewer
              sample={opened && of(opened)}
              note={opened && note?.(opened)}
              codes={codes}
              onClose={() => {
                setOpen(undefined);
              }}
              onStep={step}
            />
          </>
        )
      }
    </Answered>
  );
}

function Tile({ sample, note }: { sample: Sample; note?: ReactNode }): ReactNode {
  return (
    <>
      <Thumbnail src={picture(sample, "THUMBNAIL")} alt={sample.file} />
      <span className="tile-text">
        <strong>{sample.trueCode}</strong>
        {note ??
          (sample.verdict === "VERDICT_NONCONFORMING" ? (
            <> · {sample.reason}</>
          ) : (
            <>
              {" → "}
              <strong>{sample.predictedCode}</strong> {percent(sample.confidence)}
            </>
          ))}
      </span>
    </>
  );
}
