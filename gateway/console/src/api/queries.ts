/** Queries that several features share. */
import { address, api, type Schemas } from "./client";
import { ids } from "./names";
import { LARGEST_PAGE, readPages } from "./pages";
import { useApiQuery, type ApiQuery } from "./useApiQuery";

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
export async function readDataPaths(dataset: string, signal: AbortSignal): Promise<Schemas["DataPath"][]> {
  const { items } = await readPages(Infinity, async (query) => {
    const answer = await api.get("/v1/datasets/{dataset}/paths", { path: { dataset }, query, signal });
    return { items: answer.dataPaths, next: answer.nextPageToken };
  });
  return items;
}

export function useDataPaths(dataset = "-"): ApiQuery<Schemas["DataPath"][]> {
  return useApiQuery(["dataPaths", dataset], (signal) => readDataPaths(dataset, signal));
}

export function useEnvironments(): ApiQuery<Schemas["ProductionEnvironment"][]> {
  return useApiQuery(["productionEnvironments"], async (signal) => {
    const answer = await api.get("/v1/productionEnvironments", { query: { pageSize: LARGEST_PAGE }, signal });
    return answer.productionEnvironments;
  });
}

export function useComputeResources(): ApiQuery<Schemas["ComputeResource"][]> {
  return useApiQuery(["computeResources"], async (signal) => {
    const answer = await api.get("/v1/computeResources", { query: { pageSize: LARGEST_PAGE }, signal });
    return answer.computeResources;
  });
}

export function useAlgorithmImages(): ApiQuery<Schemas["AlgorithmImage"][]> {
  return useApiQuery(["algorithmImages"], async (signal) => {
    const answer = await api.get("/v1/algorithmImages", { query: { pageSize: LARGEST_PAGE }, signal });
    return answer.algorithmImages;
  });
}

/** The newest versions of an algorithm image, as many as one page has; nothing while `image` is empty. */
export function useAlgorithmImageVersions(image: string): ApiQuery<Schemas["AlgorithmImageVersion"][]> {
  return useApiQuery(
    ["algorithmImages", image, "versions"],
    async (signal) => {
      const answer = await api.get("/v1/algorithmImages/{algorithmImage}/versions", {
        path: { algorithmImage: image },
        signal,
      });
      return answer.versions;
    },
    { enabled: image !== "" },
  );
}

/** What datasets and users store, and their limits. */
export function useStorageQuotas(): ApiQuery<Schemas["StorageQuota"][]> {
  return useApiQuery(["storageQuotas"], async (signal) => {
    const { items } = await readPages(Infinity, async (query) => {
      const answer = await api.get("/v1/storageQuotas", { query, signal });
      return { items: answer.storageQuotas, next: answer.nextPageToken };
    });
    return items;
  });
}
