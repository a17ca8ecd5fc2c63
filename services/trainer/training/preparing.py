"""From manifests to what is trained on and what judges: filter and pack, split, augmentation plan (M1)."""

import hashlib
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import event_pb2
from numpy.typing import NDArray

from services.input_specification import InputSpecification
from services.trainer.training import contact_sheet
from services.trainer.training.batches import WindowSource
from services.trainer.training.data import (
    Nonconforming,
    Split,
    conforming,
    listed,
    prior_sides,
    split,
)
from services.trainer.training.monitoring import PROGRESS_INTERVAL_S, Channel, Stage, emit_progress
from services.trainer.training.recipe import TrainingRecipe
from services.vision.judgement import refuse_one_sided
from services.vision.pack import Pack, PackCache, Unreadable
from services.vision.pack import Progress as PackProgress
from services.vision.pixel_labels import PixelLabels, clean_codes
from services.vision.preprocessing import ResolutionRule, magnified
from services.vision.samples import ObjectReader, Sample, read_manifests, read_verified
from services.vision.windows import COVERED, Windows, background_class

_SET_ASIDE_BATCH = 200


@dataclass(frozen=True)
class InputView:
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
        for key, class_of_sample in zip(keys, classes.tolist(), strict=True):
            if key:
                mask_HW1 = self.masks.sample(self.masks.rows([key])[0])
                occurs[class_of_sample] += self.windows.defect_share(mask_HW1[..., 0])
        occurs /= len(training)
        occurs[self.windows.background] = 1 - occurs.sum()
        side = (
            self.specification.height // self.windows.detail,
            self.specification.width // self.windows.detail,
        )
        return WindowSource(side, self.masks, keys), occurs


def _view(
    samples: list[Sample],
    recipe: TrainingRecipe,
    objects: ObjectReader,
    cache: PackCache,
    progress: PackProgress,
) -> InputView:
    """Through windows where the image version allows it and the masks are enough to teach it."""
    whole = InputView(recipe.input_specification)
    of_classes = [sample for sample in samples if sample.code in recipe.class_codes]
    if not _windows_are_possible(of_classes, recipe):
        return whole
    resized_to = magnified(recipe.input_specification)
    masks = cache.load_masks(of_classes, resized_to, objects, progress)
    showing = {key for key in masks.slots if masks.sample(masks.rows([key])[0]).max() >= COVERED}
    background = background_class(
        np.array([sample.mask_key in showing for sample in of_classes], np.bool_),
        np.array([recipe.codes.index(sample.code) for sample in of_classes], np.int64),
        recipe.num_of_classes,
    )
    if background is None:
        return whole
    windows = Windows(recipe.input_specification.detail, background)
    return InputView(resized_to, windows, masks, frozenset(showing), recipe.codes[background])


def _windows_are_possible(samples: list[Sample], recipe: TrainingRecipe) -> bool:
    """As far as can be told without opening a mask."""
    masked = {sample.code for sample in samples if sample.mask_key}
    return recipe.input_specification.detail > 1 and len(masked) >= recipe.num_of_classes - 1


@dataclass(frozen=True)
class Prepared:
    """What the networks are trained on, and what judges them."""

    view: InputView
    pack: Pack
    sides: Split
    split_path: Path
    """The split as a file; tells the evaluator both sides and what was set aside."""
    split_sha256: str
    training: list[Sample]
    """Of the classifier's classes, those that teach it."""
    train_classes: NDArray[np.int64]
    validation: list[Sample]
    validation_classes: NDArray[np.int64]
    window_source: WindowSource | None
    occurs: NDArray[np.float64] | None
    """How often each class occurs among windows; None where images are seen whole."""
    labelled: tuple[Pack, PixelLabels] | None = None
    """What the segmentation network sees, and what is known of it; None where none is trained."""


