import { address, api, type Schemas } from "./client";
import { firstOf } from "./firstOf";
import { ids } from "./names";

/** The address of a sample's bytes, or of its small picture. */
export function sampleAddress(dataPath: string, sample: string, thumbnail = false): string {
  const [dataset = "", path = ""] = ids(dataPath);
  const [code = "", file = ""] = sample.split("/");
  return address(
    "/v1/datasets/{dataset}/paths/{path}/samples/{sample}/{file}",
    { dataset, path, sample: code, file },
    thumbnail ? { thumbnail: true } : {},
  );
}

/** All data paths of a dataset; `-` is every dataset. */
export async function everyPath(dataset: string, signal: AbortSignal): Promise<Schemas["DataPath"][]> {
  const { items } = await firstOf(Infinity, async (query) => {
    const answer = await api.get("/v1/datasets/{dataset}/paths", { path: { dataset }, query, signal });
    return { items: answer.dataPaths, next: answer.nextPageToken };
  });
  return items;
}
