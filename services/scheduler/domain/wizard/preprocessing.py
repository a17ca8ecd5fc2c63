"""Step 4: split, resolution filter, augmentation and segmentation (rules W10, W11)."""

from services.kit.errors import Violation
from services.scheduler.domain.spec import Augmentation, Preprocessing, TrainingRequest
from services.scheduler.domain.wizard.findings import finding
from services.scheduler.domain.wizard.registry_data import RegistryData

_DEFAULT_TRAIN_FRACTION = 0.8


def resolve_preprocessing(request: TrainingRequest) -> tuple[Preprocessing | None, list[Violation]]:
    """W10: the split and the augmentations; None if one of them is an error."""
    found = []
    fraction = _DEFAULT_TRAIN_FRACTION if request.train_fraction is None else request.train_fraction
    if not 0 < fraction < 1:
        found.append(
            finding(
                "preprocessing.train_fraction",
                "OUT_OF_RANGE",
                f"train_fraction must be in (0, 1), not {fraction:g}; 0.8 trains on 80 %, validates on 20 %",
                f"切分比例必须在 (0, 1) 内，而不是 {fraction:g}；0.8 表示 80 % 训练、20 % 验证",
            )
        )
    known = {augmentation.value for augmentation in Augmentation}
    for index, name in enumerate(request.augmentations):
        if name not in known:
            found.append(
                finding(
                    f"preprocessing.augmentations[{index}]",
                    "UNKNOWN_AUGMENTATION",
                    f"{name} is not an augmentation; there are {', '.join(sorted(known))}",
                    f"{name} 不是数据增强方式，可选：{'、'.join(sorted(known))}",
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
            finding(
                "train_segmentation",
                "NOT_A_SEGMENTATION_IMAGE",
                "the image is for classification only; choose one for segmentation + classification",
                "该镜像的任务类型为分类，只有分割分类镜像才能开启训练分割",
            )
        ]
    counts = facts.code_counts(request.data_paths)
    if counts and not any(count.masks for count in counts.values()):
        return [
            finding(
                "train_segmentation",
                "NO_MASKS",
                "none of the samples has a mask; segmentation has nothing to learn from",
                "所有样本都没有掩码，无法训练分割模型",
            )
        ]
    return []
