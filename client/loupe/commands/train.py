"""`loupe train`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from google.protobuf.json_format import MessageToDict
from loupe import names
from loupe.commands.images import whole_numbers
from loupe.commands.session import Session, remote
from loupe.commands.watch import fail_unless_good, follow
from loupe.errors import AlreadyExists, InvalidArgument
from loupe.findings import Finding, findings_table, refuses
from loupe.language import translated
from loupe.registry.v1 import algorithm_image_pb2
from loupe.rendering import message_json
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.training_summary import training_summary
from rich.console import Group, RenderableType

AUGMENTATIONS = ("colour", "scale", "flip", "random")
NETWORKS = ("classification", "segmentation")
STEPS = ("1", "2", "3", "4")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of `loupe train`; empty where an option was not given."""

    name: str
    image: str
    datasets: tuple[str, ...]
    paths: tuple[str, ...]
    model_params: str | None
    training_params: str | None
    settings: tuple[str, ...]
    train_fraction: float | None
    filter_resolution: bool | None
    augmentations: tuple[str, ...] | None
    train_segmentation: bool | None
    image_paths: bool
    environment: str
    resource: str
    seed: int
    retrain: str
    warm_start: bool
    acknowledge_missing_paths: bool
    priority: int


def _augmentations(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    chosen = tuple(word.strip().lower() for word in value.split(",") if word.strip())
    for word in chosen:
        if word not in (*AUGMENTATIONS, "color", "none"):
            raise click.BadParameter(f"{word!r} is not one of {', '.join(AUGMENTATIONS)}")
    return tuple("colour" if word == "color" else word for word in chosen if word != "none")


def _text_of(_ctx: click.Context, _param: click.Parameter, file: Path | None) -> str | None:
    """The text of a file, as it is: the server reports line and column of what is malformed."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file} is not UTF-8 text; save it as UTF-8") from error


@click.command(short_help="Train a new model, or retrain a version.")
@click.option(
    "--name", default="", help="Of the model: a letter first, then A-Z a-z 0-9 _ -, at most 60 (W1)."
)
@click.option(
    "--image", default="", metavar="IMAGE[@VERSION]", help="Algorithm image; without a version its newest."
)
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME", help="All data paths of a dataset. Repeatable."
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="[DATASET/]PATH",
    help="One data path; narrows a single --dataset. Repeatable.",
)
@click.option(
    "--model-params",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    callback=_text_of,
    help="JSON file (W3): network, code_list.",
)
@click.option(
    "--train-params",
    "training_params",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    callback=_text_of,
    help="JSON file (W8).",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One training parameter, as base_lr=0.01 or segmentation.max_iter=500. Repeatable.",
)
@click.option(
    "--train-fraction", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="[default: 0.8]"
)
@click.option(
    "--filter-resolution/--no-filter-resolution",
    default=None,
    help="Set aside images of a wrong resolution (M1).",
)
@click.option(
    "--augment",
    "augmentations",
    callback=_augmentations,
    metavar="LIST",
    help="Of colour,scale,flip,random; or none.",
)
@click.option(
    "--train-segmentation/--no-train-segmentation",
    default=None,
    help="Train the segmentation network beside the classifier (W11).",
)
@click.option("--image-paths", is_flag=True, help="All data paths that the image was itself trained on (W4).")
@click.option("--environment", default="", help="Production environment; a general image needs one.")
@click.option("--resource", default="", help="Compute resource.  [default: the parent's, or cpu]")
@click.option("--seed", default=0, type=click.IntRange(0, 2**63 - 1), help="0: chosen by the server.")
@click.option(
    "--retrain", default="", metavar="MODEL@VERSION", help="Begin with this version's answers (W13)."
)
@click.option("--warm-start", is_flag=True, help="Begin with its weights too.")
@click.option(
    "--acknowledge-missing-paths", is_flag=True, help="Train without the image's own training paths (W4)."
)
@click.option("--priority", default=0, type=click.IntRange(0, 9), help="Higher goes first.")
@click.option(
    "--request-id", default="", help="The same id gives the same task, however often it is sent (W12)."
)
@click.option(
    "--check",
    is_flag=False,
    flag_value="all",
    default=None,
    type=click.Choice([*STEPS, "all"]),
    metavar="[STEP]",
    help="Check step 1 (name, image), 2 (data), 3 (training) or 4 (preprocessing), or all; submit nothing.",
)
@click.option("--watch", is_flag=True, help="Follow it to its end; exit code 1 if it fails.")
@remote
async def train(
    session: Session,
    /,
    *,
    request_id: str,
    check: str | None,
    watch: bool,
    **options: Any,  # noqa: ANN401 -- the fields of TrainOptions
) -> None:
    """Train a new model, or retrain a version with --retrain.

    All faults are listed together, each with its field and the option that mends it. With --json they are
    {"valid": false, "findings": […]} on stdout. The exit code is 1 if the submission is refused.
    --check also shows what would be trained, how long it may take, and whether a worker is there; with --json
    in "summary" (W14).

    \b
    Examples:
      loupe train --name panel-adc --image surface-classification@v3.0 --dataset panels \\
          --environment demo-fab-cell-array --augment flip,colour --watch
      loupe train --name panel-adc --image surface-classification --dataset panels --path main \\
          --environment demo-fab-cell-array --model-params model.json --set max_iter=800 --set base_lr=0.02
      loupe train --check 1 --name panel-adc --image surface-classification
      loupe train --retrain panel-adc@v3.01 --dataset panels --warm-start --watch
    """
    chosen = TrainOptions(**options)
    if check is None:
        _require_beginning(chosen)
    task = await build_task(session, chosen)
    if check is not None:
        await _check(session, task, 0 if check == "all" else int(check))
        return
    created = await submitted(session, task, request_id)
    if not watch:
        text = f"submitted {created.name}: {created.training.model_name} v{created.training.target_major}"
        session.out.answer(message_json(created), f"{text}\n{what_is_trained(created.training)}")
        session.out.hint(f"next: loupe watch {names.short(created.name)}")
        return
    session.out.say(f"submitted {created.name}")
    session.out.say(what_is_trained(created.training))
    ended = await follow(session, created.name)
    if session.out.as_json:
        session.out.answer(message_json(ended), "")
    fail_unless_good(ended)
    session.out.hint(f"next: loupe report {names.short(ended.name)}; loupe release {names.short(ended.name)}")


def what_is_trained(spec: task_pb2.TrainingSpec) -> str:
    """The codes of a submitted training as the server resolved them: the user need not give any (W3a)."""
    params = MessageToDict(spec.model_params)
    codes = params["code_list"]
    classes = int(params["classification"]["num_of_classes"])
    text = f"trains {classes} classes ({', '.join(codes[:classes])})"
    special = codes[classes:]
    return text + (f" and {len(special)} special codes ({', '.join(special)})" if special else "")


async def submitted(session: Session, task: task_pb2.Task, request_id: str) -> task_pb2.Task:
    """Submit the task and show its warnings; if it is refused, end with all findings."""
    found = (await checked(session, task)).findings
    try:
        created = await session.client.submit(task, request_id=request_id)
    except (InvalidArgument, AlreadyExists):
        # A request that is repeated is not refused for the name that it holds itself (W12).
        if any(refuses(finding) for finding in found):
            _refuse(session, found)
        raise
    if warnings := [finding for finding in found if not refuses(finding)]:
        session.out.tell(findings_table(warnings))
    return created


async def checked(
    session: Session, task: task_pb2.Task, step: int = 0
) -> task_service_pb2.ValidateTaskResponse:
    """What the server finds in one step of a task, or in all steps (0), before it is submitted."""
    answer: task_service_pb2.ValidateTaskResponse = await session.client.tasks.ValidateTask(
        task_service_pb2.ValidateTaskRequest(task=task, step=step), timeout=60
    )
    return answer


async def _check(session: Session, task: task_pb2.Task, step: int) -> None:
    """Show the findings; of all steps without a fault also what would be trained (W14)."""
    answer = await checked(session, task, step)
    if any(refuses(finding) for finding in answer.findings):
        _refuse(session, answer.findings)
    shown: list[RenderableType] = [findings_table(answer.findings)] if answer.findings else []
    as_json = _as_json(answer.findings)
    if answer.HasField("summary"):
        as_json["summary"] = message_json(answer.summary)
        shown.append(training_summary(answer.summary, seed_is_given=task.training.seed != 0))
    session.out.answer(as_json, Group(*shown, translated("valid")))


def _refuse(session: Session, found: Sequence[Finding]) -> NoReturn:
    """End with exit code 1 and all findings."""
    if session.out.as_json:
        session.out.answer(_as_json(found), "")
    else:
        session.out.tell(findings_table(found))
    count = sum(refuses(finding) for finding in found)
    session.out.fail(translated("{count} fault(s); nothing was submitted", count=count))


def _as_json(found: Sequence[Finding]) -> dict[str, Any]:
    return {
        "valid": not any(refuses(finding) for finding in found),
        "findings": [message_json(finding) for finding in found],
    }


async def build_task(session: Session, options: TrainOptions) -> task_pb2.Task:
    """The task that the options describe; what they leave open is the parent version's."""
    spec = await _beginning(session, options)
    spec.warm_start = options.warm_start
    spec.seed = options.seed
    if options.train_segmentation is not None:
        spec.train_segmentation = options.train_segmentation
    if options.acknowledge_missing_paths:
        spec.acknowledge_missing_training_paths = True
    if options.resource or not spec.compute_resource:
        spec.compute_resource = names.resource("computeResources", options.resource or "cpu")
    if options.name:
        spec.model_name = options.name
    if options.image:
        spec.algorithm_image_version = (await session.client.image_version(options.image)).name
    if options.environment:
        spec.production_environment = names.resource("productionEnvironments", options.environment)
    await _add_paths(session, spec, options)
    await _parameterise(session, spec, options)
    _preprocess(spec.preprocessing, options)
    return task_pb2.Task(training=spec, priority=options.priority)


def _require_beginning(options: TrainOptions) -> None:
    """UsageError where an option is absent that every submission needs; a check of one step does not."""
    if not options.retrain and not (options.name and options.image and (options.datasets or options.paths)):
        raise click.UsageError(
            "a new model needs --name, --image and --dataset (or --path); --retrain fills them in"
        )


async def _beginning(session: Session, options: TrainOptions) -> task_pb2.TrainingSpec:
    """A parent version's answers, or none (W13)."""
    if not options.retrain:
        return task_pb2.TrainingSpec()
    draft = await session.client.tasks.DraftRetraining(
        task_service_pb2.DraftRetrainingRequest(parent_version=names.model_version(options.retrain))
    )
    spec: task_pb2.TrainingSpec = draft.task.training
    return spec


async def _add_paths(session: Session, spec: task_pb2.TrainingSpec, options: TrainOptions) -> None:
    """Add the chosen paths; those of a parent stay (W6)."""
    chosen: list[str] = []
    if options.datasets or options.paths:
        chosen += await session.client.data_paths(options.datasets, options.paths, trainable=True)
        for dataset in options.datasets:
            for path in await session.client.list_data_paths(dataset):
                if path.question_banks and path.name not in chosen:
                    banks = ", ".join(names.short(bank) for bank in path.question_banks)
                    session.out.say(f"{names.short(path.name)} is left out: question bank {banks} holds it")
    if options.image_paths:
        chosen += (await _image(session, spec, "--image-paths")).training_paths
    known = set(spec.data_paths)
    spec.data_paths.extend(path for path in dict.fromkeys(chosen) if path not in known)


async def _parameterise(session: Session, spec: task_pb2.TrainingSpec, options: TrainOptions) -> None:
    """Replace the parameters that the options give; the rest stays."""
    if options.model_params is not None:
        spec.model_params_json = options.model_params
    if options.training_params is not None:
        spec.training_params_json = options.training_params
    if options.settings:
        image = await _image(session, spec, "--set")
        spec.training_params_json = apply_settings(spec.training_params_json, image, options.settings)


async def _image(
    session: Session, spec: task_pb2.TrainingSpec, option: str
) -> algorithm_image_pb2.AlgorithmImageVersion:
    if not spec.algorithm_image_version:
        raise click.UsageError(f"{option} needs --image")
    version: algorithm_image_pb2.AlgorithmImageVersion = await session.client.image_version(
        spec.algorithm_image_version
    )
    return version


def _preprocess(params: task_pb2.PreprocessingParams, options: TrainOptions) -> None:
    """Replace what the options give; the rest stays."""
    if options.train_fraction is not None:
        params.train_fraction = options.train_fraction
    if options.filter_resolution is not None:
        params.filter_resolution = options.filter_resolution
    if options.augmentations is not None:
        del params.augmentations[:]
        params.augmentations.extend(
            task_pb2.Augmentation.Value(f"AUGMENTATION_{word.upper()}") for word in options.augmentations
        )


def apply_settings(
    text: str, image: algorithm_image_pb2.AlgorithmImageVersion, settings: Sequence[str]
) -> str:
    """Training parameters with single values replaced: those of `text`, or the image's defaults.

    Malformed text stays as it is, so that the server can say what is wrong with it. A key is not checked here
    either.
    """
    if text:
        try:
            params = json.loads(text)
        except ValueError:
            return text
        if not isinstance(params, dict):
            return text
    else:
        params = whole_numbers(MessageToDict(image.default_training_params))
    assert isinstance(params, dict)  # noqa: S101 -- a Struct is a JSON object
    for setting in settings:
        key, equals, written = setting.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set {setting}: write KEY=VALUE, as in base_lr=0.01")
        network, dot, parameter = key.partition(".")
        if not dot:
            network, parameter = NETWORKS[0], key
        level = params.setdefault(network, {})
        if isinstance(level, dict):
            level[parameter] = _value(written)
    return _text(params)


def _text(params: object) -> str:
    """One text for the same parameters: a Struct has no order, and a repeated request must be the same."""
    return json.dumps(params, sort_keys=True)


def _value(written: str) -> object:
    """A number if it is one, else the word itself: `lr_policy=poly` needs no quotes."""
    try:
        return json.loads(written)
    except ValueError:
        return written


def train_options(**given: Any) -> TrainOptions:  # noqa: ANN401 -- the fields of TrainOptions
    """TrainOptions with every option but the given ones left out, for other commands that submit."""
    empty: Mapping[str, Any] = {
        "name": "", "image": "", "datasets": (), "paths": (), "model_params": None, "training_params": None,
        "settings": (), "train_fraction": None, "filter_resolution": None, "augmentations": None,
        "train_segmentation": None, "image_paths": False, "environment": "", "resource": "", "seed": 0,
        "retrain": "", "warm_start": False, "acknowledge_missing_paths": False, "priority": 0,
    }  # fmt: skip
    return TrainOptions(**{**empty, **given})
