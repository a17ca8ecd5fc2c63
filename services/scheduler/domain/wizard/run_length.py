"""How long a training is for its data: expected sides of the split, epochs, doubtful runs (W14, W15)."""

import math
from collections.abc import Mapping, Sequence

from loupe.errors import Violation
from loupe.translation import sentence

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


def training_sides(
    codes: Sequence[str],
    num_of_classes: int,
    counts: Mapping[str, CodeCount],
    train_fraction: float,
) -> dict[str, int]:
    """The expected samples of the training side, by level of the training parameters.

    The classifier trains on its classes, segmentation on what is known pixel by pixel: samples with a mask,
    and those of the only code without one.
    """
    listed = {code: counts.get(code, CodeCount(0)) for code in codes}
    unmasked = [code for code, count in listed.items() if not count.masks]
    return {
        "classification": sum(
            expected_sides(listed[code].samples, train_fraction)[0] for code in codes[:num_of_classes]
        ),
        "segmentation": sum(
            expected_sides(count.samples if unmasked == [code] else count.masks, train_fraction)[0]
            for code, count in listed.items()
        ),
    }


def epochs(params: NetworkParams, train_count: int) -> float:
    """How often a run sees each training sample on average; 0 without a sample."""
    return params.max_iter * params.batch_size / train_count if train_count else 0.0


def check_run_length(params: Mapping[str, NetworkParams], sides: Mapping[str, int]) -> list[Violation]:
    """W15: warnings about a batch larger than the training side, and about few or very many epochs."""
    found = []
    for level, of_network in params.items():
        count = sides[level]
        if not count:
            # What is missing is told by the rules of the data.
            continue
        found += _check_batch(f"training_params.{level}.batch_size", of_network, count)
        found += _check_epochs(f"training_params.{level}.max_iter", of_network, count)
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
