"""One order from manifest to weights: filter, pack, split, train, certify."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from services.trainer.training import contact_sheet
from services.trainer.training.batches import Batches, WindowSource, logit_shift
from services.trainer.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from services.trainer.training.data import (
    Nonconforming,
    Split,
    conforming,
    listed,
    prior_sides,
    refuse_unlearnable,
    split,
)
from services.trainer.training.loop import judge, make_optimiser, train
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import UserFault
from services.vision.inference import outputs
from services.vision.networks import build_classifier, place
from services.vision.pack import Pack, PackCache
from services.vision.pack import Progress as PackProgress
from services.vision.preprocessing import InputSpecification
from services.vision.samples import Objects, Sample, hash_in_key, read_manifests, read_verified
from services.vision.special import SpecialRule, fit
from services.vision.weights import Weights, certify, load_weights, save_weights
from services.vision.windows import COVERED, Windows, background_class, operating_point

_NETWORK = "classification"
_SET_ASIDE_BATCH = 200
_PROGRESS_INTERVAL_S = 0.5
_FEATURES_PER_CODE = 256
"""Enough for a mean and a share in the covariance; more only takes time."""


class Channel(Protocol):
    """Where events go, and whether to stop."""

    def emit(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """One event of the child protocol."""
        ...

    def stop_if_asked(self) -> None:
        """Raises where the work should end."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether it would raise."""
        ...


def run(work: Mapping[str, Any], objects: Objects, cache: PackCache, folder: Path, channel: Channel) -> None:
    """Carries out a train order; the events are described in `services.trainer.child`. Raises Fault."""
    recipe = TrainingRecipe.from_work(work)
    torch.set_num_threads(recipe.threads or _THREADS)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    samples = listed(read_manifests(objects, work["manifests"]), recipe.codes)
    usable, set_aside, view, pack = _usable(samples, recipe, objects, cache, channel)
    sides = _split(usable, set_aside, recipe, work, objects, folder, channel)
    split_path = folder / "split.jsonl"
    split_sha256 = hashlib.sha256(split_path.read_bytes()).hexdigest()
    training = [its for its in sides.of("train") if its.code in recipe.class_codes and view.teaches(its)]
    validation = [sample for sample in sides.of("validation") if sample.code in recipe.class_codes]
    refuse_unlearnable(recipe.codes, recipe.num_of_classes, sides.of("train"))
    classes_of = {code: index for index, code in enumerate(recipe.codes)}
    train_classes, validation_classes = (
        np.array([classes_of[sample.code] for sample in side], np.int64) for side in (training, validation)
    )
    window_source, occurs = view.training(training, train_classes)
    balance = view.class_balance if recipe.class_balance is None else recipe.class_balance
    _plan_augmentation(recipe, view, pack, training, train_classes, window_source, folder, channel)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(device.type == "cpu")
    network = initial_network(recipe, device, _warm_start(work, objects, folder))
    optimiser = make_optimiser(network, recipe)
    digest = recipe.digest(split_sha256 + str(work.get("warm_start_weights_key")))
    first = _resume(work, objects, folder, network, optimiser, digest, channel)
    watch = _Watch(recipe, channel)
    max_iter, batch_size = recipe.classification.max_iter, recipe.classification.batch_size
    watch.log(
        f"{recipe.network} on {_device_name(device)}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}: {len(training)} training and {len(validation)} validation samples, "
        f"iterations {first}..{max_iter - 1}{view.described()}"
    )
    judged = _Judgement(network, pack, validation, validation_classes, recipe, view)
    with Batches(
        pack,
        [sample.sha256 for sample in training],
        train_classes,
        batch_size=batch_size,
        iterations=range(first, max_iter),
        class_balance=balance,
        seed=recipe.seed,
        device=device,
        windows=window_source,
    ) as batches:
        train(
            network,
            optimiser,
            batches,
            recipe,
            watch,
            logit_shift_C=torch.from_numpy(logit_shift(train_classes, balance, occurs)),
            validate=judged.accuracy,
            validation_interval=validation_interval(max_iter, batch_size, len(validation) * view.forwards),
            checkpoints=_Checkpoints(folder, network, optimiser, recipe, digest, channel),
        )
    special = _special_rule(network, pack, view, sides, recipe, channel)
    certificate = certify(
        recipe.network,
        recipe.codes,
        recipe.num_of_classes,
        recipe.input_specification,
        windows=judged.windows,
        recipe=recipe.to_json(),
        manifests=list(work["manifests"]),
        split_sha256=split_sha256,
        warm_start=work.get("warm_start_weights_key"),
        code_version=importlib.metadata.version("loupe"),
        torch_version=str(torch.__version__),
        device=_device_name(device),
        threads=torch.get_num_threads(),
        order=dict(work.get("certificate") or {}),
    )
    weights_path = folder / "weights.safetensors"
    save_weights(weights_path, Weights(certificate, network.state_dict(), special))
    channel.emit(
        "finished",
        weights_path=str(weights_path),
        split_path=str(split_path),
        metrics={
            "validation_accuracy": watch.validation_accuracy,
            "iterations": max_iter,
            "images_per_s": watch.images_per_s,
            "duration_s": round(time.monotonic() - started, 3),
        },
    )


