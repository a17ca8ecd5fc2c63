import { Button, Card, Popconfirm } from "antd";
import { useState, type ReactNode } from "react";
import { useSearchParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { wizardWords } from "../../i18n/wizard";
import { time } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Failure, Loading } from "../../ui/states";
import { useAction } from "../../ui/useAction";
import { draftId, draftStore, keptOf, type Draft, type Kept } from "./drafts";
import { answersOf, retrainingSpec, type Spec } from "./wizard";
import { Wizard } from "./Wizard";

const FIRST: Spec = {
  modelName: "",
  algorithmImageVersion: "",
  dataPaths: [],
  // A proposal, which the last two steps show; the service's own defaults are neither filter nor augmentation.
  preprocessing: {
    trainFraction: 0.8,
    filterResolution: true,
    augmentations: ["AUGMENTATION_COLOUR", "AUGMENTATION_FLIP"],
  },
};

/**
 * 新建模型: four steps and a summary, from the start, from the answers of a version (W13) or of a training that made
 * none, or from a draft (W14).
 */
export default function NewModel(): ReactNode {
  const [search] = useSearchParams();
  const parent = search.get("parent") ?? "";
  const task = search.get("task") ?? "";
  // A draft that another window has kept is read anew.
  const [round, setRound] = useState(0);
  return (
    <Beginning
      key={`${parent} ${task} ${round}`}
      parent={parent}
      task={task}
      onAgain={() => { setRound(round + 1); }}
    />
  );
}

/** Reads what the wizard may begin with. What fails or changes later takes no answer from the screen. */
function Beginning({ parent, task, onAgain }: { parent: string; task: string; onAgain: () => void }): ReactNode {
  const { t } = useSpeech();
  const id = draftId(parent);
  const retraining = useApiQuery(
    ["models", parent, "draftRetraining"],
    (signal) => {
      const [model = "", version = ""] = ids(parent);
      return api.get("/v1/models/{model}/versions/{version}:draftRetraining", { path: { model, version }, signal });
    },
    { enabled: parent !== "", forget: true },
  );
  const former = useApiQuery(
    ["tasks", task, "answers"],
    (signal) => api.get("/v1/tasks/{task}", { path: { task }, signal }),
    { enabled: task !== "", forget: true },
  );
  const draft = useApiQuery(
    ["drafts", id],
    (signal) => api.get("/v1/drafts/{draft}", { path: { draft: id }, signal }),
    { forget: true },
  );
  const title = parent ? t.wizard.retrainTitle(shortVersion(parent)) : t.wizard.title;
  const failed = [retraining, former, draft].find((query) => query.error && !query.data);
  if (failed?.error) {
    return (
      <Page title={title}>
        <Failure error={failed.error} retry={failed.reload} />
      </Page>
    );
  }
  if (!draft.data || (parent && !retraining.data) || (task && !former.data)) return <Loading />;
  return (
    <Opened
      title={title}
      parent={parent}
      found={draft.data}
      retraining={retraining.data}
      former={former.data?.training}
      onAgain={onAgain}
    />
  );
}

interface OpenedProps {
  title: string;
  parent: string;
  found: Draft;
  retraining: Schemas["DraftRetrainingResponse"] | undefined;
  /** Of the training whose answers are taken. */
  former: Schemas["TrainingSpec"] | undefined;
  onAgain: () => void;
}

/** The wizard; where there is a draft, once somebody has chosen what to begin with. */
function Opened({ title, parent, found, retraining, former, onAgain }: OpenedProps): ReactNode {
  /** Decided once: what is read again later is what this page has kept. */
  const [begun, setBegun] = useState<{ etag: string; kept: Kept | undefined } | undefined>(() =>
    keptOf(found) ? undefined : { etag: "", kept: undefined },
  );
  if (!begun) {
    return (
      <DraftFound
        draft={found}
        title={title}
        ofTask={former !== undefined}
        onResume={() => { setBegun({ etag: found.etag, kept: keptOf(found) }); }}
        onRestart={() => { setBegun({ etag: "", kept: undefined }); }}
      />
    );
  }
  const ofParent = retraining?.task?.training ? retrainingSpec(retraining.task.training) : FIRST;
  const pristine = former ? answersOf(former) : ofParent;
  return (
    <Wizard
      start={begun.kept ? retrainingSpec(begun.kept.training) : pristine}
      firstStep={begun.kept?.step ?? 0}
      pristine={pristine}
      locked={retraining?.lockedDataPaths ?? []}
      parent={parent}
      draft={{ id: draftId(parent), etag: begun.etag }}
      onTakeOther={onAgain}
    />
  );
}

/** 继续草稿 or 重新开始. */
function DraftFound({
  draft,
  title,
  ofTask,
  onResume,
  onRestart,
}: {
  draft: Draft;
  title: string;
  /** Whether starting over is with the answers of a training. */
  ofTask: boolean;
  onResume: () => void;
  onRestart: () => void;
}): ReactNode {
  const { t, language } = useSpeech();
  const words = wizardWords[language];
  const act = useAction();
  const step = [...t.wizard.steps, words.title][draft.step - 1] ?? "";
  return (
    <Page title={title}>
      <Card size="small" title={words.draftFound}>
        <p>{words.draftOf(draft.training?.modelName ?? "", step, time(draft.updateTime ?? undefined, language))}</p>
        <div className="row">
          <Button type="primary" onClick={onResume}>
            {words.resume}
          </Button>
          <Popconfirm
            title={words.restartSure}
            onConfirm={async () => {
              if (await act(() => draftStore(lastPart(draft.name)).remove())) onRestart();
            }}
          >
            <Button>{ofTask ? words.restartOfTask : words.restart}</Button>
          </Popconfirm>
        </div>
      </Card>
    </Page>
  );
}
