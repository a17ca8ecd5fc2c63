"""The segmentation network in training: every code, special ones too, pixel by pixel (W11, S1).

N samples of a batch, K = codes + 1 labels, H height, W width.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from loupe.translation import sentence
from numpy.typing import NDArray
from torch import Tensor, nn

from services.failure_codes import FailureCode
from services.looks import SEGMENTATION_WINDOWS, look_interval
from services.trainer.training.augment import augment, augment_labels
from services.trainer.training.batches import Batch, Batches, cut_window
from services.trainer.training.learner import shown_whole
from services.trainer.training.preparing import Prepared
from services.trainer.training.processes import Group
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import UserFault
from services.vision.inference import evidence
from services.vision.networks import lay_out, normalise, place, to_input
from services.vision.pack import Pack
from services.vision.pixel_labels import PixelLabels
from services.vision.preprocessing import magnified
from services.vision.regions import RegionRule, calibrate, calibrate_ordinary, largest_regions
from services.vision.samples import UNKNOWN, Sample
from services.vision.segmenter import SEGMENTER, build_segmenter
from services.vision.weights import Segmentation as TrainedSegmentation
from services.vision.weights import Weights

_CLASS_BALANCE = 0.5
"""Clean images are mostly alike, and teach little after the first hundred."""
_AROUND = 0.7
"""Share of windows of an image with a defect that show some of it."""
_PLACE = 2
"""Keeps what decides it apart from where the window then lies (batches._WINDOW)."""
_JUDGED_AT_ONCE = 32
_THRESHOLDS = np.linspace(-10.0, 10.0, 401, dtype=np.float32)
_COST = 0.25
"""What a pixel costs here, as a multiple of what it costs the classifier."""


@dataclass(frozen=True)
class LabelledSamples:
    """Samples whose every pixel is known, as a source of batches: (H, W, 4), the label last."""

    images: Pack
    truth: PixelLabels
    samples: Sequence[Sample]

    @classmethod
    def of(cls, images: Pack, truth: PixelLabels, samples: Iterable[Sample]) -> "LabelledSamples":
        """Those of the samples whose pixels are known."""
        return cls(images, truth, [sample for sample in samples if truth.of(sample) is not None])

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """(H, W, 4)."""
        height, width, channels = self.images.sample_shape
        return height, width, channels + 1

    def rows(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """A key is a sample's number: two samples may be of one image, with different masks."""
        return np.array([int(key) for key in keys], np.int64)

    def sample(self, row: NDArray[np.int64]) -> NDArray[np.uint8]:
        """One sample, (H, W, 4)."""
        sample = self.samples[int(row)]
        truth_HW = self.truth.of(sample)
        assert truth_HW is not None  # noqa: S101 - see `of`
        image_HW3 = self.images.sample(self.images.rows([sample.sha256])[0])
        return np.concatenate([image_HW3, truth_HW[..., None]], axis=2)

    def gather(self, rows: NDArray[np.int64], out_NHWC: NDArray[np.uint8]) -> None:
        """Copies samples into a buffer of the caller's, (N, H, W, 4)."""
        for target, row in zip(out_NHWC, rows, strict=True):
            target[...] = self.sample(row)


@dataclass(frozen=True)
class _Windows:
    """Windows of images with their labels, most of them around some of the defect where there is one.

    Of whole images the network would learn by heart which part has its defect where; of windows around
    defects alone, that there always is one.
    """

    size: tuple[int, int]

    def cut(self, whole_HWC: NDArray[np.uint8], sample: int, draw: int, seed: int) -> NDArray[np.uint8]:
        """What a draw of the sample shows."""
        del sample
        label_HW = whole_HWC[..., 3]
        mask_HW = np.where((label_HW > 0) & (label_HW != UNKNOWN), np.uint8(255), np.uint8(0))
        random = np.random.Generator(np.random.Philox(key=[seed % 2**64, draw], counter=_PLACE))
        around = mask_HW.any() and random.random() < _AROUND
        return cut_window(whole_HWC, mask_HW if around else None, self.size, draw, seed)


