"""Step 4: split, resolution filter, augmentation and segmentation (rules W10, W11)."""

from loupe.errors import Violation
from loupe.translation import joined, sentence

from services.scheduler.domain.spec import Augmentation, Preprocessing, TrainingRequest
from services.scheduler.domain.wizard.registry_data import RegistryData

_DEFAULT_TRAIN_FRACTION = 0.8


def resolve_preprocessing(request: TrainingRequest) -> tuple[Preprocessing | None, list[Violation]]:
    """W10: the split and the augmentations; None if one of them is an error."""
    found = []
    fraction = _DEFAULT_TRAIN_FRACTION if request.train_fraction is None else request.train_fraction
    if not 0 < fraction < 1:
        found.append(
            Violation(
                "preprocessing.train_fraction",
                "OUT_OF_RANGE",
                sentence(
                    "train_fraction must be in (0, 1), not {fraction:g}; 0.8 trains on 80 %, "
                    "validates on 20 %",
                    fraction=fraction,
                ),
            )
        )
    known = {augmentation.value for augmentation in Augmentation}
    for index, name in enumerate(request.augmentations):
        if name not in known:
            found.append(
                Violation(
                    f"preprocessing.augmentations[{index}]",
                    "UNKNOWN_AUGMENTATION",
                    sentence(
                        "{name} is not an augmentation; there are {augmentations}",
                        name=name,
                        augmentations=joined(sorted(known)),
                    ),
                )
            )
    if found:
        return None, found
    chosen = tuple(a for a in Augmentation if a.value in request.augmentations)
    return Preprocessing(fraction, request.filter_resolution, chosen), []


def check_segmentation(request: TrainingRequest, facts: RegistryData) -> list[Violation]:
    """W11: segmentation needs an image version for it, and samples with masks."""
    if not request.train_segmentation or facts.image is None:
        return []
    if not facts.image.segmentation:
        return [
            Violation(
                "train_segmentation",
                "NOT_A_SEGMENTATION_IMAGE",
                sentence(
                    "the image is for classification only; choose one for segmentation + classification"
                ),
            )
        ]
    counts = facts.code_counts(request.data_paths)
    if counts and not any(count.masks for count in counts.values()):
        return [
            Violation(
                "train_segmentation",
                "NO_MASKS",
                sentence("none of the samples has a mask; segmentation has nothing to learn from"),
            )
        ]
    return []
