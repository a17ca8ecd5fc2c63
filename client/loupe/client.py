"""The Python client: `AsyncLoupe` for programs, `Loupe` for notebooks and scripts.

::

    with Loupe.connect() as loupe:                     # the stack that `loupe up` started
        loupe.import_folder("panels/", dataset="panels")
        task = loupe.train("panel-adc", image="surface-classification@v3.0", datasets=["panels"])
        for view in loupe.watch(task.name):
            print(view.headline())
        print(loupe.report(task.name).overall.accuracy.value)

Both speak the gRPC contracts: resources are their messages, and what a server refuses is raised as an error
of `loupe.errors`, with its reason and its violations.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import loupe.rpc  # noqa: F401 -- before grpc, whose environment it sets
from google.protobuf.duration_pb2 import Duration
from loupe import names
from loupe.errors import FailedPrecondition, NotFound
from loupe.evaluator.v1 import (
    comparison_pb2,
    comparison_service_pb2,
    comparison_service_pb2_grpc,
    leaderboard_service_pb2_grpc,
    relabel_service_pb2_grpc,
    report_pb2,
    report_service_pb2,
    report_service_pb2_grpc,
    sample_result_service_pb2_grpc,
)
from loupe.exporting import export_version
from loupe.folders import FolderListing, ImportOptions
from loupe.import_report import keep_report
from loupe.importing import ImportProgress, ImportResult, SampleImport
from loupe.profile import Profile, load_profile
from loupe.reading import read_data
from loupe.registry.v1 import (
    algorithm_image_service_pb2,
    algorithm_image_service_pb2_grpc,
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    identity_service_pb2_grpc,
    master_data_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    question_bank_service_pb2_grpc,
    storage_quota_service_pb2_grpc,
)
from loupe.rpc.channel import connect
from loupe.saving import linked
from loupe.scheduler.v1 import (
    draft_service_pb2_grpc,
    queue_service_pb2_grpc,
    task_pb2,
    task_service_pb2,
    task_service_pb2_grpc,
)
from loupe.server.v1 import server_service_pb2_grpc
from loupe.watching import TaskView, last, watch_task

_PAGE = 500
_ID_SEARCH_PAGES = 20
"""How many pages of the newest tasks a prefix of an id is searched in."""

P = ParamSpec("P")
T = TypeVar("T")


class AsyncLoupe:
    """Channels to the services of one installation; an async context manager.

    The attributes `images`, `datasets`, `master_data`, `models`, `banks`, `identity`, `tasks`, `reports`,
    `comparisons`, `leaderboards`, `samples`, `marks`, `queue`, `quotas` and `drafts` are the contracts' own
    stubs, and `servers` what each server says of itself, by name; the methods are what takes more than one
    call.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        credentials = profile.channel_credentials()
        self._registry, self._scheduler, self._evaluator = (
            connect(address, lambda: profile.token, credentials=credentials)
            for address in (profile.registry_address, profile.scheduler_address, profile.evaluator_address)
        )
        self.images = algorithm_image_service_pb2_grpc.AlgorithmImageServiceStub(self._registry)
        self.datasets = dataset_service_pb2_grpc.DatasetServiceStub(self._registry)
        self.master_data = master_data_service_pb2_grpc.MasterDataServiceStub(self._registry)
        self.models = model_service_pb2_grpc.ModelServiceStub(self._registry)
        self.banks = question_bank_service_pb2_grpc.QuestionBankServiceStub(self._registry)
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(self._registry)
        self.tasks = task_service_pb2_grpc.TaskServiceStub(self._scheduler)
        self.reports = report_service_pb2_grpc.ReportServiceStub(self._evaluator)
        self.comparisons = comparison_service_pb2_grpc.ComparisonServiceStub(self._evaluator)
        self.leaderboards = leaderboard_service_pb2_grpc.LeaderboardServiceStub(self._evaluator)
        self.samples = sample_result_service_pb2_grpc.SampleResultServiceStub(self._evaluator)
        self.marks = relabel_service_pb2_grpc.RelabelServiceStub(self._evaluator)
        self.queue = queue_service_pb2_grpc.QueueServiceStub(self._scheduler)
        self.quotas = storage_quota_service_pb2_grpc.StorageQuotaServiceStub(self._registry)
        self.drafts = draft_service_pb2_grpc.DraftServiceStub(self._scheduler)
        self.servers = {
            name: server_service_pb2_grpc.ServerServiceStub(channel)
            for name, channel in (
                ("registry", self._registry),
                ("scheduler", self._scheduler),
                ("evaluator", self._evaluator),
            )
        }

    @classmethod
    def connect(cls, data_dir: Path | None = None) -> Self:
        """The installation of a data folder or of the environment; NotConfigured if there is none."""
        return cls(load_profile(data_dir))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def linked(self, url: str, what: str) -> AsyncIterator[bytes]:
        """Download a link, a part at a time. Unavailable if the object store does not deliver all of it."""
        return linked(url, what, authority=self.profile.authority)

    async def close(self) -> None:
        """Close the channels."""
        await asyncio.gather(self._registry.close(), self._scheduler.close(), self._evaluator.close())

    async def import_folder(
        self,
        listing: FolderListing,
        *,
        dataset: str,
        path: str,
        description: str = "",
        on_progress: Callable[[ImportProgress], None] = lambda _: None,
    ) -> ImportResult:
        """Import what a folder offers into a data path, making dataset and path where they do not exist (D2).

        May be interrupted and repeated: what is already there is neither uploaded nor listed again.
        """
        result = await SampleImport(self.datasets, on_progress, self.profile.authority).run(
            listing, dataset=names.resource("datasets", dataset), path=path, description=description
        )
        return await keep_report(self.datasets, listing, result)

    async def judged(self, text: str) -> dict[str, Any]:
        """The field of a prediction that names `MODEL@VERSION`, or a training as `resolve_task` knows it."""
        if "@" in text or text.startswith("models/"):
            return {"model_version": names.model_version(text)}
        return {"training_task": await self.resolve_task(text)}

    async def resolve_task(self, text: str) -> str:
        """The name of the task that `tasks/<id>`, an id or the beginning of exactly one id means."""
        wanted = names.resource("tasks", text)
        try:
            return str((await self.tasks.GetTask(task_service_pb2.GetTaskRequest(name=wanted))).name)
        except NotFound:
            pass
        found: list[str] = []
        request = task_service_pb2.ListTasksRequest(page_size=_PAGE)
        for _ in range(_ID_SEARCH_PAGES):
            answer = await self.tasks.ListTasks(request)
            found.extend(task.name for task in answer.tasks if task.name.startswith(wanted))
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(names.short(name) for name in found[:3])
            raise NotFound(
                f"{text!r} begins the ids of {len(found)} tasks ({some} …); write more of it", task=text
            )
        raise NotFound(f"no task's id begins with {text!r}; `loupe tasks` lists them", task=text)

    async def image_version(self, text: str) -> Any:  # noqa: ANN401 -- AlgorithmImageVersion; the stubs are untyped here
        """The algorithm image version of `IMAGE@VERSION`, or the newest one of `IMAGE`."""
        if "@" in text or text.count("/") == 3:
            name = names.image_version(text)
        else:
            image = await self.images.GetAlgorithmImage(
                algorithm_image_service_pb2.GetAlgorithmImageRequest(
                    name=names.resource("algorithmImages", text)
                )
            )
            name = image.latest_version
        return await self.images.GetAlgorithmImageVersion(
            algorithm_image_service_pb2.GetAlgorithmImageVersionRequest(name=name)
        )

    async def data_paths(
        self, datasets: Sequence[str], paths: Sequence[str], *, trainable: bool = False
    ) -> list[str]:
        """Those of the datasets, or of a single dataset only the named ones, and any `D/P`.

        `trainable`: of whole datasets without those that question banks are tested with (P7).
        """
        narrowing = [path for path in paths if "/" not in path]
        if narrowing and len(datasets) != 1:
            raise names.BadName(
                f"--path {narrowing[0]} needs exactly one --dataset; or write DATASET/{narrowing[0]}"
            )
        chosen = [names.data_path(path, datasets[0] if datasets else None) for path in paths]
        for dataset in [] if narrowing else datasets:
            of_dataset = await self.list_data_paths(dataset, trainable=trainable)
            if not of_dataset:
                what = "data path outside of question banks" if trainable else "data path"
                raise FailedPrecondition(f"dataset {dataset} has no {what}; `loupe data import` makes one")
            chosen.extend(path.name for path in of_dataset)
        return list(dict.fromkeys(chosen))

    async def list_data_paths(
        self, dataset: str = "-", *, trainable: bool = False
    ) -> list[dataset_pb2.DataPath]:
        """All data paths of a dataset, or of all; `trainable`: without those of question banks (P7)."""
        request = dataset_service_pb2.ListDataPathsRequest(
            parent=names.resource("datasets", dataset), page_size=_PAGE, trainable=trainable
        )
        return [path async for path in pages(self.datasets.ListDataPaths, request, "data_paths")]

    async def submit(
        self, task: task_pb2.Task, *, request_id: str = "", validate_only: bool = False
    ) -> task_pb2.Task:
        """Create the task; the same `request_id` gives the same task (W12)."""
        request = task_service_pb2.CreateTaskRequest(
            task=task, request_id=request_id, validate_only=validate_only
        )
        created: task_pb2.Task = await self.tasks.CreateTask(request, timeout=60)
        return created

    async def find_report(self, text: str) -> report_pb2.Report:
        """The report of a task, of `MODEL@VERSION`, or by a report's name.

        A version's is its official one: of the latest prediction over data that it was not trained with (P2,
        P7). Without one, that of its validation split.
        """
        if "@" in text or text.startswith("models/"):
            name = await self._report_of_version(names.model_version(text))
        elif text.startswith("reports/"):
            name = text
        else:
            name = await self._report_of_task_or_report(text)
        report: report_pb2.Report = await self.reports.GetReport(
            report_service_pb2.GetReportRequest(name=name)
        )
        return report

    async def compare(self, base: str, candidate: str) -> comparison_pb2.Comparison:
        """Compare two reports sample by sample, each named as for `find_report` (P2)."""
        base_report, candidate_report = await asyncio.gather(
            self.find_report(base), self.find_report(candidate)
        )
        compared: comparison_pb2.Comparison = await self.comparisons.CompareReports(
            comparison_service_pb2.CompareReportsRequest(
                base=base_report.name, candidate=candidate_report.name
            )
        )
        return compared

    async def _report_of_version(self, name: str) -> str:
        version = await self.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=name))
        official = await self.official_report(version.name)
        return str(version.report if official is None else official.name)

    async def official_report(self, version: str) -> report_pb2.Report | None:
        """Of the version's latest prediction over data that it was not trained with, if there is one."""
        answer = await self.reports.ListReports(
            report_service_pb2.ListReportsRequest(model_version=version, official=True, page_size=1)
        )
        return answer.reports[0] if answer.reports else None

    async def _report_of_task_or_report(self, text: str) -> str:
        try:
            name = await self.resolve_task(text)
        except NotFound as no_task:
            report = names.resource("reports", text)
            try:
                await self.reports.GetReport(report_service_pb2.GetReportRequest(name=report))
            except NotFound:
                raise no_task from None
            return report
        task = await self.tasks.GetTask(task_service_pb2.GetTaskRequest(name=name))
        if not task.report:
            state = task_pb2.TaskState.Name(task.state).removeprefix("TASK_STATE_")
            raise FailedPrecondition(
                f"{name} is {state} and has no report; it comes with COMPLETED", task=name
            )
        return str(task.report)

    async def contact_sheet(self, task: str) -> bytes:
        """A JPEG of what augmentation does to some of a training's samples; NotFound while there is none."""
        link = await self.tasks.LinkContactSheet(task_service_pb2.LinkContactSheetRequest(name=task))
        return b"".join([part async for part in self.linked(link.url, f"the contact sheet of {task}")])

    async def completed(self, task: str) -> None:
        """Wait for a task's end; FailedPrecondition if it did not come to its result."""
        ended = (await last(self.watch(task))).task
        if ended.state not in (task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_RELEASED):
            failure = ended.failure
            why = f": {failure.code}: {failure.message}; {failure.remedy}" if failure.code else ""
            raise FailedPrecondition(f"{task} is {task_pb2.TaskState.Name(ended.state)}{why}", task=task)

    def watch(self, task: str) -> AsyncIterator[TaskView]:
        """The task's view after every change, until it ends; survives dropped connections."""
        return watch_task(self.tasks, task)