class Segmentation:
    """A Learner: magnified whole images to a label a pixel."""

    name = "segmentation"

    def __init__(
        self, recipe: TrainingRecipe, prepared: Prepared, parent: Weights | None, group: Group
    ) -> None:
        """Raises UserFault where no training sample's mask marks anything."""
        assert recipe.segmentation  # noqa: S101 - else nobody asks
        assert prepared.labelled  # noqa: S101 - else nobody asks
        self.network = initial_segmenter(recipe, group.device, parent)
        self.parameters = recipe.segmentation
        self._recipe = recipe
        self._sides = prepared.sides
        self._group = group
        self._specification = magnified(recipe.input_specification)
        self._images, truth = prepared.labelled
        self._clean = tuple(sorted(truth.clean))
        self._training = LabelledSamples.of(self._images, truth, self._sides.of("train"))
        self._validation = LabelledSamples.of(self._images, truth, self._sides.of("validation"))
        if not any(self._shows_a_defect(sample) for sample in self._training.samples):
            raise UserFault(
                FailureCode.NO_MASKS,
                *sentence("no training sample has a mask that marks a defect"),
            )
        self._defect_threshold = float("nan")
        height, width = self._specification.height, self._specification.width
        # Half of a whole image shows what surrounds a defect, and differs from draw to draw.
        self._windows = _Windows((height // 2, width // 2)) if recipe.input_specification.detail > 1 else None
        if self._windows:
            height, width = self._windows.size
        self.relative_cost = _COST * self.parameters.batch_size * height * width

    def described(self) -> str:
        """How much of the data is known pixel by pixel."""
        unknown = len(self._sides.of("train")) - len(self._training.samples)
        return (
            f"{SEGMENTER} at {self._specification.width}×{self._specification.height}: "
            f"{len(self._training.samples)} training samples known pixel by pixel ({unknown} are not), "
            f"{len(self._validation.samples)} validation"
        )

    def batches(self, iterations: range) -> Batches:
        """Of all codes."""
        codes = self._recipe.codes
        return Batches(
            self._training,
            [str(number) for number in range(len(self._training.samples))],
            np.array([codes.index(sample.code) for sample in self._training.samples], np.int64),
            batch_size=self.parameters.batch_size,
            iterations=iterations,
            class_balance=_CLASS_BALANCE,
            seed=self._recipe.seed,
            device=self._group.device,
            part=self._group.part(self.parameters.batch_size),
            windows=self._windows,
        )

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy and soft Dice of the image as it was augmented."""
        recipe = self._recipe
        images_NCHW, labels_NHW = to_input(batch.images_NHWC[..., :3]), batch.images_NHWC[..., 3].long()
        images_NCHW = augment(images_NCHW, batch.draws_N, recipe.augmentations, recipe.seed)
        labels_NHW = augment_labels(labels_NHW, batch.draws_N, recipe.augmentations, recipe.seed)
        of_whole = shown_whole(batch, recipe)
        images_NCHW = lay_out(normalise(images_NCHW, self._specification, of_whole), self._specification)
        count = self.parameters.batch_size
        return segmentation_loss(
            network(images_NCHW), labels_NHW, lambda sums: self._group.shared(sums, count)
        )

    @property
    def validation_interval(self) -> int:
        """Iterations between two scores."""
        count = len(self._validation.samples) * (SEGMENTATION_WINDOWS if self._windows else 1)
        return look_interval(self.parameters.max_iter, self.parameters.batch_size, count)

    def score(self) -> float:
        """IoU of any defect against the background, its pixels counted over the validation side.

        The threshold is the best one for these samples. Training windows show defects more often than whole
        images do, so the network's own threshold is too low for images. The validation report is therefore a
        little optimistic.
        """
        part = self._group.part(len(self._validation.samples))
        samples = self._validation.samples[part]
        counts_2B = np.zeros((2, len(_THRESHOLDS) + 1))
        for start in range(0, len(samples), _JUDGED_AT_ONCE):
            batch = samples[start : start + _JUDGED_AT_ONCE]
            evidence_NHW, _ = self._evidence(batch)
            for sample, evidence_HW in zip(batch, evidence_NHW, strict=True):
                truth_HW = self._validation.truth.of(sample)
                assert truth_HW is not None  # noqa: S101 - see LabelledSamples.of
                bins_HW = np.searchsorted(_THRESHOLDS, evidence_HW)
                for row, mask_HW in enumerate((truth_HW == 0, truth_HW > 0)):
                    counts_2B[row] += np.bincount(bins_HW[mask_HW], minlength=len(_THRESHOLDS) + 1)
        total_2B = self._group.total(torch.from_numpy(counts_2B).to(self._group.device)).cpu().numpy()
        self._defect_threshold, iou = best_defect_threshold(total_2B)
        return iou

    @property
    def known_special(self) -> list[str]:
        """Special codes that a mask of the training side marks: what S1 can decide."""
        return [code for code in self._known if code not in self._recipe.class_codes]

    def trained(self, predicted_codes: Callable[[Sequence[Sample]], Sequence[str]]) -> TrainedSegmentation:
        """For the weights; `predicted_codes` gives the codes of samples that no region decides."""
        if np.isnan(self._defect_threshold):
            self.score()  # resumed behind its last iteration
        return TrainedSegmentation(
            SEGMENTER,
            self.network.state_dict(),
            self._region_rule(predicted_codes),
            self._clean,
            self._defect_threshold,
        )

    def _region_rule(self, predicted_codes: Callable[[Sequence[Sample]], Sequence[str]]) -> RegionRule:
        """Calibrated on the validation side: special codes (S1), then ordinary ones as far as it helps.

        A special code without a sample there is calibrated on its training samples: optimistic, but better
        than a guess.
        """
        special = self.known_special
        validation = self._sides.of("validation")
        unseen = set(special) - {sample.code for sample in validation}
        borrowed = [sample for sample in self._sides.of("train") if sample.code in unseen]
        judges = [*validation, *borrowed]
        codes = self._recipe.codes
        areas = [
            {codes[label - 1]: area for label, area in largest_regions(labels_HW).items()}
            for labels_HW in self._labels(judges)
        ]
        truth = [sample.code for sample in judges]
        count = len(validation)
        return calibrate_ordinary(
            calibrate(areas, truth, special),
            areas[:count],
            truth[:count],
            predicted_codes(validation),
            [code for code in self._known if code not in special],
        )

    @property
    def _known(self) -> list[str]:
        """Codes that a mask of the training side marks."""
        marked = {sample.code for sample in self._training.samples if self._shows_a_defect(sample)}
        return [code for code in self._recipe.codes if code in marked]

    def _shows_a_defect(self, sample: Sample) -> bool:
        labels_HW = self._training.truth.of(sample)
        return labels_HW is not None and bool(labels_HW.any())

    def _labels(self, samples: Sequence[Sample]) -> Iterable[NDArray[np.uint8]]:
        """The predicted labels (H, W) of each sample."""
        for start in range(0, len(samples), _JUDGED_AT_ONCE):
            evidence_NHW, label_NHW = self._evidence(samples[start : start + _JUDGED_AT_ONCE])
            yield from np.where(evidence_NHW > self._defect_threshold, label_NHW, np.uint8(0))

    def _evidence(self, samples: Sequence[Sample]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """See inference.evidence. Changes nothing."""
        rows = self._images.rows(sample.sha256 for sample in samples)
        was_training = self.network.training
        self.network.eval()
        found = evidence(self.network, self._images, rows, self._specification)
        self.network.train(was_training)
        return found


def best_defect_threshold(counts_2B: NDArray[np.float64]) -> tuple[float, float]:
    """The defect threshold with the best IoU of any defect, and that IoU; 0 and NaN without defect pixels.

    `counts_2B` are pixels of background and of defects by their evidence: bin i lies above i of _THRESHOLDS.
    """
    if not counts_2B[1].any():
        return 0.0, float("nan")
    above_2B = counts_2B[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    iou_B = above_2B[1] / (counts_2B[1].sum() + above_2B[0])
    best = int(iou_B.argmax())
    return float(_THRESHOLDS[best]), float(iou_B[best])


def segmentation_loss(
    logits_NKHW: Tensor, labels_NHW: Tensor, shared: Callable[[Tensor], Tensor] = lambda sums: sums
) -> Tensor:
    """Where there is a defect, and apart from that, of which code the pixels of a defect are.

    All codes teach together what a defect is: cross-entropy of every known pixel, plus soft Dice (Milletari
    et al., V-Net, 2016), half of it over the batch and half the mean over the images that show a defect, so
    that a blowhole weighs as much as a whole uneven tile. Then the code's cross-entropy, again a mean over
    these images. Labels are in 0..K - 1, or UNKNOWN.

    Of a part of a batch, `shared` makes the sums of which this consists those of the batch.
    """
    logits_NKHW = logits_NKHW.float()
    known_NHW = labels_NHW != UNKNOWN
    true_NHW = (known_NHW & (labels_NHW > 0)).float()
    score_NHW = logits_NKHW[:, 1:].logsumexp(1) - logits_NKHW[:, 0]
    entropy_NHW = F.binary_cross_entropy_with_logits(score_NHW, true_NHW, reduction="none") * known_NHW
    found_NHW = score_NHW.sigmoid() * known_NHW
    both_N, found_N, true_N = (its.sum((1, 2)) for its in (found_NHW * true_NHW, found_NHW, true_NHW))
    shows_N = (true_N > 0).float()
    code_NHW = torch.where(true_NHW > 0, labels_NHW - 1, UNKNOWN)
    of_code_NHW = F.cross_entropy(logits_NKHW[:, 1:], code_NHW, ignore_index=UNKNOWN, reduction="none")
    of_code_N = of_code_NHW.sum((1, 2)) / true_N.clamp_min(1)
    dice_N = _dice(both_N, found_N, true_N) * shows_N
    sums = (entropy_NHW, known_NHW, both_N, found_N, true_N, dice_N, of_code_N, shows_N)
    entropy, known, both, found, true, dice, of_code, shows = shared(torch.stack([its.sum() for its in sums]))
    of_shown = (dice + of_code) / shows.clamp_min(1)
    loss: Tensor = entropy / known.clamp_min(1) + (_dice(both, found, true) + of_shown) / 2
    return loss


def _dice(both: Tensor, found: Tensor, true: Tensor) -> Tensor:
    return 1 - (2 * both + 1) / (found + true + 1)


def initial_segmenter(
    recipe: TrainingRecipe, device: torch.device, parent: Weights | None = None
) -> nn.Module:
    """The network at iteration 0, a function of the seed; of the parent only what fits (W13)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build_segmenter(SEGMENTER, len(recipe.codes))
    inherited = parent.segmentation if parent else None
    if inherited and inherited.network == SEGMENTER:
        same_codes = parent is not None and parent.codes == recipe.codes
        fitting = {
            name: t for name, t in inherited.tensors.items() if same_codes or not name.startswith("head.")
        }
        network.load_state_dict(fitting, strict=same_codes)
    place(network, magnified(recipe.input_specification), device)
    return network
