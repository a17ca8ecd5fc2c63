"""TaskService, JobService and QueueService: translate, call, translate."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import empty_pb2
from loupe.errors import InvalidArgument
from loupe.scheduler.v1 import (
    job_service_pb2,
    job_service_pb2_grpc,
    queue_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
    task_pb2,
    task_service_pb2,
    task_service_pb2_grpc,
)

from services.kit.auth import Role, current_principal
from services.kit.grpc_server import Service
from services.kit.paging import as_tuple, key_of, size_of, token_of
from services.scheduler.application.exporting import Exports
from services.scheduler.application.fleet import FleetView
from services.scheduler.application.leases import Leases
from services.scheduler.application.parts import Parts
from services.scheduler.application.reporting import Reporting
from services.scheduler.application.submitting import Submissions
from services.scheduler.application.watching import Watches
from services.scheduler.application.wishes import Wishes
from services.scheduler.domain.listing import TaskView
from services.scheduler.domain.task import Caller
from services.scheduler.wire import jobs, queue, tasks
from services.scheduler.wire.values import id_of, seconds_of, timestamp

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_WAIT_S = 30.0


class TaskServicer(task_service_pb2_grpc.TaskServiceServicer):
    """For people and machines that act for them."""

    def __init__(self, parts: Parts) -> None:
        self._submissions = Submissions(parts)
        self._wishes = Wishes(parts)
        self._exports = Exports(parts)
        self._watches = Watches(parts, self._wishes)

    async def CreateTask(self, request: task_service_pb2.CreateTaskRequest, _: Context) -> task_pb2.Task:  # noqa: N802, D102
        task = await self._submissions.create(
            tasks.request(request.task),
            _caller(),
            request_id=request.request_id,
            validate_only=request.validate_only,
        )
        return tasks.task(TaskView(task) if request.validate_only else await self._wishes.get(task.id))

    async def ValidateTask(  # noqa: N802, D102
        self, request: task_service_pb2.ValidateTaskRequest, _: Context
    ) -> task_service_pb2.ValidateTaskResponse:
        if not 0 <= request.step <= 4:
            raise InvalidArgument(f"step must be 0 (all) or 1 to 4, not {request.step}")
        findings = await self._submissions.validate(tasks.request(request.task), request.step)
        return task_service_pb2.ValidateTaskResponse(findings=[tasks.finding(one) for one in findings])

    async def DraftRetraining(  # noqa: N802, D102
        self, request: task_service_pb2.DraftRetrainingRequest, _: Context
    ) -> task_service_pb2.DraftRetrainingResponse:
        answers = await self._submissions.draft_retraining(request.parent_version)
        return task_service_pb2.DraftRetrainingResponse(
            task=task_pb2.Task(training=tasks.draft(answers)), locked_data_paths=answers.data_paths
        )

    async def GetTask(self, request: task_service_pb2.GetTaskRequest, _: Context) -> task_pb2.Task:  # noqa: N802, D102
        return tasks.task(await self._wishes.get(_task_id(request.name)))

    async def ListTasks(  # noqa: N802, D102
        self, request: task_service_pb2.ListTasksRequest, _: Context
    ) -> task_service_pb2.ListTasksResponse:
        limit = size_of(request)
        (before,) = key_of(request, (str,), as_tuple) or ("",)
        views = await self._wishes.page(tasks.task_filter(request), before=before, limit=limit + 1)
        return task_service_pb2.ListTasksResponse(
            tasks=[tasks.listed_task(view) for view in views[:limit]],
            next_page_token=token_of(request, (views[limit - 1].task.id,) if len(views) > limit else None),
        )

    async def StartTask(self, request: task_service_pb2.StartTaskRequest, _: Context) -> task_pb2.Task:  # noqa: N802, D102
        return tasks.task(await self._wishes.start(_task_id(request.name), request.etag, _caller()))

    async def TerminateTask(  # noqa: N802, D102
        self, request: task_service_pb2.TerminateTaskRequest, _: Context
    ) -> task_pb2.Task:
        return tasks.task(await self._wishes.terminate(_task_id(request.name), request.etag, _caller()))

    async def DeleteTask(  # noqa: N802, D102
        self, request: task_service_pb2.DeleteTaskRequest, _: Context
    ) -> empty_pb2.Empty:
        await self._wishes.delete(_task_id(request.name), request.etag, _caller())
        return empty_pb2.Empty()

    async def ReleaseTask(  # noqa: N802, D102
        self, request: task_service_pb2.ReleaseTaskRequest, _: Context
    ) -> task_pb2.Task:
        return tasks.task(await self._wishes.release(_task_id(request.name), request.etag, _caller()))

    async def ExportModelVersion(  # noqa: N802, D102
        self, request: task_service_pb2.ExportModelVersionRequest, _: Context
    ) -> task_pb2.Task:
        task = await self._exports.export(
            request.model_version,
            tasks.package_format(request.format),
            request.compute_resource,
            _caller(),
        )
        return tasks.task(await self._wishes.get(task.id))

    async def WatchTask(  # noqa: N802, D102
        self, request: task_service_pb2.WatchTaskRequest, _: Context
    ) -> AsyncIterator[task_service_pb2.WatchTaskResponse]:
        watch = self._watches.task(_task_id(request.name), request.cursor, follow=request.follow)
        async with contextlib.aclosing(watch) as views:
            async for view in views:
                yield task_service_pb2.WatchTaskResponse(
                    task=tasks.task(view), cursor=str(view.task.revision)
                )

    async def GetLossCurve(  # noqa: N802, D102
        self, request: task_service_pb2.GetLossCurveRequest, _: Context
    ) -> task_service_pb2.LossCurve:
        task_id, network = _task_id(request.name), tasks.network_or_classification(request.network)
        curve = await self._watches.curve(
            task_id,
            network,
            max_points=request.max_points,
            first_iteration=request.first_iteration,
            end_iteration=request.end_iteration,
            attempt=request.attempt,
        )
        return tasks.curve(task_id, network, curve)

    async def WatchLoss(  # noqa: N802, D102
        self, request: task_service_pb2.WatchLossRequest, _: Context
    ) -> AsyncIterator[task_service_pb2.WatchLossResponse]:
        network = tasks.network_or_classification(request.network)
        watch = self._watches.loss(_task_id(request.name), network, request.cursor)
        async with contextlib.aclosing(watch) as news:
            async for one in news:
                yield tasks.loss_news(one)

    async def ReadLog(  # noqa: N802, D102
        self, request: task_service_pb2.ReadLogRequest, _: Context
    ) -> AsyncIterator[task_service_pb2.ReadLogResponse]:
        watch = self._watches.log(
            _task_id(request.name),
            tasks.network_or_classification(request.network),
            cursor=request.cursor,
            attempt=request.attempt,
            follow=request.follow,
        )
        async with contextlib.aclosing(watch) as news:
            async for one in news:
                yield tasks.log_news(one)

    async def ListNonconformingSamples(  # noqa: N802, D102
        self, request: task_service_pb2.ListNonconformingSamplesRequest, _: Context
    ) -> task_service_pb2.ListNonconformingSamplesResponse:
        limit = size_of(request)
        after = key_of(request, (str, str), as_tuple)
        samples = await self._wishes.nonconforming(_task_id(request.name), after, limit + 1)
        last = samples[limit - 1] if len(samples) > limit else None
        return task_service_pb2.ListNonconformingSamplesResponse(
            samples=[tasks.nonconforming(sample) for sample in samples[:limit]],
            next_page_token=token_of(request, (last.data_path, last.file) if last else None),
        )

    async def LinkContactSheet(  # noqa: N802, D102
        self, request: task_service_pb2.LinkContactSheetRequest, _: Context
    ) -> task_service_pb2.LinkContactSheetResponse:
        url, expire_time = await self._wishes.link_contact_sheet(_task_id(request.name))
        return task_service_pb2.LinkContactSheetResponse(url=url, expire_time=timestamp(expire_time))

    async def ListTaskTransitions(  # noqa: N802, D102
        self, request: task_service_pb2.ListTaskTransitionsRequest, _: Context
    ) -> task_service_pb2.ListTaskTransitionsResponse:
        history = await self._wishes.history(_task_id(request.name))
        return task_service_pb2.ListTaskTransitionsResponse(
            transitions=[tasks.transition(one) for one in history]
        )


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """For workers."""

    def __init__(self, parts: Parts) -> None:
        self._leases = Leases(parts)
        self._reporting = Reporting(parts)

    async def AcquireJob(  # noqa: N802, D102
        self, request: job_service_pb2.AcquireJobRequest, _: Context
    ) -> job_service_pb2.AcquireJobResponse:
        wait_s = min(_MAX_WAIT_S, max(0.0, seconds_of(request.wait)))
        lease = await self._leases.acquire(jobs.worker_of(request), wait_s)
        return job_service_pb2.AcquireJobResponse(lease=jobs.lease(lease) if lease is not None else None)

    async def ReportJob(  # noqa: N802, D102
        self, request: job_service_pb2.ReportJobRequest, _: Context
    ) -> job_service_pb2.ReportJobResponse:
        report = jobs.report_of(request)
        return jobs.answer(await self._reporting.report(_job_id(request.job), request.fencing_token, report))

    async def FinishJob(  # noqa: N802, D102
        self, request: job_service_pb2.FinishJobRequest, _: Context
    ) -> job_service_pb2.FinishJobResponse:
        await self._leases.finish(_job_id(request.job), request.fencing_token, jobs.outcome_of(request))
        return job_service_pb2.FinishJobResponse()

    async def ReleaseJob(  # noqa: N802, D102
        self, request: job_service_pb2.ReleaseJobRequest, _: Context
    ) -> job_service_pb2.ReleaseJobResponse:
        await self._leases.give_back(_job_id(request.job), request.fencing_token)
        return job_service_pb2.ReleaseJobResponse()


class QueueServicer(queue_service_pb2_grpc.QueueServiceServicer):
    """For those who run the installation."""

    def __init__(self, parts: Parts) -> None:
        self._fleet = FleetView(parts)

    async def ListWorkers(  # noqa: N802, D102
        self, request: queue_service_pb2.ListWorkersRequest, _: Context
    ) -> queue_service_pb2.ListWorkersResponse:
        limit = size_of(request)
        (after,) = key_of(request, (str,), as_tuple) or ("",)
        found = await self._fleet.workers(after=after, limit=limit + 1)
        last = found[limit - 1][0].announced.name if len(found) > limit else None
        return queue_service_pb2.ListWorkersResponse(
            workers=[queue.worker(*one) for one in found[:limit]],
            next_page_token=token_of(request, None if last is None else (last,)),
        )

    async def GetQueue(self, _request: queue_service_pb2.GetQueueRequest, _: Context) -> queue_pb2.Queue:  # noqa: N802, D102
        return queue_pb2.Queue(resources=[queue.resource_queue(one) for one in await self._fleet.queue()])


def services(parts: Parts) -> tuple[Service, ...]:
    """What the scheduler serves."""
    return (
        Service(
            TaskServicer(parts),
            task_service_pb2_grpc.add_TaskServiceServicer_to_server,
            task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
        ),
        Service(
            JobServicer(parts),
            job_service_pb2_grpc.add_JobServiceServicer_to_server,
            job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        ),
        Service(
            QueueServicer(parts),
            queue_service_pb2_grpc.add_QueueServiceServicer_to_server,
            queue_service_pb2.DESCRIPTOR.services_by_name["QueueService"],
        ),
    )


def _caller() -> Caller:
    principal = current_principal()
    if principal.role is Role.SERVICE:
        return Caller("services/loupe", may_act_for_all=True)
    return Caller(principal.name, may_act_for_all=Role.ADMIN.admits(principal.role))


def _task_id(name: str) -> str:
    return id_of(name, "tasks")


def _job_id(name: str) -> str:
    return id_of(name, "jobs", "job")