async def pages(
    method: Callable[[Any], Awaitable[Any]],
    request: Any,  # noqa: ANN401 -- any List…Request
    field: str,
    *,
    limit: int | None = None,
) -> AsyncIterator[Any]:
    """The items of all pages of a list method, at most `limit` of them."""
    count = 0
    while True:
        answer = await method(request)
        for item in getattr(answer, field):
            if limit is not None and count >= limit:
                return
            count += 1
            yield item
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


class Loupe:
    """The same without `await`; its own event loop runs in a thread, so it works in notebooks too."""

    def __init__(self, profile: Profile) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loupe-client", daemon=True)
        self._thread.start()
        # Channels belong to the loop they are made on.
        self.async_client = self.call(_made, AsyncLoupe, profile)

    @classmethod
    def connect(cls, data_dir: Path | str | None = None) -> Self:
        """The installation of a data folder or of the environment; NotConfigured if there is none."""
        return cls(load_profile(None if data_dir is None else Path(data_dir)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channels and end the thread."""
        if self._loop.is_closed():
            return
        self.call(self.async_client.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, method: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
        """Run a coroutine function on the client's loop, such as `client.call(stub.GetTask, request)`.

        The function is called there too: a stub needs the running loop, and this thread has none.
        """

        async def answer() -> T:
            return await method(*arguments, **options)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def import_folder(  # noqa: PLR0913 -- all but two have defaults
        self,
        folder: Path | str,
        *,
        dataset: str,
        path: str = "main",
        description: str = "",
        kind: str = "auto",
        options: ImportOptions | None = None,
    ) -> ImportResult:
        """Import a folder of `<CODE>/<image>`, or one with LabelMe, COCO or Pascal VOC annotations (D1)."""
        listing = read_data(Path(folder), options, kind=kind)
        return self.call(
            self.async_client.import_folder, listing, dataset=dataset, path=path, description=description
        )

    def train(  # noqa: PLR0913 -- the wizard's four steps
        self,
        name: str,
        *,
        image: str,
        datasets: Sequence[str] = (),
        paths: Sequence[str] = (),
        environment: str = "",
        resource: str = "cpu",
        model_params_json: str = "",
        training_params_json: str = "",
        train_fraction: float = 0.8,
        acknowledge_missing_paths: bool = False,
        request_id: str = "",
    ) -> task_pb2.Task:
        """Submit a training; what is not given is the image's default.

        Without `model_params_json` the codes are those of the data: `training.model_params` of the task (W3).
        `acknowledge_missing_paths`: train without the paths that the image was itself trained on (W4).
        """

        async def submit() -> task_pb2.Task:
            client = self.async_client
            spec = task_pb2.TrainingSpec(
                model_name=name,
                algorithm_image_version=(await client.image_version(image)).name,
                production_environment=names.resource("productionEnvironments", environment)
                if environment
                else "",
                data_paths=await client.data_paths(datasets, paths, trainable=True),
                compute_resource=names.resource("computeResources", resource),
                model_params_json=model_params_json,
                training_params_json=training_params_json,
                preprocessing=task_pb2.PreprocessingParams(train_fraction=train_fraction),
                acknowledge_missing_training_paths=acknowledge_missing_paths,
            )
            return await client.submit(task_pb2.Task(training=spec), request_id=request_id)

        return self.call(submit)

    def predict(  # noqa: PLR0913 -- P1's parameters
        self,
        version: str,
        *,
        datasets: Sequence[str] = (),
        paths: Sequence[str] = (),
        resource: str = "cpu",
        bank: str = "",
        acknowledge_training_overlap: bool = False,
        exclude_training_overlap: bool = False,
    ) -> task_pb2.Task:
        """Submit a prediction with `MODEL@VERSION` or a completed training, over a `BANK[@REVISION]` or data.

        `acknowledge_training_overlap`: go on though the version was trained with some of the data;
        `exclude_training_overlap`: leave that out, and judge the rest (P7).
        """

        async def submit() -> task_pb2.Task:
            spec = task_pb2.PredictionSpec(
                **await self.async_client.judged(version),
                data_paths=await self.async_client.data_paths(datasets, paths),
                compute_resource=names.resource("computeResources", resource),
                acknowledge_training_overlap=acknowledge_training_overlap,
                question_bank=names.question_bank(bank) if bank else "",
                exclude_training_overlap=exclude_training_overlap,
            )
            return await self.async_client.submit(task_pb2.Task(prediction=spec))

        return self.call(submit)

    def task(self, task: str) -> task_pb2.Task:
        """One task, by name, id or the beginning of its id."""

        async def get() -> task_pb2.Task:
            name = await self.async_client.resolve_task(task)
            found: task_pb2.Task = await self.async_client.tasks.GetTask(
                task_service_pb2.GetTaskRequest(name=name)
            )
            return found

        return self.call(get)

    def tasks(self, limit: int = 50) -> list[task_pb2.Task]:
        """The newest tasks."""

        async def collect() -> list[task_pb2.Task]:
            request = task_service_pb2.ListTasksRequest(page_size=min(limit, _PAGE))
            return [
                item async for item in pages(self.async_client.tasks.ListTasks, request, "tasks", limit=limit)
            ]

        return self.call(collect)

    def watch(self, task: str) -> Iterator[TaskView]:
        """The task's view after every change, until it ends. The view is one object that goes on changing."""
        views = self.async_client.watch(self.call(self.async_client.resolve_task, task))
        while True:
            view = self.call(_next, views)
            if view is None:
                return
            yield view

    def release(self, task: str) -> task_pb2.Task:
        """Release a completed training task as a version (R1)."""

        async def release() -> task_pb2.Task:
            name = await self.async_client.resolve_task(task)
            released: task_pb2.Task = await self.async_client.tasks.ReleaseTask(
                task_service_pb2.ReleaseTaskRequest(name=name)
            )
            return released

        return self.call(release)

    def export(self, version: str, file: Path | str | None = None, *, onnx: bool = False) -> Path:
        """Save the package of `MODEL@VERSION` (X), which is made first if nobody has exported it yet."""
        wanted = model_pb2.PACKAGE_FORMAT_ONNX if onnx else model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT

        async def export() -> Path:
            exported = await export_version(
                self.async_client,
                names.model_version(version),
                None if file is None else Path(file),
                wanted,
                follow=self.async_client.completed,
            )
            return exported.file

        return self.call(export)

    def report(self, of: str) -> report_pb2.Report:
        """The report of a task, of `MODEL@VERSION`, or by its name."""
        return self.call(self.async_client.find_report, of)

    def compare(self, base: str, candidate: str) -> comparison_pb2.Comparison:
        """Compare two reports sample by sample, each of a task, of `MODEL@VERSION`, or by its name."""
        return self.call(self.async_client.compare, base, candidate)

    def models(self) -> list[model_pb2.Model]:
        """All released models."""

        async def collect() -> list[model_pb2.Model]:
            request = model_service_pb2.ListModelsRequest(page_size=_PAGE)
            return [item async for item in pages(self.async_client.models.ListModels, request, "models")]

        return self.call(collect)


async def _made(factory: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    return factory(*arguments, **options)


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


def seconds(duration: Duration) -> float:
    """A duration message in seconds."""
    return duration.seconds + duration.nanos / 1e9
