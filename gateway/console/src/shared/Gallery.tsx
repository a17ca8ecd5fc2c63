import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { api, type Schemas } from "../api/client";
import { useSpeech } from "../i18n";
import { More } from "./More";
import { Viewer, picture } from "./Viewer";
import { percent } from "./format";
import { Answered, Nothing } from "./states";
import { usePages } from "./usePages";

export interface SampleFilter {
  trueCode?: string;
  predictedCode?: string;
  verdict?: Schemas["Verdict"];
  belowThreshold?: boolean;
}

const PAGE = 60;

/** Samples of a report as pictures, a page at a time as one scrolls; one opens at full size. */
export function Gallery({ report, filter, codes }: { report: string; filter: SampleFilter; codes: string[] }): ReactNode {
  const { t } = useSpeech();
  const [open, setOpen] = useState<number>();
  const samples = usePages(
    `samples ${report} ${JSON.stringify(filter)}`,
    async (page, signal) => {
      const answer = await api.get("/v1/reports/{report}/sampleResults", {
        path: { report },
        query: { ...page, ...filter },
        signal,
      });
      return { items: answer.results, next: answer.nextPageToken };
    },
    undefined,
    PAGE,
  );
  const end = useRef<HTMLDivElement>(null);
  const { hasMore, loading, more } = samples;
  const wanted = useRef(more);
  useEffect(() => {
    wanted.current = more;
  });
  useEffect(() => {
    if (!hasMore || loading || !end.current) return;
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) wanted.current();
    });
    seen.observe(end.current);
    return () => {
      seen.disconnect();
    };
  }, [hasMore, loading]);
  const count = samples.data?.length ?? 0;
  const step = useCallback(
    (by: 1 | -1) => {
      setOpen((before) => (before === undefined ? undefined : Math.min(count - 1, Math.max(0, before + by))));
    },
    [count],
  );
  return (
    <Answered query={samples}>
      {(all) =>
        all.length === 0 ? (
          <Nothing text={t.report.noneHere} />
        ) : (
          <>
            <div className="gallery">
              {all.map((sample, index) => (
                <button
                  key={sample.name}
                  type="button"
                  className="tile"
                  onClick={() => {
                    setOpen(index);
                  }}
                >
                  <img className="tile-picture" loading="lazy" decoding="async" src={picture(sample, "THUMBNAIL")} alt={sample.file} />
                  <span className="tile-text">
                    <strong>{sample.trueCode}</strong>
                    {sample.verdict === "VERDICT_NONCONFORMING" ? (
                      <> · {sample.reason}</>
                    ) : (
                      <>
                        {" → "}
                        <strong>{sample.predictedCode}</strong> {percent(sample.confidence)}
                      </>
                    )}
                  </span>
                </button>
              ))}
            </div>
            <div ref={end}>
              <More pages={samples} />
            </div>
            <Viewer
              sample={open === undefined ? undefined : all[open]}
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
