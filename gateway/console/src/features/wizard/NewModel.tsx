import type { ReactNode } from "react";
import { useSearchParams } from "react-router";
import { api } from "../../api/client";
import { ids, shortVersion } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { Page } from "../../ui/Page";
import { Failure, Loading } from "../../ui/states";
import { retrainingSpec, type Spec } from "./wizard";
import { Wizard } from "./Wizard";

const FIRST: Spec = {
  modelName: "",
  algorithmImageVersion: "",
  dataPaths: [],
  preprocessing: {
    trainFraction: 0.8,
    filterResolution: true,
    augmentations: ["AUGMENTATION_COLOUR", "AUGMENTATION_FLIP"],
  },
};

/** 新建模型: four steps, each checked by the servers before the next; or a version's answers to change (W). */
export default function NewModel(): ReactNode {
  const { t } = useSpeech();
  const [search] = useSearchParams();
  const parent = search.get("parent") ?? "";
  const draft = useApiQuery(
    ["models", parent, "draftRetraining"],
    (signal) => {
      const [model = "", version = ""] = ids(parent);
      return api.get("/v1/models/{model}/versions/{version}:draftRetraining", { path: { model, version }, signal });
    },
    { enabled: parent !== "", forget: true },
  );
  if (draft.error) {
    return (
      <Page title={t.wizard.retrainTitle(shortVersion(parent))}>
        <Failure error={draft.error} retry={draft.reload} />
      </Page>
    );
  }
  if (parent && !draft.data) return <Loading />;
  return (
    <Wizard
      key={parent}
      start={draft.data?.task?.training ? retrainingSpec(draft.data.task.training) : FIRST}
      locked={draft.data?.lockedDataPaths ?? []}
      parent={parent}
    />
  );
}

