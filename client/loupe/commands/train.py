"""`loupe train`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict, ParseDict
from loupe import names
from loupe.commands.images import whole_numbers
from loupe.commands.session import Session, remote
from loupe.commands.watch import fail_unless_good, follow
from loupe.language import pick
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2, model_pb2, model_service_pb2
from loupe.rendering import message_json
from loupe.scheduler.v1 import task_pb2, task_service_pb2

AUGMENTATIONS = ("colour", "scale", "flip", "random")
NETWORKS = ("classification", "segmentation")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed; empty where it was not."""

    name: str
    image: str
    datasets: tuple[str, ...]
    paths: tuple[str, ...]
    model_params: Path | None
    training_params: Path | None
    settings: tuple[str, ...]
    train_fraction: float | None
    filter_resolution: bool | None
    augmentations: tuple[str, ...] | None
    train_segmentation: bool
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
    help="JSON file (W3): network, code_list.",
)
@click.option(
    "--train-params",
    "training_params",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
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
    "--train-segmentation", is_flag=True, help="Train the segmentation network beside the classifier (W11)."
)
@click.option("--environment", default="", help="Production environment; a general image needs one.")
@click.option("--resource", default="cpu", show_default=True, help="Compute resource.")
@click.option("--seed", default=0, type=click.IntRange(0), help="0: chosen by the server.")
@click.option(
    "--retrain", default="", metavar="MODEL@VERSION", help="Begin with this version's answers (W13)."
)
@click.option("--warm-start", is_flag=True, help="Begin with its weights too.")
@click.option(
    "--acknowledge-missing-paths", is_flag=True, help="Train without the image's own training paths (W4)."
)
@click.option("--priority", default=0, help="Higher goes first.")
@click.option(
    "--request-id", default="", help="The same id gives the same task, however often it is sent (W12)."
)
@click.option("--validate-only", is_flag=True, help="Check everything and submit nothing.")
@click.option("--watch", is_flag=True, help="Follow it to its end; exit code 1 if it fails.")
@remote
async def train(
    session: Session,
    /,
    *,
    request_id: str,
    validate_only: bool,
    watch: bool,
    **wishes: Any,  # noqa: ANN401 -- Wishes' fields
) -> None:
    """Train a new model, or retrain a version with --retrain. All faults are named, with their fields.

    \b
    Examples:
      loupe train --name panel-adc --image surface-classification@v3.0 --dataset panels \\
          --environment demo-fab-cell-array --augment flip,colour --watch
      loupe train --name panel-adc --image surface-classification --dataset panels --path main \\
          --environment demo-fab-cell-array --model-params model.json --set max_iter=800 --set base_lr=0.02
      loupe train --retrain panel-adc@v3.01 --dataset panels --warm-start --watch
    """
    task = await build_task(session, Wishes(**wishes))
    if validate_only:
        await _validate(session, task)
        return
    warnings = await findings(session, task)
    for warning in warnings:
        if warning.warning:
            session.out.say(
                f"warning: {warning.field}: {pick(warning.message, warning.message_zh)} [{warning.reason}]"
            )
    created = await session.client.submit(task, request_id=request_id)
    if not watch:
        text = f"submitted {created.name}: {created.training.model_name} v{created.training.target_major}"
        session.out.answer(message_json(created), text)
        session.out.hint(f"next: loupe watch {names.short(created.name)}")
        return
    session.out.say(f"submitted {created.name}")
    ended = await follow(session, created.name)
    if session.out.as_json:
        session.out.answer(message_json(ended), "")
    fail_unless_good(ended)
    session.out.hint(f"next: loupe report {names.short(ended.name)}; loupe release {names.short(ended.name)}")


async def findings(
    session: Session, task: task_pb2.Task
) -> Sequence[task_service_pb2.ValidateTaskResponse.Finding]:
    """What the server finds in a task before it is submitted."""
    answer = await session.client.tasks.ValidateTask(
        task_service_pb2.ValidateTaskRequest(task=task), timeout=60
    )
    return list(answer.findings)


async def _validate(session: Session, task: task_pb2.Task) -> None:
    found = await findings(session, task)
    errors = [finding for finding in found if not finding.warning]
    lines = [
        f"{'warning' if finding.warning else 'error'}: {finding.field}: "
        f"{pick(finding.message, finding.message_zh)} [{finding.reason}]"
        for finding in found
    ]
    session.out.answer(
        {"findings": [message_json(finding) for finding in found]},
        "" if errors else "\n".join([*lines, "valid"]),
    )
    if errors:
        session.out.fail("\n".join([f"{len(errors)} fault(s)", *lines]))


