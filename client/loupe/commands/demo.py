"""`loupe demo`: the main job once, end to end, told as it goes."""

import asyncio
import contextlib
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import click
from loupe import names
from loupe.client import AsyncLoupe, pages
from loupe.commands.access import first_log_in
from loupe.commands.data import import_listing, import_summary
from loupe.commands.export import save_package
from loupe.commands.session import Output, Session, local
from loupe.commands.tasks import release_task
from loupe.commands.train import build_task, findings, nothing_wished, what_is_trained
from loupe.commands.watch import fail_unless_good, follow
from loupe.faults import fault_table, refuses
from loupe.folders import FolderListing, hold_out, read_folder
from loupe.profile import default_data_dir, load_profile
from loupe.registry.v1 import master_data_service_pb2, model_pb2, model_service_pb2
from loupe.rendering import estimate, facts, human_bytes, human_duration, message_json, percent
from loupe.rendering import report as report_page
from loupe.sample import DEFECTS, ORDINARY_CODES, write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from rich.rule import Rule

from deploy.embedded import stack
from deploy.embedded.state import ProcessState, State
from services.kit.errors import FailedPrecondition, NotFound

IMAGE = "surface-classification"
BANK = "question-bank"
_BANK_SHARE = 0.15
_SEED = 1
"""So that anybody who runs the demo on the same images gets the same split and the same training."""
_STEPS = 8


