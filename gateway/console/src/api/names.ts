/** Resource names, such as `models/panel/versions/v3.01`, and how people read them. */

/** `v3.01` of `models/panel/versions/v3.01`. */
export function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The ids in a resource name: `["panel", "v3.01"]` of `models/panel/versions/v3.01`. */
export function ids(name: string): string[] {
  return name.split("/").filter((_, index) => index % 2 === 1);
}

/** `panel@v3.01`. */
export function shortVersion(name: string): string {
  return ids(name).join("@");
}

/** `panel@v3.01`; of a training that had no version `panel · 01jx4k`, or `panel@v3.01 · 01jx4k` since it has one. */
export function judged(of: { modelVersion: string; trainingTask: string; model: string }): string {
  const version = of.modelVersion && shortVersion(of.modelVersion);
  return of.trainingTask ? `${version || of.model} · ${lastPart(of.trainingTask)}` : version;
}

/** `panels/main` of `datasets/panels/paths/main`. */
export function shortPath(name: string): string {
  return ids(name).join("/");
}
