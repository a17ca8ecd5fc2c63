import { startTransition, useEffect, useRef, useState } from "react";
import { address, api, type Schemas } from "../../api/client";
import { follow } from "../../api/events";
import { EMPTY, cutBack, extended, type Curve } from "./curves";

export type Network = "NETWORK_CLASSIFICATION" | "NETWORK_SEGMENTATION";

export interface LiveCurve {
  curve: Curve;
  connection: "live" | "reconnecting" | "ended" | "loading";
  /** How many points there were, where the server keeps only those that a plot shows. */
  thinnedFrom?: number;
}

const SHOWN_POINTS = 2000;
/** Dozens of points arrive in a second; the chart is drawn at most once in this time. */
const DRAWN_MS = 100;

/** JSON has no NaN: such a loss is the text "NaN", although its type is number. */
function finite(loss: number): number {
  return typeof loss === "number" ? loss : Number.NaN;
}

/** A part of a network's curve, as many points as a plot can show (M4). Attempt 0 is the present one. */
export async function readCurve(
  task: string,
  network: Network,
  attempt: number,
  range?: [number, number],
  signal?: AbortSignal,
): Promise<{ curve: Curve; attempt: number; thinnedFrom?: number }> {
  const answer = await api.get("/v1/tasks/{task}/lossCurve", {
    path: { task },
    query: {
      network,
      attempt,
      maxPoints: SHOWN_POINTS,
      ...(range ? { firstIteration: String(Math.max(0, range[0])), endIteration: String(range[1]) } : {}),
    },
    ...(signal ? { signal } : {}),
  });
  return {
    attempt: answer.attempt,
    ...(answer.thinned ? { thinnedFrom: Number(answer.totalPoints) } : {}),
    curve: {
      iterations: answer.iterations.map(Number),
      losses: answer.losses.map(finite),
      validation: answer.validation.map((point) => ({
        iteration: Number(point.iteration),
        accuracy: point.accuracy,
      })),
    },
  };
}

/** The curve so far, and every point as it is made, for as long as the task runs (M5). */
export function useLossCurve(task: string, network: Network, attempt: number, running: boolean): LiveCurve {
  const [state, setState] = useState<LiveCurve>({ curve: EMPTY, connection: "loading" });
  const held = useRef<Curve>(EMPTY);
  useEffect(() => {
    const abort = new AbortController();
    let close: () => void = () => undefined;
    let drawing = 0;
    let drawn = 0;
    let latestConnection: LiveCurve["connection"] = "loading";
    let thinned: number | undefined;
    const put = (connection: LiveCurve["connection"]) => {
      latestConnection = connection;
      drawing ||= window.setTimeout(() => {
        drawing = 0;
        drawn = performance.now();
        startTransition(() => {
          setState({
            curve: held.current,
            connection: latestConnection,
            ...(thinned === undefined ? {} : { thinnedFrom: thinned }),
          });
        });
      }, Math.max(0, drawn + DRAWN_MS - performance.now()));
    };
    void readCurve(task, network, attempt, undefined, abort.signal)
      .then(({ curve, attempt: of, thinnedFrom }) => {
        held.current = curve;
        if (!running) {
          thinned = thinnedFrom;
          put("ended");
          return;
        }
        const next = (curve.iterations.at(-1) ?? -1) + 1;
        const url = address("/v1/tasks/{task}/loss:watch", { task }, { network, cursor: `${of}:${next}` });
        close = follow<Schemas["WatchLossResponse"]>(url, "WatchLossResponse", {
          onMessage: (message) => {
            const first = Number(message.firstIteration);
            const last = held.current.iterations.at(-1) ?? -1;
            // After a fault the training goes on from its checkpoint, and the curve is cut back to it (T5).
            if (message.losses.length > 0 && first + message.losses.length - 1 < last) {
              held.current = cutBack(held.current, first);
            }
            held.current = extended(
              held.current,
              first,
              message.losses.map(finite),
              message.validation.map((point) => ({
                iteration: Number(point.iteration),
                accuracy: point.accuracy,
              })),
            );
            put("live");
          },
          onEnd: () => {
            put("ended");
          },
          onConnection: (connected) => {
            put(connected ? "live" : "reconnecting");
          },
        }).close;
      })
      .catch(() => {
        if (!abort.signal.aborted) put("ended");
      });
    return () => {
      abort.abort();
      close();
      clearTimeout(drawing);
    };
  }, [task, network, attempt, running]);
  return state;
}