def prepare(  # noqa: PLR0913, PLR0917 - an order, and what carries it out
    recipe: TrainingRecipe,
    work: job_pb2.TrainWork,
    objects: ObjectReader,
    cache: PackCache,
    folder: Path,
    channel: Channel,
) -> Prepared:
    """The three stages. Raises Fault."""
    samples = listed(read_manifests(objects, (its.sha256 for its in work.manifests)), recipe.codes)
    usable, set_aside, view, pack, labelled = _usable(samples, recipe, work, objects, cache, channel)
    split_path = folder / "split.jsonl"
    sides = _split(usable, set_aside, recipe, work, objects, split_path, channel)
    teaching = [
        sample
        for sample in sides.of("train")
        if sample.code not in recipe.class_codes or view.teaches(sample)
    ]
    refuse_one_sided(recipe.codes, teaching, sides.of("validation"))
    training = [sample for sample in teaching if sample.code in recipe.class_codes]
    validation = [sample for sample in sides.of("validation") if sample.code in recipe.class_codes]
    train_classes, validation_classes = (
        np.array([recipe.codes.index(sample.code) for sample in side], np.int64)
        for side in (training, validation)
    )
    window_source, occurs = view.training(training, train_classes)
    prepared = Prepared(
        view=view,
        pack=pack,
        sides=sides,
        split_path=split_path,
        split_sha256=hashlib.sha256(split_path.read_bytes()).hexdigest(),
        training=training,
        train_classes=train_classes,
        validation=validation,
        validation_classes=validation_classes,
        window_source=window_source,
        occurs=occurs,
        labelled=labelled,
    )
    _plan_augmentation(prepared, recipe, folder, channel)
    return prepared


def _usable(  # noqa: PLR0913, PLR0917 - an order, and what executes it
    samples: list[Sample],
    recipe: TrainingRecipe,
    work: job_pb2.TrainWork,
    objects: ObjectReader,
    cache: PackCache,
    channel: Channel,
) -> tuple[list[Sample], list[Nonconforming], InputView, Pack, tuple[Pack, PixelLabels] | None]:
    """Stage RESOLUTION_FILTER: what conforms and can be read. Decoding happens here, once."""
    stage = Stage(task_pb2.STAGE_NAME_RESOLUTION_FILTER, channel, is_on=recipe.filter_resolution)
    set_aside: list[Nonconforming] = []
    if recipe.filter_resolution:
        kept, set_aside = conforming(samples, ResolutionRule.of(recipe.input_specification))
    else:
        kept = samples
    reported = 0.0

    def progress(done: int, total: int, *, offset: float = 0.0, share: float = 1.0) -> None:
        nonlocal reported
        channel.stop_if_asked()
        if time.monotonic() - reported >= PROGRESS_INTERVAL_S or done == total:
            reported = time.monotonic()
            fraction = offset + share * done / max(total, 1)
            emit_progress(channel, task_pb2.PHASE_PREPROCESSING, task_pb2.Progress(fraction=fraction))

    masks_share = 0.3 if _windows_are_possible(kept, recipe) else 0.0
    labels_share = 0.3 if recipe.segmentation else 0.0
    view = _view(kept, recipe, objects, cache, partial(progress, share=masks_share))
    images_progress = partial(progress, offset=masks_share, share=1 - masks_share - labels_share)
    pack = cache.load(kept, view.specification, objects, images_progress)
    labelled = None
    if recipe.segmentation:
        labels_progress = partial(progress, offset=1 - labels_share, share=labels_share)
        seen = magnified(recipe.input_specification)
        images = pack if seen == view.specification else cache.load(kept, seen, objects)
        masks = cache.load_labels(kept, seen, objects, labels_progress)
        labelled = images, PixelLabels(recipe.codes, masks, clean_codes(kept, masks))
    usable: list[Sample] = []
    for sample in kept:
        if why := _unreadable(sample, pack, view.masks, labelled):
            set_aside.append(Nonconforming(sample, why.reason, why.message))
        else:
            usable.append(sample)
    _report_set_aside(set_aside, work, channel)
    stage.done(sample_count=len(usable), nonconforming_count=len(set_aside))
    return usable, set_aside, view, pack, labelled


