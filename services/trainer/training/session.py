"""One order from manifest to weights: prepare, train network after network, certify."""

import importlib.metadata
import platform
import time
from functools import partial
from pathlib import Path

import torch
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2
from torch import nn

from services import look_messages
from services.looks import NetworkLooks, TrainingLooks, can_end_early, look_count
from services.trainer.training.best_look import BestLook
from services.trainer.training.checkpoint import Checkpoint, OtherTraining, Progress
from services.trainer.training.classification import Classification, initial_network
from services.trainer.training.learner import Learner
from services.trainer.training.loop import make_optimiser, train
from services.trainer.training.monitoring import (
    Channel,
    Checkpoints,
    ProgressReporter,
    Share,
    emit_log,
    emit_progress,
    network_of,
)
from services.trainer.training.preparing import Prepared, prepare
from services.trainer.training.processes import Group, alone
from services.trainer.training.recipe import TrainingRecipe
from services.trainer.training.segmentation import Segmentation
from services.vision.pack import PackCache
from services.vision.samples import ObjectReader, read_verified
from services.vision.weights import Weights, certify, load_weights, save_weights
from services.vision.windows import Windows


def run(  # noqa: PLR0913, PLR0917 - an order, and everything that it meets
    order: order_pb2.Order,
    objects: ObjectReader,
    cache: PackCache,
    folder: Path,
    channel: Channel,
    group: Group | None = None,
) -> None:
    """Executes a train order; the events are those of `loupe.worker.v1.Event`. Raises Fault.

    Every process of the group does, with the same order and a folder of its own; without a group, this
    process alone.
    """
    group = group or alone()
    recipe, work = TrainingRecipe.from_order(order), order.train.work
    torch.set_num_threads(max(1, (recipe.threads or _THREADS) // group.local_size))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with group.in_turn():
        prepared = prepare(recipe, work, objects, cache, folder, channel)
    group.wait_for_hosts(partial(_wait, channel))
    device = group.device
    torch.use_deterministic_algorithms(device.type == "cpu")
    torch.backends.cudnn.benchmark = True  # batches are all of one shape
    parent = _warm_start(work, objects, folder)
    classification = Classification(recipe, prepared, initial_network(recipe, device, parent), group)
    segmentation = Segmentation(recipe, prepared, parent, group) if recipe.segmentation else None
    learners: list[Learner] = [learner for learner in (classification, segmentation) if learner]
    digest = recipe.digest(prepared.split_sha256 + str(_warm_start_key(work)))
    reporters, looked = _train_all(
        learners, recipe, _resume(work, objects, folder, digest, channel), digest, folder, channel, group
    )
    windows = classification.windows  # every process of the group computes them
    if not group.leads:
        return
    looks = TrainingLooks(**looked)
    weights_path = _save_weights(
        recipe, work, prepared, classification, segmentation, windows, looks, folder, channel, group
    )
    reporter = reporters[classification.name]
    finished = event_pb2.TrainingFinished(
        weights_path=str(weights_path),
        split_path=str(prepared.split_path),
        validation_accuracy=looks.classification.best_score if looks.classification else None,
        validation_iou=looks.segmentation.best_score if looks.segmentation else None,
        images_per_s=reporter.images_per_s,
        duration_s=round(time.monotonic() - started, 3),
        throughputs=_throughputs(reporters),
        looks=look_messages.to_message(looks),
    )
    channel.emit(event_pb2.Event(trained=finished))


def _save_weights(  # noqa: PLR0913, PLR0917 - what the weights' certificate and the decision rules are made from
    recipe: TrainingRecipe,
    work: job_pb2.TrainWork,
    prepared: Prepared,
    classification: Classification,
    segmentation: Segmentation | None,
    windows: Windows | None,
    looks: TrainingLooks,
    folder: Path,
    channel: Channel,
    group: Group,
) -> Path:
    """Writes the trained networks with their certificate and the rules of special and ordinary codes."""
    special = classification.special_rule(channel, segmentation.known_special if segmentation else ())
    certificate = certify(
        recipe.network,
        recipe.codes,
        recipe.num_of_classes,
        recipe.input_specification,
        windows=windows,
        recipe=recipe.to_json(),
        manifests=[manifest.sha256 for manifest in work.manifests],
        split_sha256=prepared.split_sha256,
        warm_start=_warm_start_key(work),
        code_version=importlib.metadata.version("loupe"),
        torch_version=str(torch.__version__),
        device=_device_name(group.device),
        threads=torch.get_num_threads(),
        processes=group.size,
        looks=looks.to_json(),
        order=dict(sorted(work.origin.items())),
    )
    weights_path = folder / "weights.safetensors"
    segments = None
    if segmentation:
        segments = segmentation.trained(partial(classification.predicted_codes, special=special))
        areas = ", ".join(f"{code} > {least:g} px" for code, least in segments.regions.min_area_px.items())
        text = f"codes decided by regions: {areas or 'none, the classifier alone is better'}"
        emit_log(channel, segmentation.name, text)
    save_weights(weights_path, Weights(certificate, classification.network.state_dict(), special, segments))
    return weights_path


def _train_all(  # noqa: PLR0913, PLR0917 - who is trained, from where on, and who is told
    learners: list[Learner],
    recipe: TrainingRecipe,
    resume: Checkpoint | None,
    digest: str,
    folder: Path,
    channel: Channel,
    group: Group,
) -> tuple[dict[str, ProgressReporter], dict[str, NetworkLooks]]:
    """One network after another, from the checkpoint on; who watched each, and the looks at it."""
    costs = [learner.relative_cost * learner.parameters.max_iter for learner in learners]
    names = [learner.name for learner in learners]
    at = names.index(resume.progress.network) if resume else 0
    trained: dict[str, nn.Module] = {}
    reporters = {}
    looks = dict(resume.progress.looks) if resume else {}
    for number, learner in enumerate(learners):
        max_iter = learner.parameters.max_iter
        share = Share(sum(costs[:number]) / sum(costs), sum(costs[: number + 1]) / sum(costs))
        reporter = reporters[learner.name] = ProgressReporter(learner.name, max_iter, share, channel)
        if resume and number < at:
            resume.restore(learner.name, learner.network)
        else:
            here = resume if resume and number == at else None
            optimiser = make_optimiser(learner.network, learner.parameters)
            best = _best_look(learner, here, reporter)
            begun = Progress(learner.name, 0, digest, torch.get_num_threads(), group.size, dict(looks))
            checkpoints = Checkpoints(
                folder,
                learner.network,
                optimiser,
                begun,
                channel,
                max_iter=max_iter,
                interval_s=recipe.checkpoint_interval_s,
                best=best,
                trained=dict(trained),
            )
            start = 0
            if here:
                here.resume(learner.network, optimiser)
                start = here.progress.next_iteration
                _log_changes(here.progress, begun, reporter)
            elif number and group.leads:
                checkpoints.save(0)  # what the networks before have learnt
            _train(learner, optimiser, start, reporter, checkpoints, best, group)
            looks[learner.name] = best.looks
        trained[learner.name] = learner.network
    return reporters, looks


def _best_look(learner: Learner, resume: Checkpoint | None, reporter: ProgressReporter) -> BestLook:
    looks, patience = NetworkLooks(learner.parameters.max_iter), learner.parameters.patience
    if resume is None:
        return BestLook(learner.network, looks, patience=patience)
    known = resume.progress.looks.get(learner.name)
    if known is None:
        reporter.log("the checkpoint is from before looks were kept: only looks after it count")
    return BestLook(learner.network, known or looks, resume.best, patience=patience)


def _train(  # noqa: PLR0913, PLR0917 - the parts of a training
    learner: Learner,
    optimiser: torch.optim.SGD,
    start: int,
    reporter: ProgressReporter,
    checkpoints: Checkpoints,
    best: BestLook,
    group: Group,
) -> None:
    max_iter, patience = learner.parameters.max_iter, learner.parameters.patience
    reporter.log(
        f"{learner.described()}; iterations {start}..{max_iter - 1} on {_device_name(group.device)}, "
        f"{_counted(torch.get_num_threads(), group.size)}, torch {torch.__version__}"
    )
    if patience > 0 and not can_end_early(patience, look_count(max_iter, learner.validation_interval)):
        reporter.log(f"patience {patience} cannot end this training early: there are too few looks")
    begun = time.monotonic()
    with learner.batches(range(start, max_iter)) as batches:
        train(
            learner.network,
            learner.loss,
            optimiser,
            batches,
            learner.parameters,
            reporter,
            validate=learner.score,
            validation_interval=learner.validation_interval,
            best=best,
            checkpoints=checkpoints,
            group=group,
        )
    end = best.looks.last_iteration or max_iter
    trained = end - start
    # The rest after a late checkpoint is mostly warming up.
    if 2 * trained >= end:
        reporter.throughput = trained * learner.parameters.batch_size / max(time.monotonic() - begun, 1e-9)
    if best.restore():
        learner.score()  # chooses what belongs to these weights, such as the defect threshold
    reporter.ended(best.looks, patience)


def _throughputs(reporters: dict[str, ProgressReporter]) -> list[job_pb2.Throughput]:
    return [
        job_pb2.Throughput(network=network_of(name), images_per_s=round(reporter.throughput, 3))
        for name, reporter in reporters.items()
        if reporter.throughput
    ]


def _log_changes(before: Progress, now: Progress, reporter: ProgressReporter) -> None:
    previous, current = (_counted(progress.threads, progress.processes) for progress in (before, now))
    if previous != current:
        reporter.log(f"resumed with {current}, begun with {previous}: equal up to rounding")


def _wait(channel: Channel) -> None:
    """Says that the child lives, while other hosts prepare."""
    channel.stop_if_asked()
    emit_progress(channel, task_pb2.PHASE_PREPROCESSING, task_pb2.Progress(fraction=1.0))


def _counted(threads: int, processes: int) -> str:
    return f"{threads} threads" if processes == 1 else f"{processes} processes of {threads} threads"


def _warm_start_key(work: job_pb2.TrainWork) -> str | None:
    """The object of the parent's weights; None where training begins from scratch."""
    sha256 = work.warm_start_weights_sha256
    return f"weights/{sha256}.safetensors" if sha256 else None


def _warm_start(work: job_pb2.TrainWork, objects: ObjectReader, folder: Path) -> Weights | None:
    key = _warm_start_key(work)
    if not key:
        return None
    path = folder / "parent.safetensors"
    path.write_bytes(read_verified(objects, key, work.warm_start_weights_sha256))
    return load_weights(path)


def _resume(
    work: job_pb2.TrainWork, objects: ObjectReader, folder: Path, digest: str, channel: Channel
) -> Checkpoint | None:
    """The checkpoint to resume from; None at the beginning."""
    if not work.HasField("resume"):
        return None
    sha256 = work.resume.sha256
    path = folder / "resume.safetensors"
    path.write_bytes(read_verified(objects, f"checkpoints/{sha256}.safetensors", sha256))
    try:
        return Checkpoint.load(path, digest)
    except OtherTraining:
        # Samples that could be read then are set aside now, or the other way about.
        emit_log(
            channel,
            "classification",
            "the checkpoint is of other parameters, or of other samples than can be read now: begun again",
        )
        return None
    finally:
        path.unlink()


_THREADS = torch.get_num_threads()
"""torch's own choice, before an order changed it: the cores this process may use."""


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu {platform.machine()}"