@dataclass
class _Story:
    """Says which step comes, and how long all has taken."""

    out: Output
    began_s: float
    step: int = 0

    def next(self, title: str) -> None:
        self.step += 1
        if not self.out.as_json:
            took = human_duration(time.monotonic() - self.began_s)
            self.out.console.print(Rule(f"{self.step}/{_STEPS}  {title}  ({took})", align="left"))


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
      loupe demo --data ../shared/data/magnetic_tile --name tiles
    """
    story = _Story(out, time.monotonic())
    root = (data_dir or default_data_dir()).expanduser().resolve()
    story.next("start the stack")
    result = stack.up(root, detach=True, on_event=lambda process: _tell(out, process))
    out.say("it runs already" if result.already_running else "everything is ready")
    story.next("images")
    if folder is None:
        folder = _generated(root / "demo-panels", out)
        dataset, model = "demo-panels", name or "panel-adc"
        special = True
    else:
        dataset = _slug(folder.resolve().name)
        model = name or f"{dataset}-adc"
        special = False
    listing = read_folder(folder)
    if not listing.samples:
        out.fail(f"{folder} holds no image in a folder of its code (<CODE>/<image>)")

    async def told() -> None:
        async with AsyncLoupe(load_profile(root)) as client:
            session = Session(client, out, root)
            await _story(
                session, story, listing, dataset=dataset, model=model, special=special, settings=settings
            )

    try:
        asyncio.run(told())
    except KeyboardInterrupt:
        raise click.Abort from None


async def _story(  # noqa: PLR0913 -- what the demo was asked for
    session: Session,
    story: _Story,
    listing: FolderListing,
    *,
    dataset: str,
    model: str,
    special: bool,
    settings: tuple[str, ...],
) -> None:
    out = session.out
    await _import(session, listing, dataset)
    story.next("train")
    task = await _submit(
        session, await _free_name(session, model), dataset, special=special, settings=settings
    )
    out.say(f"submitted {task.name}; `loupe watch {names.short(task.name)}` shows it elsewhere too")
    out.say(what_is_trained(task.training))
    task = await follow(session, task.name)
    fail_unless_good(task)
    story.next("report over the validation split")
    validation = await session.client.find_report(task.name)
    _print(out, report_page(validation))
    story.next("release")
    released = await release_task(session, task.name)
    version = names.short(released.model_version)
    if not version:
        raise FailedPrecondition(
            f"{released.name} is released, but its number has not come; see `loupe models`"
        )
    _print(out, f"released as {version}")
    story.next("question bank: images that training never saw")
    spec = task_pb2.PredictionSpec(
        model_version=released.model_version,
        data_paths=[names.data_path(BANK, dataset)],
        compute_resource=task.training.compute_resource,
        confidence_threshold=0.5,
        filter_resolution=True,
        # Whole groups are held out, but the same picture may lie in two of them; the report says so then.
        acknowledge_training_overlap=True,
    )
    prediction = await session.client.submit(task_pb2.Task(prediction=spec))
    prediction = await follow(session, prediction.name)
    fail_unless_good(prediction)
    bank = await session.client.find_report(prediction.name)
    _print(out, report_page(bank))
    story.next("export: what an inspection machine loads")
    folder = session.data_dir / "packages" if session.data_dir else Path()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    exported = await save_package(
        session, released.model_version, folder, model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT
    )
    size = human_bytes(exported.package.size_bytes)
    _print(out, f"{exported.file}: {size}, sha256 {exported.package.sha256}")
    story.next("done: how to go on")
    profile = session.client.profile
    access = await first_log_in(session.client)
    took = time.monotonic() - story.began_s
    verdict = "above" if bank.overall.accuracy.value > bank.overall.majority_share else "NOT above"
    flag = f" --data-dir {session.data_dir}" if session.data_dir != default_data_dir() else ""
    summary = facts(
        {
            "model": version,
            "validation": f"accuracy {estimate(validation.overall.accuracy)}",
            "question bank": f"accuracy {estimate(bank.overall.accuracy)}, "
            f"{verdict} the majority class's {percent(bank.overall.majority_share)}",
            "took": human_duration(took),
            "console": f"http://{profile.gateway_address}  ({access})\n"
            f"click first: 模型库 Models, then {version.partition('@')[0]}; HTTP interface: /docs",
            "gRPC": f"registry {profile.registry_address}, scheduler {profile.scheduler_address}, "
            f"evaluator {profile.evaluator_address}",
            "token": f"in {profile.source} (key `token`)",
            "look": f"loupe models {version.partition('@')[0]}{flag}\n"
            f"loupe samples {version} --verdict misjudged{flag}\n"
            f"loupe events --subject 'loupe.tasks.*.state'{flag}",
            "package": f"{exported.file}\n"
            "use it: python -c 'from loupe.artifact import Artifact; "
            f'print(Artifact("{exported.file}").predict("IMAGE").code)\'\n'
            f"from C: unzip it, and see runtime/examples\n"
            f"check it: loupe verify {exported.file} IMAGES{flag}",
            "retrain": f"loupe train --retrain {version} --warm-start --watch{flag}",
            "stop": f"loupe down{flag}",
        }
    )
    out.answer(
        {
            "model": version,
            "task": message_json(released),
            "validationReport": message_json(validation),
            "questionBankReport": message_json(bank),
            "package": {"file": str(exported.file), **message_json(exported.package)},
            "tookS": took,
        },
        summary,
    )


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
    wishes = nothing_wished(
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
    task = await build_task(session, wishes)
    if special:
        # The rare codes stand at the end of the list, outside the classifier's classes (W3).
        task.training.model_params_json = json.dumps(
            {
                "classification": {"name": "ResNet18", "num_of_classes": len(ORDINARY_CODES)},
                "code_list": list(DEFECTS),
            },
            indent=2,
        )
    if warnings := [finding for finding in await findings(session, task) if not refuses(finding)]:
        session.out.tell(fault_table(warnings))
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


def _tell(out: Output, process: ProcessState) -> None:
    if process.state in (State.READY, State.BACKOFF):
        where = f" at {process.address}" if process.address and process.state is State.READY else ""
        why = f" ({process.detail})" if process.state is State.BACKOFF else ""
        out.say(f"  {process.name}: {process.state}{where}{why}")


def _print(out: Output, renderable: object) -> None:
    if not out.as_json:
        out.console.print(renderable)
