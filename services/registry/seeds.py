"""The master data of a new installation. Idempotent: existing rows stay as they are."""

from datetime import datetime, timedelta
from typing import Any

from loupe.errors import Unauthenticated
from sqlalchemy.ext.asyncio import AsyncSession

from services.input_specification import InputSpecification
from services.kit.database import database_time
from services.registry.domain.identity import PresentedToken, Token, User, UserRole
from services.registry.domain.images import (
    AlgorithmImage,
    AlgorithmImageVersion,
    ImageKind,
    ImageVersionNumber,
    TaskType,
)
from services.registry.domain.master_data import ComputeResource, ProductionEnvironment
from services.registry.storage.identity import Identities
from services.registry.storage.images import AlgorithmImages
from services.registry.storage.master_data import ComputeResources, ProductionEnvironments

ADMIN = "admin"
_BOOTSTRAP_TOKEN_LIFE = timedelta(days=3650)

MODEL_PARAMS: dict[str, Any] = {
    "classification": {"name": "ResNet18", "num_of_classes": 5},
    "code_list": ["TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS"],
}
"""The source document's own example (W3), with its comma."""

# The keys are the source document's (W8); the values are sized for a thousand images and two cores, where the
# source's 40,000 iterations of 256 suit a fab's. docs/benchmarks/accuracy.md has what they reach.
TRAINING_PARAMS: dict[str, Any] = {
    "classification": {
        "base_lr": 0.02,
        "batch_size": 32,
        "max_iter": 450,
        "weight_decay": 0.001,
        "momentum": 0.9,
        "lr_policy": "poly",
        "power": 0.9,
        "gamma": 0.1,
    },
    "segmentation": {
        "base_lr": 0.1,
        "batch_size": 16,
        "max_iter": 4000,
        "weight_decay": 0.0005,
        "momentum": 0.9,
        "lr_policy": "poly",
        "power": 0.9,
        "gamma": 0.1,
    },
}

_ENVIRONMENTS = (
    ProductionEnvironment(
        "demo-fab-cell-array",
        site="Demo Fab",
        product="LCD panel",
        process_step="Cell array",
        equipment="AOI-01",
        description="Inspection after the array process",
    ),
    ProductionEnvironment(
        "demo-fab-color-filter",
        site="Demo Fab",
        product="LCD panel",
        process_step="Color filter",
        equipment="AOI-02",
        description="Inspection after the color filter process",
    ),
)

_RESOURCES = (
    ComputeResource("cpu", "Two processor cores, no GPU", gpus=0, cpus=2, memory_bytes=4 * 2**30),
    ComputeResource("gpu", "One GPU", gpus=1, cpus=8, memory_bytes=32 * 2**30),
)

# Small, so that two cores train it in minutes; per image, because exposure varies between photos.
_SURFACE_INPUT = InputSpecification(width=64, height=64, per_image_normalisation=True, detail=3)

_IMAGES = (
    (
        AlgorithmImage(
            "surface-classification",
            ImageKind.GENERAL,
            TaskType.CLASSIFICATION,
            display_name="Surface defect classification",
            description="ResNet18 for any surface; codes and environment are the user's to choose",
        ),
        _SURFACE_INPUT,
    ),
    (
        AlgorithmImage(
            "surface-segmentation",
            ImageKind.GENERAL,
            TaskType.SEGMENTATION_CLASSIFICATION,
            display_name="Surface defect segmentation and classification",
            description="ResNet18 for any surface, and beside it a segmentation network taught by masks",
        ),
        _SURFACE_INPUT,
    ),
    (
        AlgorithmImage(
            "cell-array-classification",
            ImageKind.BUSINESS,
            TaskType.CLASSIFICATION,
            display_name="Cell array defect classification",
            description="ResNet18 for the cell array process, with that line's codes",
            production_environment="demo-fab-cell-array",
        ),
        InputSpecification(width=224, height=224),
    ),
)


async def plant(session: AsyncSession) -> None:
    """Master data and algorithm images."""
    now = await database_time(session)
    for environment in _ENVIRONMENTS:
        await ProductionEnvironments(session).add(environment)
    for resource in _RESOURCES:
        await ComputeResources(session).add(resource)
    images = AlgorithmImages(session)
    for image, specification in _IMAGES:
        # Only for a new image: an administrator may have created other versions.
        if await images.add(_dated(image, now)):
            await images.add_version(
                AlgorithmImageVersion(
                    image=image.id,
                    number=ImageVersionNumber(3, 0),
                    input=specification,
                    default_model_params=MODEL_PARAMS,
                    default_training_params=TRAINING_PARAMS,
                    description="First version",
                    create_time=now,
                )
            )


async def bootstrap_admin(session: AsyncSession, token: str) -> None:
    """Make `token` a token of user `admin`. A later start with another token does not revoke this one."""
    presented = PresentedToken.parse(token)
    now = await database_time(session)
    identities = Identities(session)
    await identities.add_user(User(ADMIN, UserRole.ADMIN, "Administrator", create_time=now))
    known = await identities.find_token(presented.id)
    # A restart must not restore a revoked token; a new secret under the same id is a new token.
    if known is not None and known[0].digest == presented.digest:
        return
    if known is not None and known[1].id != ADMIN:
        raise Unauthenticated(
            f"LOUPE_BOOTSTRAP_ADMIN_TOKEN has the id of a token of users/{known[1].id}; choose another"
        )
    await identities.put_token(
        Token(
            id=presented.id,
            user=ADMIN,
            role=UserRole.ADMIN,
            digest=presented.digest,
            create_time=now,
            expire_time=now + _BOOTSTRAP_TOKEN_LIFE,
            description="Bootstrap token of the installation",
        ),
        though_revoked=True,
    )


def _dated(image: AlgorithmImage, now: datetime) -> AlgorithmImage:
    return AlgorithmImage(
        image.id,
        image.kind,
        image.task_type,
        display_name=image.display_name,
        description=image.description,
        production_environment=image.production_environment,
        create_time=now,
    )
