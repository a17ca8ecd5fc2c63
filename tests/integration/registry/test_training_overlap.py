"""Data is compared with what made a version's weights (P7)."""

import asyncio
import io
import secrets
from pathlib import Path

import pytest
from google.protobuf import struct_pb2
from loupe.errors import InvalidArgument, NotFound
from loupe.registry.v1 import (
    algorithm_image_pb2,
    algorithm_image_service_pb2,
    dataset_service_pb2,
    model_service_pb2,
)
from loupe.settings import load
from PIL import Image

from services.kit.object_store import ObjectStore, ObjectStoreSettings
from services.registry.application.overlap import Overlaps

from .conftest import Caller, Importer, Registry, encoded, new_path, png, version_of

Counts = tuple[int, int, int, int]


async def filled(
    caller: Caller, files: dict[str, bytes], groups: dict[str, str] | None = None, path: str = ""
) -> str:
    """A data path with these files; a new one unless it is named."""
    path = path or await new_path(caller)
    await Importer(caller, path).import_files(files, groups=groups)
    return path


async def pinned(caller: Caller, path: str) -> str:
    answer = await caller.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path))
    return str(answer.name)


async def trained(registry: Registry, *snapshots: str, **changes: object) -> str:
    """A version that was trained with these snapshots."""
    task = f"tasks/{secrets.token_hex(8)}"
    request = model_service_pb2.CreateModelVersionRequest(
        parent=f"models/m-{secrets.token_hex(4)}", version=version_of(task, snapshots=snapshots, **changes)
    )
    return str((await registry.service.models.CreateModelVersion(request)).name)


async def measured(caller: Caller, version: str, *data: str) -> Counts:
    """Samples, those trained with, groups, samples affected."""
    found = await caller.models.MeasureTrainingOverlap(
        model_service_pb2.MeasureTrainingOverlapRequest(name=version, data=data)
    )
    return (
        found.sample_count,
        found.trained_sample_count,
        found.trained_group_count,
        found.affected_sample_count,
    )


def pictures(*seeds: int) -> dict[str, bytes]:
    return {f"TPFIP/{seed}.png": png(seed) for seed in seeds}


def started_from(parent: str, *, warm: bool) -> dict[str, object]:
    parameters = struct_pb2.Struct()
    parameters.update({"warm_start": warm})
    return {"parent_version": parent, "preprocessing_params": parameters}


async def test_p7_samples_are_known_by_content_under_any_name(
    registry: Registry, engineer: Caller, viewer: Caller
) -> None:
    """P7: the same picture under another name, code, path, dataset or lossless format is the same sample."""
    training = await filled(engineer, pictures(1, 2, 3))
    version = await trained(registry, await pinned(engineer, training))
    again = encoded(Image.open(io.BytesIO(png(2))), "BMP")
    bank = await filled(engineer, {"TTFBS/other.png": png(1), "TTFBS/other.bmp": again, **pictures(4, 5)})
    fresh = await filled(engineer, pictures(6, 7))
    assert await measured(viewer, version, bank) == (4, 2, 0, 2)
    assert await measured(viewer, version, fresh) == (2, 0, 0, 0)
    assert await measured(viewer, version, bank, fresh) == (6, 2, 0, 2)
    assert await measured(viewer, version, training) == (3, 3, 0, 3)


async def test_p7_groups_count_though_no_picture_is_the_same(registry: Registry, engineer: Caller) -> None:
    """D3, P7: another photo of a part that was trained with is no new part."""
    names = {"TPFIP/1.png": "panel-1", "TPFIP/2.png": "panel-2"}
    training = await filled(engineer, pictures(11, 12) | {f: png(i) for i, f in enumerate(names)}, names)
    version = await trained(registry, await pinned(engineer, training))
    files = pictures(21, 22, 23, 24, 11)
    groups = {"TPFIP/21.png": "panel-1", "TPFIP/22.png": "panel-1", "TPFIP/23.png": "panel-9"}
    bank = await filled(engineer, files, groups)
    assert await measured(engineer, version, bank) == (5, 1, 1, 3)


async def test_p7_what_was_pinned_counts_not_what_lies_there_now(
    registry: Registry, engineer: Caller
) -> None:
    """W12, P7: a path may change after the training and after the prediction; their snapshots do not."""
    training = await filled(engineer, pictures(31, 32))
    version = await trained(registry, await pinned(engineer, training))
    await filled(engineer, {"TPFIP/31.png": png(33)}, path=training)
    bank = await filled(engineer, pictures(31))
    snapshot = await pinned(engineer, bank)
    await filled(engineer, {"TPFIP/31.png": png(34)}, path=bank)
    assert await measured(engineer, version, snapshot) == (1, 1, 0, 1)
    assert await measured(engineer, version, bank) == (1, 0, 0, 0)
    assert await measured(engineer, version, training) == (2, 1, 0, 1)


async def test_p7_a_retraining_knows_what_its_first_weights_knew(
    registry: Registry, engineer: Caller
) -> None:
    """P7: weights that began with an ancestor's learnt its data too; from scratch, they did not."""
    first = await filled(engineer, pictures(41))
    second = await filled(engineer, pictures(42))
    pins = [await pinned(engineer, path) for path in (first, second)]
    grandparent = await trained(registry, pins[0])
    parent = await trained(registry, pins[1], **started_from(grandparent, warm=True))
    child = await trained(registry, pins[1], **started_from(parent, warm=True))
    afresh = await trained(registry, pins[1], **started_from(parent, warm=False))
    unsaid = await trained(registry, pins[1], parent_version=parent)
    assert await measured(engineer, child, first) == (1, 1, 0, 1)
    assert await measured(engineer, unsaid, first) == (1, 1, 0, 1)
    assert await measured(engineer, afresh, first) == (1, 0, 0, 0)
    assert await measured(engineer, afresh, second) == (1, 1, 0, 1)