def initial_network(recipe: TrainingRecipe, device: torch.device, parent: Weights | None = None) -> nn.Module:
    """The network at iteration 0, a function of the seed; of the parent only what fits (W13)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build_classifier(recipe.network, recipe.num_of_classes)
    if parent:
        if parent.certificate["network"] != recipe.network:
            raise UserFault("BAD_ORDER", f"warm start: the parent is a {parent.certificate['network']}")
        same_classes = parent.codes[: parent.num_of_classes] == recipe.class_codes
        inherited = {
            name: t for name, t in parent.tensors.items() if same_classes or not name.startswith("fc.")
        }
        network.load_state_dict(inherited, strict=same_classes)
    return place(network, recipe.input_specification, device)


def validation_interval(max_iter: int, batch_size: int, validation_samples: int) -> int:
    """Iterations between validations: about twenty in all, and never more than some 5 % of the time.

    A validation sample costs about a third of a training sample: forward only.
    """
    affordable = validation_samples / 3 / (0.05 * batch_size)
    return max(1, -(-max_iter // 20), round(affordable))


@dataclass(frozen=True)
class _View:
    """How the network sees images: whole, or through windows cut where masks say."""

    specification: InputSpecification
    """What images are packed at."""
    windows: Windows | None = None
    masks: Pack | None = None
    showing: frozenset[str] = frozenset()
    """Keys of the masks that mark something."""
    background: str = ""

    @property
    def class_balance(self) -> float:
        """How far rare classes are drawn more often: of windows far, for most of a clean image is alike."""
        return 0.5 if self.windows else 0.25

    @property
    def forwards(self) -> int:
        """Network inputs that one image costs."""
        return self.windows.count if self.windows else 1

    def teaches(self, sample: Sample) -> bool:
        """Whether it is known where the sample shows what it is a sample of."""
        return not self.windows or sample.code == self.background or sample.mask_key in self.showing

    def described(self) -> str:
        """For the log."""
        if not self.windows:
            return ""
        return (
            f", seen through {self.forwards} windows an image; a window without a defect is {self.background}"
        )

    def training(
        self, training: list[Sample], classes: NDArray[np.int64]
    ) -> tuple[WindowSource | None, NDArray[np.float64] | None]:
        """Where training cuts its windows, and how often each class occurs among those of whole images."""
        if not self.windows or not self.masks:
            return None, None
        keys = [sample.mask_key if sample.mask_key in self.showing else None for sample in training]
        occurs = np.zeros(int(classes.max()) + 1)
        for key, its in zip(keys, classes.tolist(), strict=True):
            if key:
                mask_HW1 = self.masks.sample(self.masks.rows([key])[0])
                occurs[its] += self.windows.showing(mask_HW1[..., 0])
        occurs /= len(training)
        occurs[self.windows.background] = 1 - occurs.sum()
        side = (
            self.specification.height // self.windows.detail,
            self.specification.width // self.windows.detail,
        )
        return WindowSource(side, self.masks, keys), occurs


def _view(
    samples: list[Sample], recipe: TrainingRecipe, objects: Objects, cache: PackCache, progress: PackProgress
) -> _View:
    """Through windows where the image version allows it and the masks are enough to teach it."""
    whole = _View(recipe.input_specification)
    of_classes = [sample for sample in samples if sample.code in recipe.class_codes]
    if not _windows_are_possible(of_classes, recipe):
        return whole
    magnified = recipe.input_specification.magnified
    masks = cache.load_masks(of_classes, magnified, objects, progress)
    showing = {key for key in masks.slots if masks.sample(masks.rows([key])[0]).max() >= COVERED}
    background = background_class(
        np.array([sample.mask_key in showing for sample in of_classes], np.bool_),
        np.array([recipe.codes.index(sample.code) for sample in of_classes], np.int64),
        recipe.num_of_classes,
    )
    if background is None:
        return whole
    windows = Windows(recipe.input_specification.detail, background)
    return _View(magnified, windows, masks, frozenset(showing), recipe.codes[background])


def _windows_are_possible(samples: list[Sample], recipe: TrainingRecipe) -> bool:
    """As far as can be told without opening a mask."""
    masked = {sample.code for sample in samples if sample.mask_key}
    return recipe.input_specification.detail > 1 and len(masked) >= recipe.num_of_classes - 1


def _usable(
    samples: list[Sample], recipe: TrainingRecipe, objects: Objects, cache: PackCache, channel: Channel
) -> tuple[list[Sample], list[Nonconforming], _View, Pack]:
    """Stage RESOLUTION_FILTER: what conforms and can be read. Decoding happens here, once."""
    stage = _Stage("RESOLUTION_FILTER", channel)
    set_aside: list[Nonconforming] = []
    if recipe.filter_resolution:
        kept, set_aside = conforming(samples, recipe.input_specification.resolution)
    else:
        kept = samples
    reported = 0.0

    def progress(done: int, total: int, *, first: float = 0.0, share: float = 1.0) -> None:
        nonlocal reported
        channel.stop_if_asked()
        if time.monotonic() - reported >= _PROGRESS_INTERVAL_S or done == total:
            reported = time.monotonic()
            channel.emit("progress", phase="PREPROCESSING", fraction=first + share * done / max(total, 1))

    masks_share = 0.5 if _windows_are_possible(kept, recipe) else 0.0
    view = _view(kept, recipe, objects, cache, partial(progress, share=masks_share))
    images_progress = partial(progress, first=masks_share, share=1 - masks_share)
    pack = cache.load(kept, view.specification, objects, images_progress)
    usable = [sample for sample in kept if sample.sha256 in pack.slots]
    for sample in kept:
        if why := pack.unreadable.get(sample.sha256):
            set_aside.append(Nonconforming(sample, why.reason, why.message))
    rows = [_set_aside_row(item) for item in set_aside]
    for start in range(0, len(rows), _SET_ASIDE_BATCH):
        channel.emit("nonconforming", samples=rows[start : start + _SET_ASIDE_BATCH])
    reasons = Counter(item.reason for item in set_aside)
    stage.done(samples=len(samples), usable=len(usable), nonconforming=len(set_aside), reasons=dict(reasons))
    return usable, set_aside, view, pack


def _split(  # noqa: PLR0913, PLR0917 - what a split needs to be made and told
    usable: list[Sample],
    set_aside: list[Nonconforming],
    recipe: TrainingRecipe,
    work: Mapping[str, Any],
    objects: Objects,
    folder: Path,
    channel: Channel,
) -> Split:
    """Stage SPLIT. The file tells the evaluator both sides and what was set aside."""
    stage = _Stage("SPLIT", channel)
    prior = None
    if key := work.get("prior_split_key"):
        prior = prior_sides(read_verified(objects, key, hash_in_key(key)))
    sides = split(usable, recipe.train_fraction, recipe.seed, prior)
    refused = sorted(
        json.dumps(_set_aside_row(item) | {"side": "set_aside"}, sort_keys=True, ensure_ascii=False)
        for item in set_aside
    )
    (folder / "split.jsonl").write_bytes(sides.to_jsonl() + "".join(line + "\n" for line in refused).encode())
    counts = {
        side: dict(sorted(Counter(s.code for s in sides.of(side)).items()))
        for side in ("train", "validation")
    }
    stage.done(
        train=len(sides.of("train")),
        validation=len(sides.of("validation")),
        per_code=counts,
        moved_to_validation=sides.moved_to_validation,
    )
    return sides


def _plan_augmentation(  # noqa: PLR0913, PLR0917 - what is shown, and where it is told
    recipe: TrainingRecipe,
    view: _View,
    pack: Pack,
    training: list[Sample],
    train_classes: NDArray[np.int64],
    window_source: WindowSource | None,
    folder: Path,
    channel: Channel,
) -> None:
    """Stage AUGMENTATION: which, how often, and a picture of it.

    The images themselves are changed on the device, batch by batch.
    """
    stage = _Stage("AUGMENTATION", channel)
    sheet_path = None
    if recipe.augmentations:
        chosen = contact_sheet.choose(train_classes, recipe.seed)
        images = [pack.sample(row) for row in pack.rows(training[index].sha256 for index in chosen)]
        if window_source:
            images = [
                window_source.cut(image, index, draw, recipe.seed)
                for draw, (index, image) in enumerate(zip(chosen, images, strict=True))
            ]
        columns = contact_sheet.columns(recipe.augmentations, "window" if window_source else "original")
        sheet = contact_sheet.draw([training[index].code for index in chosen], images, columns, recipe.seed)
        sheet_path = folder / "contact-sheet.jpg"
        sheet_path.write_bytes(contact_sheet.to_jpeg(sheet))
    draws = recipe.classification.max_iter * recipe.classification.batch_size
    stage.done(
        contact_sheet_path=sheet_path,
        augmentations=sorted(recipe.augmentations),
        windows_per_image=view.forwards,
        draws=draws,
        epochs=round(draws / max(len(training), 1), 2),
    )


def _warm_start(work: Mapping[str, Any], objects: Objects, folder: Path) -> Weights | None:
    key = work.get("warm_start_weights_key")
    if not key:
        return None
    path = folder / "parent.safetensors"
    path.write_bytes(read_verified(objects, key, hash_in_key(key)))
    return load_weights(path)


def _resume(  # noqa: PLR0913, PLR0917 - what a checkpoint restores, and where it comes from
    work: Mapping[str, Any],
    objects: Objects,
    folder: Path,
    network: nn.Module,
    optimiser: torch.optim.SGD,
    digest: str,
    channel: Channel,
) -> int:
    """The iteration to go on from: 0, or the checkpoint's."""
    resume = work.get("resume")
    if not resume:
        return 0
    path = folder / "resume.safetensors"
    path.write_bytes(read_verified(objects, resume["checkpoint_key"], hash_in_key(resume["checkpoint_key"])))
    progress = load_checkpoint(path, network, optimiser, digest)
    path.unlink()
    if progress.threads != torch.get_num_threads():
        threads = torch.get_num_threads()
        text = f"resumed with {threads} threads, begun with {progress.threads}: equal up to rounding"
        channel.emit("log", network=_NETWORK, text=text)
    return progress.next_iteration


