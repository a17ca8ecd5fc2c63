"""What a training would be before it is submitted, as tables (W14)."""

from google.protobuf.json_format import MessageToDict
from loupe import names
from loupe.language import pick, translated
from loupe.rendering import duration_s, enum_word, facts, human_duration, table
from loupe.scheduler.v1 import job_pb2, summary_pb2, task_pb2
from loupe.text import human_bytes
from rich.console import Group, RenderableType


def training_summary(value: summary_pb2.TrainingSummary, *, seed_is_given: bool) -> RenderableType:
    """All that the server resolved. A seed that was drawn for the check alone is not shown as one."""
    return Group(_facts(value, seed_is_given=seed_is_given), _codes(value), _networks(value), _paths(value))


def _facts(value: summary_pb2.TrainingSummary, *, seed_is_given: bool) -> RenderableType:
    spec, size = value.training, value.input
    preprocessing = spec.preprocessing
    augmentations = ", ".join(
        enum_word(task_pb2.Augmentation, one).lower() for one in preprocessing.augmentations
    )
    resource, takes = names.short(spec.compute_resource), value.takes
    amounts = translated(
        "{gpus} GPUs, {cpus} CPUs, {memory}",
        gpus=takes.gpus,
        cpus=takes.cpus,
        memory=human_bytes(takes.memory_bytes),
    )
    if value.nodes > 1:
        amounts = translated("{nodes} hosts, each with {amounts}", nodes=value.nodes, amounts=amounts)
    return facts(
        {
            translated("model"): f"{spec.model_name} v{spec.target_major}",
            translated("image version"): spec.algorithm_image_version,
            translated("environment"): spec.production_environment,
            translated("input"): f"{size.width} × {size.height} × {size.channels}",
            translated("starting weights"): _start(value),
            translated("training side"): f"{preprocessing.train_fraction:g}",
            translated("resolution filter"): _yes(preprocessing.filter_resolution),
            translated("augmentation"): augmentations or "–",
            translated("segmentation"): _yes(spec.train_segmentation),
            translated("seed"): str(spec.seed) if seed_is_given else translated("drawn at submission"),
            translated("resource"): f"{resource}: {amounts}",
            translated("workers"): _workers(value),
            translated("duration"): _duration(value),
        }
    )


def _yes(holds: bool) -> str:  # noqa: FBT001 -- it is what is shown
    return translated("yes") if holds else translated("no")


def _start(value: summary_pb2.TrainingSummary) -> str:
    if not value.warm_start_weights_sha256:
        return translated("none: from scratch")
    return f"{value.training.parent_version} ({value.warm_start_weights_sha256[:12]}…)"


def _workers(value: summary_pb2.TrainingSummary) -> str:
    lines = []
    for there in value.workers:
        kind = enum_word(job_pb2.JobKind, there.kind).lower()
        told = pick(there.message, there.message_zh) or translated(
            "{free} of {count} are free", free=there.free_count, count=there.worker_count
        )
        lines.append(f"{kind}: {told}")
    if value.waiting_count:
        lines.append(translated("jobs that wait already: {count}", count=value.waiting_count))
    return "\n".join(lines)


def _duration(value: summary_pb2.TrainingSummary) -> str:
    if not value.HasField("estimated_duration"):
        return translated("not known: no training with this resource and a similar input was measured yet")
    time = human_duration(duration_s(value.estimated_duration))
    sizes = {_size(one.scaled_from): None for one in value.networks if one.HasField("scaled_from")}
    if sizes:
        return translated(
            "roughly {duration} of training: an estimate from trainings with another input ({sizes}), by the "
            "number of pixels, since none with this input was measured; waiting, preprocessing and "
            "evaluation come on top",
            duration=time,
            sizes=", ".join(sizes),
        )
    return translated(
        "about {duration} of training, as measured with this resource and input; waiting, preprocessing and "
        "evaluation come on top",
        duration=time,
    )


def _size(value: summary_pb2.InputSize) -> str:
    seen = f" (detail {value.detail})" if value.detail > 1 else ""
    return f"{value.width} × {value.height}{seen}"


def _pace(value: summary_pb2.NetworkPlan) -> str:
    if not value.images_per_s:
        return "–"
    if value.HasField("scaled_from"):
        return translated(
            "about {pace} images/s, from {size} ({count}×)",
            pace=f"{value.images_per_s:.1f}",
            size=_size(value.scaled_from),
            count=value.measured_count,
        )
    return f"{value.images_per_s:.1f} images/s ({value.measured_count}×)"


def _codes(value: summary_pb2.TrainingSummary) -> RenderableType:
    numbers = (
        translated("SAMPLES"),
        translated("GROUPS"),
        translated("TO TRAIN"),
        translated("TO VALIDATE"),
        translated("MASKS"),
    )
    rows = [
        (
            one.code,
            translated("special") if one.special else translated("class"),
            str(one.sample_count),
            str(one.part_count),
            str(one.train_count),
            str(one.validation_count),
            str(one.mask_count),
        )
        for one in value.codes
    ]
    if value.unlisted_sample_count:
        rows.append((translated("(left out)"), "", str(value.unlisted_sample_count), "", "", "", ""))
    return table(translated("CODE"), translated("KIND"), *numbers, rows=rows, right=numbers)


def _networks(value: summary_pb2.TrainingSummary) -> RenderableType:
    params = MessageToDict(value.training.training_params)
    rows = []
    for one in value.networks:
        level = enum_word(task_pb2.Network, one.network).lower()
        # A Struct is a map, whose order Protocol Buffers leave open: sorted, it reads alike each time.
        rest = sorted((k, v) for k, v in params.get(level, {}).items() if k not in ("max_iter", "batch_size"))
        written = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in rest)
        rows.append(
            (
                f"{level} {one.name}".strip(),
                str(one.max_iter),
                str(one.batch_size),
                f"{one.epochs:.3g}",
                written,
                _pace(one),
            )
        )
    return table(
        translated("NETWORK"),
        translated("ITERATIONS"),
        translated("BATCH"),
        translated("EPOCHS"),
        translated("PARAMETERS"),
        translated("MEASURED"),
        rows=rows,
    )


def _paths(value: summary_pb2.TrainingSummary) -> RenderableType:
    samples = translated("SAMPLES")
    rows = [(one.data_path, str(one.sample_count)) for one in value.data_paths]
    return table(translated("DATA PATH"), samples, rows=rows, right=(samples,))
