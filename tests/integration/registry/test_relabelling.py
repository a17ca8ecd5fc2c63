"""Samples that move to other codes: a new revision of their data path (P6, W12)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from loupe.errors import Aborted, InvalidArgument, NotFound, PermissionDenied
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from PIL import Image

from .conftest import Caller, Importer, Registry, a_mask, encoded, png, sha256

RelabelOutcome = dataset_pb2.RelabelOutcome.Outcome
ONE, TWO, THREE = png(1), png(2), png(3)
MASK = a_mask(9)


async def relabel(
    caller: Caller, path: str, *wanted: tuple[str, bytes, str], revision: int = 0
) -> dataset_service_pb2.RelabelSamplesResponse:
    relabels = [
        dataset_pb2.SampleRelabel(file=file, sha256=sha256(data), code=code) for file, data, code in wanted
    ]
    answer: dataset_service_pb2.RelabelSamplesResponse = await caller.data.RelabelSamples(
        dataset_service_pb2.RelabelSamplesRequest(parent=path, relabels=relabels, revision=revision)
    )
    return answer


async def listing(importer: Importer) -> dict[str, dataset_pb2.Sample]:
    answer = await importer.caller.data.ListSamples(
        dataset_service_pb2.ListSamplesRequest(parent=importer.path, page_size=100)
    )
    return {sample.file: sample for sample in answer.samples}


def told(outcomes: Sequence[dataset_pb2.RelabelOutcome]) -> list[tuple[str, str, str]]:
    return [(RelabelOutcome.Name(o.outcome).removeprefix("OUTCOME_"), o.new_file, o.reason) for o in outcomes]


async def snapshot(importer: Importer) -> Any:  # noqa: ANN401 -- a message of untyped stubs
    return await importer.caller.data.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name=importer.path)
    )


async def test_p6_a_relabelled_sample_is_a_new_revision_and_what_was_pinned_stays(
    importer: Importer, registry: Registry
) -> None:
    """W12: a report of yesterday is traced to yesterday's labels; tomorrow's training has the right ones."""
    await importer.import_files(
        {"A/1.png": ONE, "B/2.png": TWO}, masks={"A/1.png": MASK}, groups={"A/1.png": "g"}
    )
    before = await snapshot(importer)
    answer = await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"))
    assert told(answer.outcomes) == [("RELABELLED", "B/1.png", "")]
    assert answer.data_path.revision == 2
    counts = {count.code: (count.sample_count, count.mask_count) for count in answer.data_path.code_counts}
    assert counts == {"B": (2, 1)}
    moved = (await listing(importer))["B/1.png"]
    assert (moved.code, moved.sha256, moved.mask_sha256, moved.group) == ("B", sha256(ONE), sha256(MASK), "g")
    after = await snapshot(importer)
    assert [line["code"] for line in await registry.manifest(before.sha256)] == ["A", "B"]
    assert [line["code"] for line in await registry.manifest(after.sha256)] == ["B", "B"]


async def test_p6_a_repeated_relabel_changes_nothing(importer: Importer) -> None:
    """Whoever got no answer asks again; that is no second revision."""
    await importer.import_files({"A/1.png": ONE})
    first = await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"))
    again = await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"), ("B/1.png", ONE, "B"))
    assert told(again.outcomes) == [("UNCHANGED", "B/1.png", "")] * 2
    assert again.data_path == first.data_path


async def test_p6_a_name_that_is_taken_gets_the_old_code_in_it(importer: Importer) -> None:
    """Cameras number from 1 in every folder: a relabel must not replace another picture."""
    await importer.import_files({"A/1.png": ONE, "B/1.png": TWO})
    answer = await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"), ("B/1.png", TWO, "A"))
    assert told(answer.outcomes) == [("RELABELLED", "B/1-A.png", ""), ("RELABELLED", "A/1.png", "")]
    assert {file: its.sha256 for file, its in (await listing(importer)).items()} == {
        "A/1.png": sha256(TWO),
        "B/1-A.png": sha256(ONE),
    }


async def test_p6_a_picture_that_is_there_under_both_codes_stays_once(importer: Importer) -> None:
    """The cure of what D2 reports: the same pixels under two labels."""
    await importer.import_files({"A/1.png": ONE, "B/1.png": ONE})
    answer = await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"))
    assert told(answer.outcomes) == [("RELABELLED", "B/1.png", "")]
    assert answer.data_path.sample_count == 1


async def test_p6_what_cannot_be_relabelled_says_why_and_holds_up_nothing_else(importer: Importer) -> None:
    await importer.import_files(
        {"A/1.png": ONE, "A/2.png": TWO, "B/2.png": THREE, "B/2-A.png": png(4), "A/3.png": THREE}
    )
    answer = await relabel(
        importer.caller,
        importer.path,
        ("A/none.png", ONE, "B"),
        ("A/1.png", TWO, "B"),
        ("A/2.png", TWO, "B"),
        ("A/3.png", THREE, "C"),
    )
    assert told(answer.outcomes) == [
        ("REFUSED", "", "NOT_LISTED"),
        ("REFUSED", "", "OTHER_BYTES"),
        ("REFUSED", "", "NAME_TAKEN"),
        ("RELABELLED", "C/3.png", ""),
    ]
    assert all(outcome.message and outcome.message_zh for outcome in answer.outcomes[:3])


async def test_p6_a_mask_that_names_codes_by_value_is_pointed_out(engineer: Caller) -> None:
    """Its pixels go on naming the old code: a person must look."""
    await engineer.data.CreateDataset(
        dataset_service_pb2.CreateDatasetRequest(dataset_id="indexed", allow_existing=True)
    )
    path = await engineer.data.CreateDataPath(
        dataset_service_pb2.CreateDataPathRequest(
            parent="datasets/indexed",
            data_path_id="p",
            data_path=dataset_pb2.DataPath(mask_codes=[f"C{n}" for n in range(254)]),
        )
    )
    importer = Importer(engineer, path.name)
    mask = encoded(Image.fromarray(np.eye(16, 24, dtype=np.uint8)), "PNG")
    await importer.import_files({"C0/1.png": ONE}, masks={"C0/1.png": mask})
    answer = await relabel(engineer, path.name, ("C0/1.png", ONE, "C1"))
    assert told(answer.outcomes) == [("RELABELLED", "C1/1.png", "MASK_NAMES_CODES")]


async def test_p6_a_relabel_of_an_older_revision_is_refused(importer: Importer) -> None:
    await importer.import_files({"A/1.png": ONE})
    await importer.import_files({"A/2.png": TWO})
    with pytest.raises(Aborted) as refused:
        await relabel(importer.caller, importer.path, ("A/1.png", ONE, "B"), revision=1)
    assert refused.value.reason == "DATA_PATH_CHANGED"
    assert set(await listing(importer)) == {"A/1.png", "A/2.png"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"file": "A/1.png", "sha256": "xy", "code": "B"}, "relabels[0].sha256"),
        ({"file": "A/1.png", "sha256": "0" * 64, "code": "../B"}, "relabels[0].code"),
        ({"file": "1.png", "sha256": "0" * 64, "code": "B"}, "relabels[0].file"),
        ({"file": "../../1.png", "sha256": "0" * 64, "code": "B"}, "relabels[0].file"),
    ],
)
async def test_p6_a_wrong_relabel_names_its_field(
    importer: Importer, wrong: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await importer.caller.data.RelabelSamples(
            dataset_service_pb2.RelabelSamplesRequest(
                parent=importer.path, relabels=[dataset_pb2.SampleRelabel(**wrong)]
            )
        )
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_p6_relabels_are_bounded_and_need_a_path_and_an_engineer(
    importer: Importer, viewer: Caller
) -> None:
    many = [(f"A/{n}.png", ONE, "B") for n in range(501)]
    with pytest.raises(InvalidArgument):
        await relabel(importer.caller, importer.path, *many)
    with pytest.raises(NotFound):
        await relabel(importer.caller, "datasets/none/paths/p", ("A/1.png", ONE, "B"))
    with pytest.raises(PermissionDenied):
        await relabel(viewer, importer.path, ("A/1.png", ONE, "B"))