def _special_rule(  # noqa: PLR0913, PLR0917 - a network, what it sees and how
    network: nn.Module, pack: Pack, view: _View, sides: Split, recipe: TrainingRecipe, channel: Channel
) -> SpecialRule | None:
    """Feature statistics of the special codes, S2; None where the model has none."""
    if recipe.num_of_classes == len(recipe.codes):
        return None
    training, validation = _at_most_per_code(sides.of("train")), _at_most_per_code(sides.of("validation"))
    rule = fit(
        _features(network, pack, training, recipe, view),
        np.array([recipe.codes.index(sample.code) for sample in training], np.int64),
        _features(network, pack, validation, recipe, view),
        np.array([recipe.codes.index(sample.code) for sample in validation], np.int64),
        recipe.codes,
        recipe.num_of_classes,
    )
    missing = set(recipe.codes[recipe.num_of_classes :]) - set(rule.codes if rule else ())
    if missing:
        text = f"no training sample of special code {', '.join(sorted(missing))}: it will never be predicted"
        channel.emit("log", network=_NETWORK, text=text)
    return rule


def _features(
    network: nn.Module, pack: Pack, samples: list[Sample], recipe: TrainingRecipe, view: _View
) -> NDArray[np.float64]:
    rows = pack.rows(sample.sha256 for sample in samples)
    found = [np.zeros((0, network.get_parameter("fc.weight").shape[1]))]
    network.eval()
    for start in range(0, len(rows), 64):
        chosen = rows[start : start + 64]
        features_NF, _ = outputs(network, pack, chosen, recipe.input_specification, view.windows)
        found.append(features_NF.double().cpu().numpy())
    return np.concatenate(found)


