/** What a prediction judges: a version, or a completed training that is not released (P1). */
import { judged, shortVersion } from "../../api/names";
import type { Task } from "../monitor";

/** The field of a prediction that names it. */
export function judgedField(name: string): { modelVersion: string } | { trainingTask: string } {
  return name.startsWith("tasks/") ? { trainingTask: name } : { modelVersion: name };
}

interface Choice {
  value: string;
  label: string;
}

/** The choices of a list, in two groups; `chosen`, a version, is one of them. */
export function judgedChoices(
  versions: readonly string[],
  trainings: readonly Task[],
  titles: { versions: string; trainings: string },
  chosen: string,
): { label: string; options: Choice[] }[] {
  const all = chosen && !versions.includes(chosen) ? [chosen, ...versions] : versions;
  return [
    { label: titles.versions, options: all.map((name) => ({ value: name, label: shortVersion(name) })) },
    {
      label: titles.trainings,
      options: trainings.map(({ name, training }) => ({
        value: name,
        label: judged({ modelVersion: "", trainingTask: name, model: training?.modelName ?? "" }),
      })),
    },
  ].filter(({ options }) => options.length > 0);
}
