"""What a candidate becomes (D1, D4), how counts change, and what a manifest says."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.image_files import FEW_BITS, LEFT_OVER
from loupe.registry.v1 import dataset_pb2

from services.registry.domain.candidates import (
    Candidate,
    CandidateOutcome,
    SampleOutcome,
    candidate_faults,
    judge,
)
from services.registry.domain.datasets import DataPath, MaskCodesDiffer, mask_codes_faults
from services.registry.domain.objects import (
    _BY_REASON,
    Doubt,
    ImageObject,
    MaskFacts,
    MaskFault,
    RejectedObject,
    Rejection,
    RejectReason,
)
from services.registry.domain.samples import CodeCount, Sample, count_changes, manifest_line
from services.registry.wire.datasets import outcome_out

IMAGE, MASK, PIXELS = "a" * 64, "b" * 64, "c" * 64


def an_image(sha256: str = IMAGE, width: int = 10, height: int = 8, kind: str = "PNG") -> ImageObject:
    return ImageObject(sha256, 100, width, height, 1, 8, kind, PIXELS, MaskFacts())


def a_sample(file: str, *, mask: bool = False) -> Sample:
    return Sample(file, file.partition("/")[0], an_image(), MASK if mask else None, None)


def turned(orientation: int, image: ImageObject) -> ImageObject:
    return replace(image, orientation=orientation)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("size", [(10, 8), (8, 10)])
def test_a_turned_image_with_a_mask_is_refused(orientation: int, size: tuple[int, int]) -> None:
    """D5: the mask may be for the image as stored or as shown; of a half turn not even the size tells."""
    image = turned(orientation, an_image())
    mask = replace(an_image(MASK, *size), mask=MaskFacts(largest_index=1))
    verdict = judge(Candidate("A/a.png", IMAGE, MASK), {IMAGE: image, MASK: mask})
    assert isinstance(verdict, Rejection)
    assert verdict.reason is RejectReason.BAD_MASK
    assert f"orientation tag ({orientation})" in verdict.message
    assert f"（{orientation}）" in verdict.told.chinese
    assert isinstance(judge(Candidate("A/a.png", IMAGE), {IMAGE: image}), Sample)


def test_a_mask_that_marks_nothing_is_the_same_however_its_image_is_turned() -> None:
    """Annotated pictures on which nothing is marked get such a mask."""
    mask = an_image(MASK)
    assert isinstance(
        judge(Candidate("A/a.png", IMAGE, MASK), {IMAGE: turned(6, an_image()), MASK: mask}), Sample
    )


@pytest.mark.parametrize("doubt", list(Doubt))
def test_every_doubt_of_a_picture_is_told_in_both_languages(doubt: Doubt) -> None:
    """D6: it is taken, and the report says what to look at."""
    outcome = outcome_out(SampleOutcome("A/a.png", CandidateOutcome.ADDED, None, doubt))
    assert outcome.outcome == dataset_pb2.SampleOutcome.OUTCOME_ADDED
    assert outcome.reason == doubt
    assert outcome.message
    assert outcome.message_zh
    assert {FEW_BITS, LEFT_OVER} == set(Doubt)


def test_every_reason_is_told_in_chinese() -> None:
    """Engineers in the fab read Chinese; a new reason must not be forgotten."""
    assert set(_BY_REASON) == set(RejectReason)


def test_a_sound_candidate_is_a_sample() -> None:
    """Its code is its folder (D1)."""
    verdict = judge(
        Candidate("TPFIP/a.PNG", IMAGE, MASK, "g"), {IMAGE: an_image(), MASK: an_image(MASK, kind="BMP")}
    )
    assert verdict == Sample("TPFIP/a.PNG", "TPFIP", an_image(), MASK, "g")


@pytest.mark.parametrize(
    ("file", "kind", "sound"),
    [
        ("A/x.jpg", "JPEG", True),
        ("A/x.jpeg", "JPEG", True),
        ("A/x.tif", "TIFF", True),
        ("A/x.png", "JPEG", False),
    ],
)
def test_the_extension_must_tell_the_type(file: str, kind: str, sound: bool) -> None:  # noqa: FBT001 -- a column of the table
    """D4: a file that lies about its type is set aside, by its name and not by its bytes."""
    verdict = judge(Candidate(file, IMAGE), {IMAGE: an_image(kind=kind)})
    assert isinstance(verdict, Sample) == sound


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 245 + ".png", ""),
        ("x" * 246 + ".png", "256 bytes"),
        ("x" * 251 + ".png", "261 bytes"),
        ("玻" * 81 + ".png", ""),
        ("玻" * 83 + ".png", "259 bytes"),
    ],
)
def test_a_name_that_is_too_long_with_its_code_is_told_by_how_much(name: str, told: str) -> None:
    """D4: a folder takes names of 255 bytes; the limit counts the code and the slash as well."""
    fault = Candidate(f"TPFIP/{name}", IMAGE).fault()
    if not told:
        assert fault is None
    else:
        assert fault is not None
        assert fault.reason is RejectReason.BAD_NAME
        assert told in fault.message
        assert "shorten the name to 249 bytes" in fault.message
        assert "249 字节" in fault.told.chinese


@pytest.mark.parametrize("reason", list(RejectReason))
def test_a_mask_that_can_be_uploaded_again_says_so(reason: RejectReason) -> None:
    """An importer's remedy for absent or damaged bytes is an upload; for all else it is another mask."""
    rejected = RejectedObject(MASK, 0, Rejection(reason, "x"))
    verdict = judge(Candidate("A/x.png", IMAGE, MASK), {IMAGE: an_image(), MASK: rejected})
    assert isinstance(verdict, Rejection)
    uploads = {RejectReason.NOT_UPLOADED, RejectReason.HASH_MISMATCH}
    assert verdict.reason is (reason if reason in uploads else RejectReason.BAD_MASK)