def _at_most_per_code(samples: Iterable[Sample]) -> list[Sample]:
    taken: Counter[str] = Counter()
    kept = []
    for sample in sorted(samples, key=lambda sample: (sample.sha256, sample.name)):
        taken[sample.code] += 1
        if taken[sample.code] <= _FEATURES_PER_CODE:
            kept.append(sample)
    return kept


def _set_aside_row(item: Nonconforming) -> dict[str, Any]:
    sample = item.sample
    return {
        "manifest": sample.manifest,
        "name": sample.name,
        "sha256": sample.sha256,
        "code": sample.code,
        "reason": item.reason,
        "message": item.message,
    }


_THREADS = torch.get_num_threads()
"""torch's own choice, before an order changed it: the cores this process may use."""


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu {platform.machine()}"


class _Judgement:
    """The network on the validation side, and the evidence it should ask for there."""

    def __init__(  # noqa: PLR0913, PLR0917 - who judges what, and how
        self,
        network: nn.Module,
        pack: Pack,
        validation: list[Sample],
        classes: NDArray[np.int64],
        recipe: TrainingRecipe,
        view: _View,
    ) -> None:
        hashes = [sample.sha256 for sample in validation]
        self._judge = partial(judge, network, pack, hashes, recipe.input_specification, view.windows)
        self._classes = classes
        self._windows = view.windows
        self._looked = False

    @property
    def windows(self) -> Windows | None:
        """With the caution found at the last look: after a training, at its end."""
        if self._windows and not self._looked:
            self.accuracy()  # resumed behind its last iteration
        return self._windows

    def accuracy(self) -> float:
        """Share of samples whose greatest logit is their class; NaN without samples."""
        self._looked = True
        logits_NC = self._judge()
        if self._windows:
            caution = operating_point(logits_NC, self._classes, self._windows.background)
            self._windows = replace(self._windows, caution=caution)
            logits_NC[:, self._windows.background] = caution
        right_N = logits_NC.argmax(1).numpy() == self._classes
        return float(right_N.mean()) if len(right_N) else float("nan")


