import { address } from "../api/client";
import { ids } from "./format";

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