def _unreadable(
    sample: Sample, images: Pack, masks: Pack | None, labelled: tuple[Pack, PixelLabels] | None
) -> Unreadable | None:
    """Why it is not trained with: its image, or a mask that this training needs, cannot be read (D4, D5)."""
    magnified, labels = (labelled[0], labelled[1].masks) if labelled else (None, None)
    of_image, of_mask, of_labels = sample.sha256, sample.mask_key, sample.label_key
    for pack, key in ((images, of_image), (magnified, of_image), (masks, of_mask), (labels, of_labels)):
        if pack and key and (why := pack.unreadable.get(key)):
            return why
    return None


def _split(  # noqa: PLR0913, PLR0917 - what a split needs to be made and told
    usable: list[Sample],
    set_aside: list[Nonconforming],
    recipe: TrainingRecipe,
    work: job_pb2.TrainWork,
    objects: ObjectReader,
    split_path: Path,
    channel: Channel,
) -> Split:
    """Stage SPLIT."""
    stage = Stage(task_pb2.STAGE_NAME_SPLIT, channel)
    prior = None
    if sha256 := work.prior_split_sha256:
        prior = prior_sides(read_verified(objects, f"splits/{sha256}.jsonl", sha256))
    sides = split(usable, recipe.train_fraction, recipe.seed, prior)
    refused = sorted(
        json.dumps(_set_aside_row(item) | {"side": "set_aside"}, sort_keys=True, ensure_ascii=False)
        for item in set_aside
    )
    split_path.write_bytes(sides.to_jsonl() + "".join(line + "\n" for line in refused).encode())
    train_count, validation_count = len(sides.of("train")), len(sides.of("validation"))
    stage.done(
        sample_count=train_count + validation_count,
        train_count=train_count,
        validation_count=validation_count,
    )
    return sides


def _plan_augmentation(prepared: Prepared, recipe: TrainingRecipe, folder: Path, channel: Channel) -> None:
    """Stage AUGMENTATION: a picture of what it does.

    The images themselves are changed on the device, batch by batch.
    """
    stage = Stage(task_pb2.STAGE_NAME_AUGMENTATION, channel, is_on=bool(recipe.augmentations))
    training, window_source = prepared.training, prepared.window_source
    sheet_path = None
    if recipe.augmentations:
        chosen = contact_sheet.choose(prepared.train_classes, recipe.seed)
        rows = prepared.pack.rows(training[index].sha256 for index in chosen)
        images = [prepared.pack.sample(row) for row in rows]
        if window_source:
            images = [
                window_source.cut(image, index, draw, recipe.seed)
                for draw, (index, image) in enumerate(zip(chosen, images, strict=True))
            ]
        columns = contact_sheet.columns(recipe.augmentations, "window" if window_source else "original")
        sheet = contact_sheet.draw([training[index].code for index in chosen], images, columns, recipe.seed)
        sheet_path = folder / "contact-sheet.jpg"
        sheet_path.write_bytes(contact_sheet.to_jpeg(sheet))
    stage.done(contact_sheet_path=sheet_path)


def _report_set_aside(set_aside: list[Nonconforming], work: job_pb2.TrainWork, channel: Channel) -> None:
    data_paths = {manifest.sha256: manifest.data_path for manifest in work.manifests}
    rows = [
        task_pb2.NonconformingSample(
            file=item.sample.name,
            data_path=data_paths.get(item.sample.manifest, ""),
            sha256=item.sample.sha256,
            reason=item.reason,
            message=item.message,
            message_zh=item.message_zh,
            width=item.sample.width,
            height=item.sample.height,
        )
        for item in set_aside
    ]
    for start in range(0, len(rows), _SET_ASIDE_BATCH):
        batch = event_pb2.NonconformingSamples(samples=rows[start : start + _SET_ASIDE_BATCH])
        channel.emit(event_pb2.Event(nonconforming=batch))


def _set_aside_row(item: Nonconforming) -> dict[str, Any]:
    """A line of the split file, without its side."""
    sample = item.sample
    return {
        "manifest": sample.manifest,
        "name": sample.name,
        "sha256": sample.sha256,
        "code": sample.code,
        "reason": item.reason,
        "message": item.message,
    }
