"""`loupe demo`: the main job once, end to end."""

import asyncio
import contextlib
import json
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
from loupe import names
from loupe.client import AsyncLoupe, pages
from loupe.commands.access import first_log_in
from loupe.commands.data import import_listing, import_summary
from loupe.commands.export import save_package
from loupe.commands.session import Output, Session, local
from loupe.commands.stack import refuse_on_stack_error
from loupe.commands.tasks import release_task
from loupe.commands.train import build_task, checked, train_options, what_is_trained
from loupe.commands.watch import fail_unless_good, follow
from loupe.errors import FailedPrecondition, NotFound
from loupe.evaluator.v1 import report_pb2
from loupe.exporting import Exported
from loupe.findings import findings_table, refuses
from loupe.folders import FolderListing, hold_out, read_folder
from loupe.language import translated
from loupe.profile import Profile, default_data_dir, load_profile
from loupe.registry.v1 import master_data_service_pb2, model_pb2, model_service_pb2
from loupe.rendering import estimate, facts, human_duration, message_json, percent
from loupe.rendering import report as report_page
from loupe.sample import DEFECTS, ORDINARY_CODES, write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.text import human_bytes
from rich.console import RenderableType
from rich.rule import Rule

from deploy.embedded import stack
from deploy.embedded.state import ProcessState, State

IMAGE = "surface-classification"
BANK = "question-bank"
_BANK_SHARE = 0.15
_SEED = 1
"""Fixed, so that the demo makes the same split and the same training of the same images."""
_STEPS = 8


@click.command(short_help="Run the main job once, from images to a tested version.")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of <CODE>/<image>; default a generated set.",
)
@click.option(
    "--name", default="", help="Of the model; default after the data. A name that is taken gets a number."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One training parameter, as max_iter=400."
)
@local
def demo(
    out: Output, data_dir: Path | None, folder: Path | None, name: str, settings: tuple[str, ...]
) -> None:
    """Run the main job once: start, import, train with live progress, report, release, test, export.

    About 15 % of the images, whole groups of them, are held out as a question bank that training never sees.
    The stack stays up afterwards. May be run again: the images are not uploaded twice, and the model gets the
    next free name.

    \b
    Examples:
      loupe demo
      loupe demo --data /data/tiles --name tiles
    """
    run = _DemoRun(out, (data_dir or default_data_dir()).expanduser().resolve(), settings)
    run.step("start the stack")
    with refuse_on_stack_error():
        result = stack.up(run.data_dir, detach=True, on_event=lambda process: _report(out, process))
    out.say("it runs already" if result.already_running else "everything is ready")
    run.step("images")
    if folder is None:
        source = _Source(_generated(run.data_dir / "demo-panels", out), "demo-panels", name or "panel-adc")
    else:
        dataset = _slug(folder.resolve().name)
        source = _Source(folder, dataset, name or f"{dataset}-adc", are_generated=False)
    listing = read_folder(source.folder)
    if not listing.samples:
        out.fail(f"{source.folder} holds no image in a folder of its code (<CODE>/<image>)")

    async def connected() -> None:
        async with AsyncLoupe(load_profile(run.data_dir)) as client:
            await run.main_job(Session(client, out, run.data_dir), source, listing)

    try:
        asyncio.run(connected())
    except KeyboardInterrupt:
        raise click.Abort from None


@dataclass(frozen=True, slots=True)
class _Source:
    """The images of the demo, and the names under which they are imported and trained."""

    folder: Path
    dataset: str
    model: str
    are_generated: bool = True


