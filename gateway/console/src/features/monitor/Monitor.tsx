import { Alert } from "antd";
import { Suspense, useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { lastPart } from "../../api/names";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { deferred, whenIdle } from "../../ui/deferred";
import { Page } from "../../ui/Page";
import { Failure, Loading } from "../../ui/states";
import { FailureCard } from "./FailureCard";
import { NetworkCurve } from "./NetworkCurve";
import { OverlapAlert } from "./overlap";
import { Stages } from "./Stages";
import { taskTitle, wizardOf } from "./task";
import { TaskActions } from "./TaskActions";
import { TaskProgressCard } from "./TaskProgressCard";
import { StateTag } from "./TaskStatus";
import { useTask } from "./useTask";

// The curve comes first.
const Attempts = deferred(() => whenIdle().then(() => import("./Attempts")));
const TaskHistory = deferred(() => whenIdle().then(() => import("./TaskHistory")));

/** 训练任务监控: what one task does at this moment. */
export default function Monitor(): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { task: id = "" } = useParams();
  const { data: task, error, reload } = useTask(id);
  const [chosen, setChosen] = useState<number>();
  if (!task)
    return <Page title={t.monitor.title}>{error ? <Failure error={error} retry={reload} /> : <Loading />}</Page>;
  const attempt = chosen ?? task.attempt;
  const wizard = wizardOf(task);
  return (
    <Page
      title={taskTitle(task)}
      actions={
        <>
          <StateTag task={task} />
          {task.modelVersion && <span>{lastPart(task.modelVersion)}</span>}
          {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
          {wizard && may("ROLE_ENGINEER") && (
            <Link to={wizard}>
              {task.training?.parentVersion ? t.tasks.retrainWithAnswers : t.tasks.newWithAnswers}
            </Link>
          )}
          <TaskActions task={task} />
        </>
      }
    >
      <div className="grid">
        {task.failure && <FailureCard failure={task.failure} />}
        {task.terminator && !task.terminating && (
          <Alert
            className="span-12"
            type="info"
            showIcon
            title={t.monitor.actions.terminated(t.monitor.who(task.terminator))}
          />
        )}
        {task.recoveries > 0 && (
          <Alert className="span-12" type="warning" showIcon title={t.tasks.recovered(task.recoveries)} />
        )}
        {task.prediction && <OverlapAlert overlap={task.prediction.trainingOverlap} />}
        {task.training && <Stages task={task} attempt={task.attempt} />}
        <TaskProgressCard task={task} />
        {task.training && (
          <>
            {task.attempt > 1 && (
              <Suspense fallback={null}>
                <Attempts task={task} chosen={attempt} onChange={setChosen} />
              </Suspense>
            )}
            <NetworkCurve task={task} network="NETWORK_CLASSIFICATION" attempt={attempt} />
            {task.training.trainSegmentation && (
              <NetworkCurve task={task} network="NETWORK_SEGMENTATION" attempt={attempt} />
            )}
          </>
        )}
        <Suspense fallback={null}>
          <div className="span-12">
            <TaskHistory task={task} />
          </div>
        </Suspense>
      </div>
    </Page>
  );
}