class _Stage:
    """Tells when a preprocessing stage begins and ends (M1)."""

    def __init__(self, name: str, channel: Channel) -> None:
        self._name = name
        self._channel = channel
        self._started = time.monotonic()
        channel.emit("stage", name=name, state="RUNNING", duration_s=0.0, counts={})

    def done(self, *, contact_sheet_path: Path | None = None, **counts: Any) -> None:  # noqa: ANN401 - JSON
        """Ends the stage."""
        duration_s = round(time.monotonic() - self._started, 3)
        shown = {"contact_sheet_path": str(contact_sheet_path)} if contact_sheet_path else {}
        self._channel.emit(
            "stage", name=self._name, state="DONE", duration_s=duration_s, counts=counts, **shown
        )


class _Watch:
    """The loop's monitor: turns what it says into events, at a pace a person can follow (M2, M3)."""

    def __init__(self, recipe: TrainingRecipe, channel: Channel) -> None:
        self._channel = channel
        self._max_iter = recipe.classification.max_iter
        self._told_at = self._logged_at = float("-inf")
        self._step_at = time.monotonic()
        self._steps = 0
        self._mean_s = 0.0
        self._variance_s2 = 0.0
        self.images_per_s = 0.0
        self.validation_accuracy: float | None = None

    def losses(
        self, first_iteration: int, values: list[float], learning_rate: float, images_per_s: float
    ) -> None:
        """Sends at once: the loop already gathers for half of M5's 100 ms."""
        smooth = 0.9 if self.images_per_s else 0.0
        self.images_per_s = smooth * self.images_per_s + (1 - smooth) * images_per_s
        self._channel.emit(
            "loss",
            network=_NETWORK,
            first_iteration=first_iteration,
            values=values,
            learning_rate=learning_rate,
            images_per_s=round(self.images_per_s, 3),
        )
        if time.monotonic() - self._logged_at >= 2.0:
            self._logged_at = time.monotonic()
            last = first_iteration + len(values) - 1
            self.log(
                f"iteration {last} loss {values[-1]:.4f} lr {learning_rate:.3g} "
                f"{self.images_per_s:.1f} images/s"
            )

    def validation(self, iteration: int, accuracy: float) -> None:
        """Sends the validation accuracy, if there is anything to validate on."""
        if accuracy == accuracy:  # noqa: PLR0124 - NaN where the validation side is empty
            self.validation_accuracy = accuracy
            self._channel.emit("validation", network=_NETWORK, iteration=iteration, accuracy=accuracy)
            self.log(f"iteration {iteration} validation accuracy {accuracy:.4f}")

    def progress(self, iterations_done: int) -> None:
        """Fraction and expected end; the bounds are wide while few steps are known."""
        done, now = iterations_done, time.monotonic()
        step_s, self._step_at = now - self._step_at, now
        self._steps += 1
        share = max(1 / self._steps, 0.02)
        off = step_s - self._mean_s
        self._mean_s += share * off
        self._variance_s2 = (1 - share) * (self._variance_s2 + share * off * off)
        if now - self._told_at < _PROGRESS_INTERVAL_S and done < self._max_iter:
            return
        self._told_at = now
        left = self._max_iter - done
        eta_s = left * self._mean_s
        # The mean is known up to its standard error, and machines change their pace.
        doubt_s = left * (2 * (self._variance_s2 / min(self._steps, 50)) ** 0.5 + 0.05 * self._mean_s)
        doubt_s += eta_s / self._steps
        self._channel.emit(
            "progress",
            phase="TRAINING",
            fraction=done / self._max_iter,
            eta_s=round(eta_s, 3),
            eta_low_s=round(max(0.0, eta_s - doubt_s), 3),
            eta_high_s=round(eta_s + doubt_s, 3),
        )

    def log(self, text: str) -> None:
        """A line of the network's log."""
        self._channel.emit("log", network=_NETWORK, text=text)


class _Checkpoints:
    """Keeps the state at intervals of time, and when the child is asked to stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a checkpoint holds and where it goes
        self,
        folder: Path,
        network: nn.Module,
        optimiser: torch.optim.SGD,
        recipe: TrainingRecipe,
        digest: str,
        channel: Channel,
    ) -> None:
        self._folder = folder
        self._network = network
        self._optimiser = optimiser
        self._recipe = recipe
        self._digest = digest
        self._channel = channel
        self._saved_at = time.monotonic()

    def due(self, iterations_done: int) -> bool:
        """Not after the last iteration: the weights follow at once."""
        if iterations_done == self._recipe.classification.max_iter:
            return False
        return (
            self._channel.stopping or time.monotonic() - self._saved_at >= self._recipe.checkpoint_interval_s
        )

    def save(self, iterations_done: int) -> None:
        """Writes the file, tells its name, and stops where that was asked."""
        path = self._folder / f"checkpoint-{iterations_done}.safetensors"
        progress = Progress(iterations_done, self._digest, torch.get_num_threads())
        save_checkpoint(path, self._network, self._optimiser, progress)
        self._channel.emit("checkpoint", path=str(path), iteration=iterations_done)
        self._saved_at = time.monotonic()
        self._channel.stop_if_asked()