@dataclass
class _DemoRun:
    """One run of the demo: its steps, and how long they have taken."""

    out: Output
    data_dir: Path
    settings: tuple[str, ...]
    """Training parameters, as `--set` takes them."""
    began_s: float = field(default_factory=time.monotonic)
    steps_begun: int = 0

    def step(self, title: str) -> None:
        """Show which step begins."""
        self.steps_begun += 1
        if not self.out.as_json:
            elapsed = human_duration(self._elapsed_s())
            rule = Rule(f"{self.steps_begun}/{_STEPS}  {title}  ({elapsed})", align="left")
            self.out.console.print(rule)

    async def main_job(self, session: Session, source: _Source, listing: FolderListing) -> None:
        """From images to a released, tested and exported version."""
        await _import(session, listing, source.dataset)
        self.step("train")
        trained = await self._train(session, source)
        self.step("report over the validation split")
        validation = await session.client.find_report(trained.name)
        _print(self.out, report_page(validation))
        self.step("release")
        released = await _release(session, trained.name)
        self.step("question bank: images that training never saw")
        bank = await _predict(session, released, source.dataset)
        _print(self.out, report_page(bank))
        self.step("export: what an inspection machine loads")
        exported = await self._export(session, released.model_version)
        self.step("done: how to go on")
        access = await first_log_in(session.client)
        self.out.answer(
            {
                "model": names.short(released.model_version),
                "task": message_json(released),
                "validationReport": message_json(validation),
                "questionBankReport": message_json(bank),
                "package": {"file": str(exported.file), **message_json(exported.package)},
                "tookS": self._elapsed_s(),
            },
            facts(
                self._results(released, validation, bank)
                | _addresses(session.client.profile, released.training.model_name, access)
                | self._next_commands(names.short(released.model_version), exported.file)
            ),
        )

    async def _train(self, session: Session, source: _Source) -> task_pb2.Task:
        model = await _free_name(session, source.model)
        task = await _submit(
            session, model, source.dataset, special=source.are_generated, settings=self.settings
        )
        self.out.say(f"submitted {task.name}; `loupe watch {names.short(task.name)}` shows it elsewhere too")
        self.out.say(what_is_trained(task.training))
        ended = await follow(session, task.name)
        fail_unless_good(ended)
        return ended

    async def _export(self, session: Session, version: str) -> Exported:
        folder = self.data_dir / "packages"
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        exported = await save_package(session, version, folder, model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT)
        size = human_bytes(exported.package.size_bytes)
        _print(self.out, f"{exported.file}: {size}, sha256 {exported.package.sha256}")
        return exported

    def _results(
        self, released: task_pb2.Task, validation: report_pb2.Report, bank: report_pb2.Report
    ) -> dict[str, RenderableType]:
        is_above = bank.overall.accuracy.value > bank.overall.majority_share
        return {
            "model": names.short(released.model_version),
            "validation": f"accuracy {estimate(validation.overall.accuracy)}",
            "question bank": f"accuracy {estimate(bank.overall.accuracy)}, "
            f"{'above' if is_above else 'NOT above'} the majority class's "
            f"{percent(bank.overall.majority_share)}",
            "took": human_duration(self._elapsed_s()),
        }

    def _next_commands(self, version: str, package: Path) -> dict[str, RenderableType]:
        flag = f" --data-dir {self.data_dir}" if self.data_dir != default_data_dir() else ""
        return {
            "look": f"loupe models {version.partition('@')[0]}{flag}\n"
            f"loupe samples {version} --verdict misjudged{flag}\n"
            f"loupe events --subject 'loupe.tasks.*.state'{flag}",
            "package": f"{package}\n"
            "use it: python -c 'from loupe.artifact import Artifact; "
            f'print(Artifact("{package}").predict("IMAGE").code)\'\n'
            f"from C: unzip it, and see runtime/examples\n"
            f"check it: loupe verify {package} IMAGES{flag}",
            "retrain": f"loupe train --retrain {version} --warm-start --watch{flag}",
            "stop": f"loupe down{flag}",
        }

    def _elapsed_s(self) -> float:
        return time.monotonic() - self.began_s


def _addresses(profile: Profile, model: str, console_access: str) -> dict[str, RenderableType]:
    return {
        "console": f"{profile.gateway_url}  ({console_access})\n"
        f"click first: {translated('Models')}, then {model}; HTTP interface: /docs",
        "gRPC": f"registry {profile.registry_address}, scheduler {profile.scheduler_address}, "
        f"evaluator {profile.evaluator_address}",
        "token": f"in {profile.source} (key `token`)",
    }


