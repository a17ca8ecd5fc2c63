"""How long a training is for its data: sides of the split, epochs, looks, doubtful runs (E4, W14, W15)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loupe.errors import Severity, Violation
from loupe.translation import sentence

from services.input_specification import InputSpecification
from services.looks import SEGMENTATION_WINDOWS, can_end_early, look_count, look_interval
from services.scheduler.domain.wizard.registry_data import CodeCount
from services.scheduler.domain.wizard.training_params import NetworkParams

# W15: outside of these a run is doubtful.
FEWEST_EPOCHS, MOST_EPOCHS = 3, 1_000


def expected_sides(samples: int, train_fraction: float) -> tuple[int, int]:
    """How many samples of a code train and how many validate, of samples that are parts of their own (D3).

    The trainer's own rule (`services/vision/sides.py`): nearest to the fraction, and one for each side where
    there are two (D9).
    """
    validation = max(0, math.ceil((1 - train_fraction) * samples - 0.5))
    validation = min(max(validation, 1), samples - 1) if samples >= 2 else 0
    return samples - validation, validation


@dataclass(frozen=True, slots=True)
class Sides:
    """The expected samples of a network on either side of the split."""

    train: int
    validation: int


def network_sides(
    codes: Sequence[str],
    num_of_classes: int,
    counts: Mapping[str, CodeCount],
    train_fraction: float,
) -> dict[str, Sides]:
    """The expected samples that a network is trained and judged with, by level of the training parameters.

    The classifier trains on its classes, segmentation on what is known pixel by pixel: samples with a mask,
    and those of the only code without one.
    """
    listed = {code: counts.get(code, CodeCount(0)) for code in codes}
    unmasked = [code for code, count in listed.items() if not count.masks]
    samples = {
        "classification": [listed[code].samples for code in codes[:num_of_classes]],
        "segmentation": [
            count.samples if unmasked == [code] else count.masks for code, count in listed.items()
        ],
    }
    parts = {level: [expected_sides(n, train_fraction) for n in known] for level, known in samples.items()}
    return {
        level: Sides(sum(train for train, _ in of), sum(validation for _, validation in of))
        for level, of in parts.items()
    }


def epochs(params: NetworkParams, train_count: int) -> float:
    """How often a run sees each training sample on average; 0 without a sample."""
    return params.max_iter * params.batch_size / train_count if train_count else 0.0


def check_run_length(params: Mapping[str, NetworkParams], sides: Mapping[str, Sides]) -> list[Violation]:
    """W15: warnings about a batch larger than the training side, and about few or very many epochs."""
    found = []
    for level, of_network in params.items():
        count = sides[level].train
        if not count:
            # What is missing is told by the rules of the data.
            continue
        found += _check_batch(f"training_params.{level}.batch_size", of_network, count)
        found += _check_epochs(f"training_params.{level}.max_iter", of_network, count)
    return found


def check_patience(
    params: Mapping[str, NetworkParams],
    sides: Mapping[str, Sides],
    specification: InputSpecification,
    *,
    is_exact: bool,
) -> list[Violation]:
    """E4: a patience that the interval of looks at this validation side makes useless.

    A warning where the side may turn out otherwise: the filter and a parent's split decide in the trainer.
    """
    found = []
    for level, of_network in params.items():
        count = sides[level].validation
        # The classifier judges by windows only where masks allow it: one input a sample is the least.
        windows = SEGMENTATION_WINDOWS if level == "segmentation" and specification.detail > 1 else 1
        inputs = count * windows
        interval = look_interval(of_network.max_iter, of_network.batch_size, inputs)
        looks = look_count(of_network.max_iter, interval)
        if not of_network.patience or can_end_early(of_network.patience, looks):
            continue
        told = sentence(
            "patience {patience} cannot end the training early: with about {count} validation samples there "
            "is a look every {interval} iterations, so at most {looks} in {max_iter}, of which at most "
            "{most} in turn can be no better before the last; lower it, or take more iterations, or 0 for a "
            "training that does not end early",
            patience=of_network.patience,
            count=count,
            interval=interval,
            looks=looks,
            max_iter=of_network.max_iter,
            most=max(0, looks - 2),
        )
        severity: Severity = "error" if is_exact else "warning"
        found.append(Violation(f"training_params.{level}.patience", "NEVER_ENDS_EARLY", told, severity))
    return found


def _check_batch(at: str, params: NetworkParams, count: int) -> list[Violation]:
    if params.batch_size <= count:
        return []
    told = sentence(
        "a batch of {batch_size} is larger than the training side of about {count} samples: each sample "
        "is in it several times; take {count} or fewer",
        batch_size=params.batch_size,
        count=count,
    )
    return [Violation(at, "BATCH_LARGER_THAN_TRAINING_SIDE", told, "warning")]


def _check_epochs(at: str, params: NetworkParams, count: int) -> list[Violation]:
    seen = epochs(params, count)
    if FEWEST_EPOCHS <= seen <= MOST_EPOCHS:
        return []
    if seen < FEWEST_EPOCHS:
        told = sentence(
            "{max_iter} iterations of {batch_size} see each of about {count} training samples {epochs:g} "
            "times (epochs); below {limit} little is learnt: take {wanted} iterations or more",
            max_iter=params.max_iter,
            batch_size=params.batch_size,
            count=count,
            # Rounded down: "3 times, which is below 3" contradicts itself.
            epochs=math.floor(seen * 100) / 100,
            limit=FEWEST_EPOCHS,
            wanted=-(-FEWEST_EPOCHS * count // params.batch_size),
        )
        return [Violation(at, "FEW_EPOCHS", told, "warning")]
    told = sentence(
        "{max_iter} iterations of {batch_size} see each of about {count} training samples {epochs:.0f} times "
        "(epochs); beyond {limit} they are learnt by heart: {wanted} iterations are {limit} epochs",
        max_iter=params.max_iter,
        batch_size=params.batch_size,
        count=count,
        epochs=seen,
        limit=MOST_EPOCHS,
        wanted=max(1, MOST_EPOCHS * count // params.batch_size),
    )
    return [Violation(at, "MANY_EPOCHS", told, "warning")]
