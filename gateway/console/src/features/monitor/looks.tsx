/** Of which look at the validation split the weights of a training are (E4). */
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech, type Words } from "../../i18n";
import { percent, whole } from "../../ui/format";
import type { Curve } from "./curves";

type NetworkLooks = Schemas["NetworkLooks"];

/** The best look so far: of equal ones the first. */
export function bestOf(validation: Curve["validation"]): Curve["validation"][number] | undefined {
  return validation.reduce<Curve["validation"][number] | undefined>(
    (best, point) => (best && best.accuracy >= point.accuracy ? best : point),
    undefined,
  );
}

/** What became of the looks at a network once it was trained. */
export function told(looks: NetworkLooks, metric: "accuracy" | "iou", t: Words): string {
  const [last, most] = [whole(looks.lastIteration), whole(looks.maxIteration)];
  if (looks.bestScore === undefined) return t.looks.unjudged(last, most);
  const score = `${t.looks[metric]} ${percent(looks.bestScore)}`;
  const weights = t.looks.weights(whole(looks.bestIteration), most, score);
  const isLast = looks.bestIteration === looks.lastIteration;
  const chosen = isLast
    ? t.looks.lastIsBest(weights, looks.lookCount)
    : looks.lastScore === looks.bestScore
      ? t.looks.firstOfBest(weights, looks.lookCount)
      : t.looks.best(weights, looks.lookCount, percent(looks.lastScore));
  const endedEarly = Number(looks.lastIteration) < Number(looks.maxIteration);
  return endedEarly ? chosen + t.looks.early(last, looks.looksSinceBest) : chosen;
}

/** A line a network; nothing where it is not known. */
export function Looks({ looks }: { looks: Schemas["TrainingLooks"] | undefined }): ReactNode {
  const { t } = useSpeech();
  const networks = [
    [t.networks.NETWORK_CLASSIFICATION, "accuracy", looks?.classification],
    [t.networks.NETWORK_SEGMENTATION, "iou", looks?.segmentation],
  ] as const;
  return networks.map(
    ([name, metric, of]) =>
      of && (
        <div key={name}>
          {t.looks.of(name)}
          {told(of, metric, t)}
        </div>
      ),
  );
}