async def test_p7_the_images_own_training_paths_count(registry: Registry, engineer: Caller) -> None:
    """W4, P7: what the algorithm was trained on is nothing new to its models."""
    own = await filled(engineer, pictures(51))
    image = f"i-{secrets.token_hex(4)}"
    await registry.admin.images.CreateAlgorithmImage(
        algorithm_image_service_pb2.CreateAlgorithmImageRequest(
            algorithm_image_id=image,
            algorithm_image=algorithm_image_pb2.AlgorithmImage(
                kind=algorithm_image_pb2.IMAGE_KIND_GENERAL,
                task_type=algorithm_image_pb2.TASK_TYPE_CLASSIFICATION,
            ),
        )
    )
    created = await registry.admin.images.CreateAlgorithmImageVersion(
        algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
            parent=f"algorithmImages/{image}",
            version=algorithm_image_pb2.AlgorithmImageVersion(
                major=3,
                classification_networks=["ResNet18"],
                input=algorithm_image_pb2.InputSpecification(
                    width=64, height=64, channels=3, mean=[0.5] * 3, std=[0.5] * 3
                ),
                training_paths=[own],
            ),
        )
    )
    training = await filled(engineer, pictures(52))
    version = await trained(registry, await pinned(engineer, training), algorithm_image_version=created.name)
    assert await measured(engineer, version, await filled(engineer, pictures(51, 53))) == (2, 1, 0, 1)


async def test_p7_first_comparisons_at_once_count_nothing_twice(registry: Registry, engineer: Caller) -> None:
    """P7: the contents of a manifest are copied at the first comparison, of which there may be several."""
    training = await pinned(engineer, await filled(engineer, pictures(61, 62, 63)))
    bank = await pinned(engineer, await filled(engineer, pictures(62, 64)))
    version = await trained(registry, training)
    found = await asyncio.gather(*(measured(engineer, version, bank) for _ in range(8)))
    assert set(found) == {(2, 1, 0, 1)}


async def test_p7_a_copy_goes_on_when_its_caller_gives_up(
    registry: Registry, engineer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P7: a listing that takes longer than callers wait would else be copied for ever and compared never."""
    snapshot = await pinned(engineer, await filled(engineer, pictures(81)))
    version = await trained(registry, snapshot)
    began, may_go_on, downloads = asyncio.Event(), asyncio.Event(), list[str]()
    async with ObjectStore(load(ObjectStoreSettings, registry.environment)) as store:
        download = store.download

        async def held_up(key: str, path: Path) -> None:
            downloads.append(key)
            began.set()
            await may_go_on.wait()
            await download(key, path)

        monkeypatch.setattr(store, "download", held_up)
        overlaps = Overlaps(registry.database.sessions, store)
        model = version.split("/")[1]
        impatient = asyncio.create_task(overlaps.measure((model, "v3.01"), [snapshot]))
        await began.wait()
        impatient.cancel()
        await asyncio.wait([impatient])
        patient = asyncio.create_task(overlaps.measure((model, "v3.01"), [snapshot]))
        may_go_on.set()
        assert (await patient).affected_sample_count == 1
    assert len(downloads) == 1


async def test_p7_data_that_is_not_there_is_named(registry: Registry, engineer: Caller) -> None:
    """An answer about less data than was asked for would be taken for an answer about all of it."""
    path = await filled(engineer, pictures(71))
    version = await trained(registry, await pinned(engineer, path))
    for missing in ("datasets/none/paths/none", f"{path}/snapshots/{'0' * 64}"):
        with pytest.raises(NotFound, match=missing):
            await measured(engineer, version, missing)
    with pytest.raises(NotFound):
        await measured(engineer, version.replace("v3.01", "v3.09"), path)
    with pytest.raises(InvalidArgument, match="501"):
        await measured(engineer, version, *[path] * 501)


async def test_p8_a_training_is_compared_as_the_version_that_it_would_be(
    registry: Registry, engineer: Caller
) -> None:
    """P7, P8: before the release nothing of it is in the registry; its parent's data counts too."""
    first, second = await filled(engineer, pictures(91)), await filled(engineer, pictures(92))
    parent = await trained(registry, await pinned(engineer, first))
    bank = await pinned(engineer, await filled(engineer, pictures(91, 92, 93)))
    for warm, counts in ((True, (3, 2, 0, 2)), (False, (3, 1, 0, 1))):
        training = model_service_pb2.CreateModelVersionRequest(
            parent="models/unreleased",
            version=version_of(
                "tasks/unreleased",
                snapshots=[await pinned(engineer, second)],
                **started_from(parent, warm=warm),
            ),
        )
        found = await registry.service.models.MeasureOverlapOfTraining(
            model_service_pb2.MeasureOverlapOfTrainingRequest(training=training, data=[bank])
        )
        assert (found.sample_count, found.trained_sample_count) == counts[:2]
        left = await registry.service.models.ExcludeTrainingOverlap(
            model_service_pb2.ExcludeTrainingOverlapRequest(training=training, snapshots=[bank])
        )
        assert left.training_overlap.affected_sample_count == counts[3]
        assert left.snapshots[0] != bank