COLOURED, DEEP = (
    MaskFault("the mask shows colours", "掩膜含有彩色"),
    MaskFault("the mask is RGB", "掩膜是彩色图"),
)


@pytest.mark.parametrize(
    ("declared", "mask", "told", "told_zh"),
    [
        ("", MaskFacts(), "", ""),
        ("", MaskFacts(indexed=DEEP), "", ""),
        ("", MaskFacts(black_and_white=COLOURED), "shows colours", "彩色"),
        ("A,B", MaskFacts(black_and_white=COLOURED, largest_index=2), "", ""),
        ("A,B", MaskFacts(largest_index=3), "declares 2 codes", "只声明了 2 个"),
        ("A,B", MaskFacts(indexed=DEEP), "is RGB", "彩色图"),
    ],
)
def test_a_mask_says_what_its_path_declares(declared: str, mask: MaskFacts, told: str, told_zh: str) -> None:
    """D1, D5: a file is a mask or not by what its path says that values mean: told in both languages."""
    codes = [code for code in declared.split(",") if code]
    objects = {IMAGE: an_image(), MASK: replace(an_image(MASK), mask=mask)}
    verdict = judge(Candidate("A/x.png", IMAGE, MASK), objects, codes)
    if not told:
        assert isinstance(verdict, Sample)
    else:
        assert isinstance(verdict, Rejection)
        assert verdict.reason is RejectReason.BAD_MASK
        assert told in verdict.message
        assert told_zh in verdict.told.chinese


@pytest.mark.parametrize(
    ("before", "masks", "wanted", "allowed"),
    [
        ("", 0, "A,B", True),
        ("", 1, "A,B", False),
        ("A", 1, "A,B", True),
        ("A,B", 1, "B,A", False),
        ("A,B", 1, "A", False),
        ("A,B", 0, "B,A", True),
    ],
)
def test_masks_never_change_their_meaning(before: str, masks: int, wanted: str, *, allowed: bool) -> None:
    """D1: declared before there are masks, extended after; all else would give pixels another label."""
    now = datetime.now(UTC)
    codes = tuple(code for code in before.split(",") if code)
    path = DataPath("d", "p", now, now, code_counts=(CodeCount("A", 1, masks),), mask_codes=codes)
    if allowed:
        assert path.declaring(tuple(wanted.split(","))).mask_codes == tuple(wanted.split(","))
    else:
        with pytest.raises(MaskCodesDiffer, match="would change"):
            path.declaring(tuple(wanted.split(",")))


