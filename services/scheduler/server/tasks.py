# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""TaskService."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import empty_pb2
from loupe.errors import InvalidArgument
from loupe.scheduler.v1 import task_pb2 as pb
from loupe.scheduler.v1 import task_service_pb2 as rpc
from loupe.scheduler.v1 import task_service_pb2_grpc as rpc_grpc

from services.audit import current_caller
from services.scheduler.application.bank_runs import AutomaticRuns
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.export_tasks import ExportTasks
from services.scheduler.application.submitting import Submissions
from services.scheduler.application.task_commands import TaskCommands
from services.scheduler.application.watching import Watches
from services.scheduler.domain.listing import TaskView
from services.scheduler.wire import (
    bank_runs,
    curves,
    nonconforming_csv,
    paging,
    submissions,
    summaries,
    tasks,
)
from services.scheduler.wire.values import id_of, timestamp

Context = grpc.aio.ServicerContext[Any, Any]


class TaskServicer(rpc_grpc.TaskServiceServicer):
    """For users, and programs that act for them."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._submissions = Submissions(dependencies)
        self._commands = TaskCommands(dependencies)
        self._exports = ExportTasks(dependencies)
        self._bank_runs = AutomaticRuns(dependencies)
        self._watches = Watches(dependencies, self._commands)

    async def CreateTask(self, request: rpc.CreateTaskRequest, _: Context) -> pb.Task:
        task = await self._submissions.create(
            submissions.request(request.task),
            current_caller(),
            request_id=request.request_id,
            validate_only=request.validate_only,
        )
        return tasks.task(TaskView(task) if request.validate_only else await self._commands.get(task.id))

    async def ValidateTask(self, request: rpc.ValidateTaskRequest, _: Context) -> rpc.ValidateTaskResponse:
        if not 0 <= request.step <= 4:
            raise InvalidArgument(f"step must be 0 (all) or 1 to 4, not {request.step}")
        validated = await self._submissions.validate(submissions.request(request.task), request.step)
        return rpc.ValidateTaskResponse(
            findings=[
                submissions.finding(one, step) for step, found in validated.by_step.items() for one in found
            ],
            summary=summaries.summary(validated.summary) if validated.summary else None,
        )

    async def DraftRetraining(
        self, request: rpc.DraftRetrainingRequest, _: Context
    ) -> rpc.DraftRetrainingResponse:
        answers = await self._submissions.draft_retraining(request.parent_version)
        return rpc.DraftRetrainingResponse(
            task=pb.Task(training=submissions.draft(answers)), locked_data_paths=answers.data_paths
        )

    async def GetTask(self, request: rpc.GetTaskRequest, _: Context) -> pb.Task:
        return tasks.task(await self._commands.get(_task_id(request.name)))

    async def ListTasks(self, request: rpc.ListTasksRequest, _: Context) -> rpc.ListTasksResponse:
        requested = paging.TASKS.page(request)
        (before,) = requested.after or ("",)
        views = await self._commands.page(
            submissions.task_filter(request),
            before=before,
            limit=requested.limit,
            training_with_bank=request.training_with_bank,
        )
        page = requested.cut(views, lambda view: (view.task.id,))
        return rpc.ListTasksResponse(
            tasks=[tasks.listed_task(view) for view in page.items],
            next_page_token=paging.TASKS.token(request, page.last_key),
        )

    async def ListBankRuns(self, request: rpc.ListBankRunsRequest, _: Context) -> rpc.ListBankRunsResponse:
        requested = paging.BANK_RUNS.page(request)
        if request.question_bank:
            id_of(request.question_bank, "questionBanks", "question_bank")
        (before,) = requested.after or (None,)
        found = await self._bank_runs.page(request.question_bank, before=before, limit=requested.limit)
        page = requested.cut(found, lambda one: (one.id,))
        return rpc.ListBankRunsResponse(
            runs=[bank_runs.bank_run(one) for one in page.items],
            next_page_token=paging.BANK_RUNS.token(request, page.last_key),
        )

    async def StartTask(self, request: rpc.StartTaskRequest, _: Context) -> pb.Task:
        return tasks.task(await self._commands.start(_task_id(request.name), request.etag, current_caller()))

    async def TerminateTask(self, request: rpc.TerminateTaskRequest, _: Context) -> pb.Task:
        return tasks.task(
            await self._commands.terminate(_task_id(request.name), request.etag, current_caller())
        )

    async def DeleteTask(self, request: rpc.DeleteTaskRequest, _: Context) -> empty_pb2.Empty:
        await self._commands.delete(_task_id(request.name), request.etag, current_caller())
        return empty_pb2.Empty()

    async def ReleaseTask(self, request: rpc.ReleaseTaskRequest, _: Context) -> pb.Task:
        return tasks.task(
            await self._commands.release(_task_id(request.name), request.etag, current_caller())
        )

    async def ExportModelVersion(self, request: rpc.ExportModelVersionRequest, _: Context) -> pb.Task:
        task = await self._exports.export(
            request.model_version,
            tasks.package_format(request.format),
            request.compute_resource,
            current_caller(),
        )
        return tasks.task(await self._commands.get(task.id))

    async def WatchTask(
        self, request: rpc.WatchTaskRequest, _: Context
    ) -> AsyncIterator[rpc.WatchTaskResponse]:
        watch = self._watches.task(_task_id(request.name), request.cursor, follow=request.follow)
        async with contextlib.aclosing(watch) as views:
            async for view in views:
                yield rpc.WatchTaskResponse(task=tasks.task(view), cursor=str(view.task.revision))

    async def GetLossCurve(self, request: rpc.GetLossCurveRequest, _: Context) -> rpc.LossCurve:
        task_id, network = _task_id(request.name), tasks.network_or_classification(request.network)
        curve = await self._watches.curve(
            task_id,
            network,
            max_points=request.max_points,
            first_iteration=request.first_iteration,
            end_iteration=request.end_iteration,
            attempt=request.attempt,
        )
        return curves.curve(task_id, network, curve)

    async def WatchLoss(
        self, request: rpc.WatchLossRequest, _: Context
    ) -> AsyncIterator[rpc.WatchLossResponse]:
        network = tasks.network_or_classification(request.network)
        watch = self._watches.loss(_task_id(request.name), network, request.cursor)
        async with contextlib.aclosing(watch) as news:
            async for one in news:
                yield curves.loss_news(one)

    async def ReadLog(self, request: rpc.ReadLogRequest, _: Context) -> AsyncIterator[rpc.ReadLogResponse]:
        watch = self._watches.log(
            _task_id(request.name),
            tasks.network_or_classification(request.network),
            cursor=request.cursor,
            attempt=request.attempt,
            follow=request.follow,
        )
        async with contextlib.aclosing(watch) as news:
            async for one in news:
                yield curves.log_news(one)

    async def ListNonconformingSamples(
        self, request: rpc.ListNonconformingSamplesRequest, _: Context
    ) -> rpc.ListNonconformingSamplesResponse:
        requested = paging.NONCONFORMING_SAMPLES.page(request)
        samples = await self._commands.nonconforming(
            _task_id(request.name), request.attempt, requested.after, requested.limit
        )
        page = requested.cut(samples, lambda sample: (sample.data_path, sample.file))
        return rpc.ListNonconformingSamplesResponse(
            samples=[tasks.nonconforming(sample) for sample in page.items],
            next_page_token=paging.NONCONFORMING_SAMPLES.token(request, page.last_key),
        )

    async def DownloadNonconformingSamples(
        self, request: rpc.DownloadNonconformingSamplesRequest, _: Context
    ) -> AsyncIterator[HttpBody]:
        head = nonconforming_csv.head()
        samples = self._commands.all_nonconforming(_task_id(request.name), request.attempt)
        async with contextlib.aclosing(samples) as batches:
            async for batch in batches:
                data = head + nonconforming_csv.rows(batch)
                yield HttpBody(content_type=nonconforming_csv.CONTENT_TYPE, data=data)
                head = b""

    async def LinkContactSheet(
        self, request: rpc.LinkContactSheetRequest, _: Context
    ) -> rpc.LinkContactSheetResponse:
        url, expire_time = await self._commands.link_contact_sheet(_task_id(request.name))
        return rpc.LinkContactSheetResponse(url=url, expire_time=timestamp(expire_time))

    async def ListTaskTransitions(
        self, request: rpc.ListTaskTransitionsRequest, _: Context
    ) -> rpc.ListTaskTransitionsResponse:
        history = await self._commands.history(_task_id(request.name))
        return rpc.ListTaskTransitionsResponse(transitions=[tasks.transition(one) for one in history])


def _task_id(name: str) -> str:
    return id_of(name, "tasks")