async def _release(session: Session, task: str) -> task_pb2.Task:
    """Release a completed training; FailedPrecondition if its number does not come."""
    released = await release_task(session, task)
    if not released.model_version:
        raise FailedPrecondition(
            f"{released.name} is released, but its number has not come; see `loupe models`"
        )
    _print(session.out, f"released as {names.short(released.model_version)}")
    return released


async def _predict(session: Session, released: task_pb2.Task, dataset: str) -> report_pb2.Report:
    """The report of a prediction over the question bank."""
    spec = task_pb2.PredictionSpec(
        model_version=released.model_version,
        data_paths=[names.data_path(BANK, dataset)],
        compute_resource=released.training.compute_resource,
        confidence_threshold=0.5,
        filter_resolution=True,
        # Whole groups are held out, but the same picture may lie in two of them; the report says so then.
        acknowledge_training_overlap=True,
    )
    prediction = await session.client.submit(task_pb2.Task(prediction=spec))
    prediction = await follow(session, prediction.name)
    fail_unless_good(prediction)
    return await session.client.find_report(prediction.name)


async def _import(session: Session, listing: FolderListing, dataset: str) -> None:
    training, bank = hold_out(listing, _BANK_SHARE)
    for part, path, description in (
        (training, "main", "demo: to train and validate with"),
        (bank, BANK, "demo: held out, whole groups; never trained with"),
    ):
        result = await import_listing(session, part, dataset=dataset, path=path, description=description)
        _print(session.out, import_summary(part, result))


async def _submit(
    session: Session, model: str, dataset: str, *, special: bool, settings: tuple[str, ...]
) -> task_pb2.Task:
    options = train_options(
        name=model,
        image=IMAGE,
        datasets=(dataset,),
        paths=("main",),
        settings=settings,
        filter_resolution=True,
        augmentations=("colour", "flip", "scale"),
        environment=await _environment(session),
        seed=_SEED,
        acknowledge_missing_paths=True,
    )
    task = await build_task(session, options)
    if special:
        # The rare codes stand at the end of the list, outside the classifier's classes (W3).
        task.training.model_params_json = json.dumps(
            {
                "classification": {"name": "ResNet18", "num_of_classes": len(ORDINARY_CODES)},
                "code_list": list(DEFECTS),
            },
            indent=2,
        )
    found = (await checked(session, task)).findings
    if warnings := [finding for finding in found if not refuses(finding)]:
        session.out.tell(findings_table(warnings))
    return await session.client.submit(task)


async def _environment(session: Session) -> str:
    request = master_data_service_pb2.ListProductionEnvironmentsRequest(page_size=100)
    stub = session.client.master_data
    found = [
        item
        async for item in pages(stub.ListProductionEnvironments, request, "production_environments", limit=1)
    ]
    if not found:
        raise FailedPrecondition("there is no production environment; an administrator makes one")
    return str(found[0].name)


async def _free_name(session: Session, wanted: str) -> str:
    """`wanted`, or `wanted-2`, `wanted-3`, …: a training task holds its name from submission (W1)."""
    request = task_service_pb2.ListTasksRequest(page_size=500, model_name_contains=wanted)
    taken = {
        task.training.model_name async for task in pages(session.client.tasks.ListTasks, request, "tasks")
    }
    number = 1
    while True:
        name = wanted if number == 1 else f"{wanted}-{number}"
        if name not in taken:
            try:
                await session.client.models.GetModel(model_service_pb2.GetModelRequest(name=f"models/{name}"))
            except NotFound:
                return name
        number += 1


def _generated(folder: Path, out: Output) -> Path:
    if not (folder / "groups.csv").is_file():
        unfinished = folder.with_name(f"{folder.name}.part")
        for leftover in (unfinished, folder):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(leftover)
        write_sample(unfinished)
        unfinished.rename(folder)
    out.say(f"generated panel images are in {folder}")
    return folder


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "data"


def _report(out: Output, process: ProcessState) -> None:
    if process.state in (State.READY, State.BACKOFF):
        where = f" at {process.address}" if process.address and process.state is State.READY else ""
        why = f" ({process.detail})" if process.state is State.BACKOFF else ""
        out.say(f"  {process.name}: {process.state}{where}{why}")


def _print(out: Output, renderable: object) -> None:
    if not out.as_json:
        out.console.print(renderable)