def test_a_declaration_of_codes_is_checked_whole() -> None:
    """D1: all its faults at once, each with its place."""
    faults = mask_codes_faults(["A", "b c", "A", *(f"C{n}" for n in range(252))])
    assert [(fault.field, fault.reason) for fault in faults] == [
        ("data_path.mask_codes[1]", "BAD_CODE"),
        ("data_path.mask_codes[2]", "DUPLICATE"),
        ("data_path.mask_codes", "TOO_MANY"),
    ]
    assert all(fault.message_zh for fault in faults)


@given(st.text(max_size=40))
def test_no_file_name_breaks_the_layout_check(file: str) -> None:
    """Importers send whatever lies in a folder; the answer is always a verdict."""
    fault = Candidate(file, IMAGE).layout_fault()
    assert fault is None or fault.reason in (RejectReason.BAD_CODE, RejectReason.NOT_AN_IMAGE)
    if fault is None:
        assert file.count("/") == 1


files = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 9), st.booleans()), max_size=30)


@given(files, files)
def test_differences_add_up_to_the_counts(
    first: list[tuple[str, int, bool]], second: list[tuple[str, int, bool]]
) -> None:
    """Counts are kept by adding differences; after any two batches they must be what a recount would give."""
    listing: dict[str, Sample] = {}
    samples: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for batch in (first, second):
        offered = {f"{code}/{n}.png": a_sample(f"{code}/{n}.png", mask=mask) for code, n, mask in batch}
        changed = [sample for file, sample in offered.items() if listing.get(file) != sample]
        removed = [
            (sample.code, listing[sample.file].mask_sha256 is not None)
            for sample in changed
            if sample.file in listing
        ]
        for change in count_changes(changed, removed):
            samples[change.code] += change.sample_count
            masks[change.code] += change.mask_count
        listing.update(offered)
    assert +samples == Counter(sample.code for sample in listing.values())
    assert +masks == Counter(sample.code for sample in listing.values() if sample.mask_sha256)


def test_a_manifest_line_never_changes() -> None:
    """W12: a manifest's hash names the data of every report; with a byte more none is the same again."""
    line = manifest_line(Sample("A/图.png", "A", an_image(), None, "晶圆"))
    told = (
        f'{{"name":"A/图.png","code":"A","sha256":"{IMAGE}","size_bytes":100,"width":10,"height":8,'
        f'"format":"PNG","mask_sha256":null,"group":"晶圆","pixels_sha256":"{PIXELS}"}}\n'
    )
    assert line == told.encode()
    assert json.loads(line)["group"] == "晶圆"
    assert manifest_line(Sample("A/图.png", "A", an_image(), None, "晶圆"), ["A"]) == line


def test_a_manifest_says_what_indexed_masks_mean() -> None:
    """D1, W12: a trainer reads nothing but the manifest, so what a mask's values mean is pinned there."""
    line = json.loads(manifest_line(a_sample("A/x.png", mask=True), ["A", "B"]))
    assert (line["mask_sha256"], line["mask_codes"]) == (MASK, ["A", "B"])
    assert "mask_codes" not in json.loads(manifest_line(a_sample("A/x.png", mask=True)))


def test_a_batch_has_an_end() -> None:
    """A call's memory and time are bounded by its contract."""
    assert candidate_faults([Candidate(f"A/{n}.png", IMAGE) for n in range(500)]) == []
    assert candidate_faults([Candidate(f"A/{n}.png", IMAGE) for n in range(501)])[0].reason == "TOO_MANY"