async def build_task(session: Session, wishes: Wishes) -> task_pb2.Task:
    """The task that was wished for, with a parent version's answers where nothing else was said."""
    spec = await _beginning(session, wishes)
    spec.warm_start = wishes.warm_start
    spec.seed = wishes.seed
    spec.train_segmentation = wishes.train_segmentation
    spec.acknowledge_missing_training_paths = wishes.acknowledge_missing_paths
    spec.compute_resource = names.resource("computeResources", wishes.resource)
    if wishes.name:
        spec.model_name = wishes.name
    if wishes.image:
        spec.algorithm_image_version = (await session.client.image_version(wishes.image)).name
    if wishes.environment:
        spec.production_environment = names.resource("productionEnvironments", wishes.environment)
    if wishes.datasets or wishes.paths:
        chosen = await session.client.data_paths(wishes.datasets, wishes.paths)
        # W6: a parent's paths stay; others are added.
        spec.data_paths.extend(path for path in chosen if path not in set(spec.data_paths))
    if wishes.model_params is not None:
        # As it was written: the server tells line and column of what is malformed.
        spec.model_params_json = wishes.model_params.read_text(encoding="utf-8-sig")
    if wishes.training_params is not None:
        spec.training_params_json = wishes.training_params.read_text(encoding="utf-8-sig")
    if wishes.settings:
        image = await session.client.image_version(spec.algorithm_image_version)
        spec.training_params_json = apply_settings(spec.training_params_json, image, wishes.settings)
    _preprocess(spec.preprocessing, wishes)
    return task_pb2.Task(training=spec, priority=wishes.priority)


async def _beginning(session: Session, wishes: Wishes) -> task_pb2.TrainingSpec:
    if wishes.retrain:
        parent = await session.client.models.GetModelVersion(
            model_service_pb2.GetModelVersionRequest(name=names.model_version(wishes.retrain))
        )
        image = await session.client.images.GetAlgorithmImage(
            algorithm_image_service_pb2.GetAlgorithmImageRequest(
                name=parent.algorithm_image_version.partition("/versions/")[0]
            )
        )
        return spec_of_parent(parent, image.kind)
    if not wishes.name or not wishes.image or not (wishes.datasets or wishes.paths):
        raise click.UsageError(
            "a new model needs --name, --image and --dataset (or --path); --retrain fills them in"
        )
    return task_pb2.TrainingSpec(preprocessing=task_pb2.PreprocessingParams(train_fraction=0.8))


def _preprocess(params: task_pb2.PreprocessingParams, wishes: Wishes) -> None:
    """Replace what was said; the rest stays."""
    if wishes.train_fraction is not None:
        params.train_fraction = wishes.train_fraction
    if wishes.filter_resolution is not None:
        params.filter_resolution = wishes.filter_resolution
    if wishes.augmentations is not None:
        del params.augmentations[:]
        params.augmentations.extend(
            task_pb2.Augmentation.Value(f"AUGMENTATION_{word.upper()}") for word in wishes.augmentations
        )


def spec_of_parent(parent: model_pb2.ModelVersion, kind: int) -> task_pb2.TrainingSpec:
    """A version's answers to the wizard's questions (W13)."""
    spec = task_pb2.TrainingSpec(
        model_name=parent.name.split("/")[1],
        algorithm_image_version=parent.algorithm_image_version,
        data_paths=[snapshot.partition("/snapshots/")[0] for snapshot in parent.snapshots],
        training_params_json=_text(whole_numbers(MessageToDict(parent.training_params))),
        parent_version=parent.name,
    )
    if kind == algorithm_image_pb2.IMAGE_KIND_GENERAL:
        # A business image brings both itself (W2).
        spec.production_environment = parent.production_environment
        spec.model_params_json = _text(whole_numbers(MessageToDict(parent.model_params)))
    ParseDict(MessageToDict(parent.preprocessing_params), spec.preprocessing, ignore_unknown_fields=True)
    return spec


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


def nothing_wished(**given: Any) -> Wishes:  # noqa: ANN401 -- Wishes' fields
    """Wishes with all that is not given left open; for commands that submit on their own."""
    empty: Mapping[str, Any] = {
        "name": "", "image": "", "datasets": (), "paths": (), "model_params": None, "training_params": None,
        "settings": (), "train_fraction": None, "filter_resolution": None, "augmentations": None,
        "train_segmentation": False, "environment": "", "resource": "cpu", "seed": 0, "retrain": "",
        "warm_start": False, "acknowledge_missing_paths": False, "priority": 0,
    }  # fmt: skip
    return Wishes(**{**empty, **given})
