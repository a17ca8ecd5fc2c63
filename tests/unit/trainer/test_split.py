"""The split decides what every later figure is worth (D3)."""

import csv
import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.training.data import conforming, prior_sides, split
from services.vision.faults import UserFault
from services.vision.judgement import refuse_one_sided
from services.vision.preprocessing import ResolutionRule
from services.vision.samples import Sample
from services.vision.sides import tied_codes

MAGNETIC_TILE = Path(__file__).parents[4] / "shared/data/magnetic_tile/groups.csv"


def sample(
    number: int, code: str, group: str | None = None, sha256: str | None = None, pixels: str | None = None
) -> Sample:
    sha256 = sha256 or f"{number:064x}"
    return Sample(f"{code}/{number}.png", code, sha256, pixels_sha256=pixels, group=group, manifest="m")


@st.composite
def sample_lists(draw):
    """Samples with few codes, some groups (across codes too), some equal bytes and some equal pixels."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("ABCD"),
                st.sampled_from([None, *"uvwxyz"]),
                st.integers(0, 60),
                st.sampled_from([None, *map(str, range(20))]),
            ),
            min_size=1,
            max_size=60,
        )
    )
    return [
        sample(number, code, group, f"{same:064x}", pixels)
        for number, (code, group, same, pixels) in enumerate(rows)
    ]


def sides_by(samples, sides, key):
    found = defaultdict(set)
    for its, side in zip(samples, sides, strict=True):
        if key(its):
            found[key(its)].add(side)
    return found


@settings(max_examples=200, deadline=None)
@given(sample_lists(), st.sampled_from([0.1, 0.5, 0.8, 0.95]), st.integers(0, 5))
def test_no_part_is_on_both_sides(samples, train_fraction, seed):
    """The same part photographed six times must not leak into validation; nor the same picture twice."""
    result = split(samples, train_fraction, seed)
    assert len(result.sides) == len(samples)
    for key in (lambda its: its.group, lambda its: its.sha256, lambda its: its.pixels_sha256):
        assert all(len(sides) == 1 for sides in sides_by(samples, result.sides, key).values())


def test_manifests_that_name_pixels_change_no_split_of_different_pictures():
    """W12: a training that goes on, or is retrained, after an update judges by the same pictures."""
    before = [sample(number, "AB"[number % 2], "u" if number < 4 else None) for number in range(40)]
    after = [replace(its, pixels_sha256=f"{1000 + number:064x}") for number, its in enumerate(before)]
    for seed in range(5):
        assert split(before, 0.8, seed).sides == split(after, 0.8, seed).sides
    assert b"pixels" not in split(before, 0.8, 0).to_jsonl()


def test_the_same_picture_in_other_bytes_follows_the_earlier_split():
    """D3: a copy of an old validation picture that comes in another file must not teach the child."""
    old = [sample(number, "A", pixels=f"p{number}") for number in range(10)]
    first = split(old, 0.5, 0)
    copies = [sample(100 + number, "A", pixels=f"p{number}") for number in range(10)]
    again = split(copies, 0.5, 1, prior_sides(first.to_jsonl()))
    assert again.sides == first.sides


@settings(max_examples=100, deadline=None)
@given(sample_lists(), st.integers(0, 5), st.randoms())
def test_the_order_of_the_samples_decides_nothing(samples, seed, random):
    """Two listings of one folder may come in two orders; the split and its file are the same."""
    shuffled = samples.copy()
    random.shuffle(shuffled)
    assert split(samples, 0.8, seed).to_jsonl() == split(shuffled, 0.8, seed).to_jsonl()


@settings(max_examples=200, deadline=None)
@given(sample_lists(), sample_lists(), st.integers(0, 5), st.sampled_from([0.3, 0.8]))
def test_a_retrain_never_moves_an_old_validation_sample_into_training(old, new, seed, train_fraction):
    """What judged the parent must not teach the child. New samples may even join two old parts."""
    first = split(old, train_fraction, seed)
    again = split(old + new, train_fraction, seed + 1, prior_sides(first.to_jsonl()))
    validation = {its.sha256 for its in first.of("validation")}
    assert not validation & {its.sha256 for its in again.of("train")}
    if not again.moved_to_validation:
        train = {its.sha256 for its in first.of("train")}
        assert not train & {its.sha256 for its in again.of("validation")}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("ABCDE"), st.lists(st.integers(1, 9), min_size=1, max_size=25), min_size=1
    ),
    st.sampled_from([0.2, 0.5, 0.8, 0.9]),
    st.integers(0, 20),
)
def test_the_split_is_stratified_by_code(groups, train_fraction, seed):
    """Each code with two parts or more is on both sides, and its share is off by less than a part."""
    samples, number = [], 0
    for code, sizes in groups.items():
        for index, size in enumerate(sizes):
            for _ in range(size):
                number += 1
                samples.append(sample(number, code, f"{code}{index}"))
    result = split(samples, train_fraction, seed)
    counts = {side: Counter(its.code for its in result.of(side)) for side in ("train", "validation")}
    for code, sizes in groups.items():
        assert counts["train"][code]
        if len(sizes) > 1:
            assert counts["validation"][code]
        if len(sizes) > 4:
            off = abs(counts["validation"][code] - (1 - train_fraction) * sum(sizes))
            assert off <= max(sizes)


def possible(parts, held):
    """Whether some choice of sides gives each code with two parts or more one on each side.

    `parts` has the codes of each part, `held` the sides that are not free.
    """
    codes = {code for code, count in Counter(code for its in parts for code in its).items() if count > 1}
    choices = [[held[part]] if part in held else ["train", "validation"] for part in range(len(parts))]
    return any(
        all(
            {side for its, side in zip(parts, sides, strict=True) if code in its} == {"train", "validation"}
            for code in codes
        )
        for sides in itertools.product(*choices)
    )


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from("ABCDEF"), min_size=1, max_size=3), min_size=1, max_size=8),
    st.lists(st.integers(1, 9), min_size=8, max_size=8),
    st.dictionaries(st.integers(0, 7), st.sampled_from(["train", "validation"]), max_size=3),
    st.sampled_from([0.1, 0.5, 0.8, 0.95]),
    st.integers(0, 20),
)
def test_every_code_is_on_both_sides_if_that_is_possible(parts, sizes, held, train_fraction, seed):
    """D9: a code that is on one side only is not learnt, or not judged, and its task fails.

    Parts may show several codes, and old parts keep their sides.
    """
    samples = [
        sample(100 * part + 10 * number + copy, code, f"g{part}")
        for part, codes in enumerate(parts)
        for number, code in enumerate(sorted(codes))
        for copy in range(sizes[part])
    ]
    prior = {f"group:g{part}": side for part, side in held.items()}
    result = split(samples, train_fraction, seed, prior)
    assert all(
        prior.get(f"group:{its.group}", side) == side for its, side in zip(samples, result.sides, strict=True)
    )
    if possible(parts, held):
        sides = sides_by(samples, result.sides, lambda its: its.code)
        shown = Counter(code for its in parts for code in its)
        assert {code for code, its in sides.items() if len(its) < 2} <= {
            code for code, count in shown.items() if count == 1
        }


def test_a_ring_of_codes_that_share_parts_is_divided():
    """No single move helps the last code here: each part is the only one of another code on its side."""
    ring = [{"A", "F"}, {"A", "D"}, {"B", "D"}, {"B", "E"}, {"C", "E"}, {"C", "F"}]
    samples = [
        sample(10 * part + number, code, f"g{part}")
        for part, codes in enumerate(ring)
        for number, code in enumerate(sorted(codes))
    ]
    for seed in range(50):
        result = split(samples, 0.8, seed)
        assert all(len(its) == 2 for its in sides_by(samples, result.sides, lambda its: its.code).values())


def test_codes_that_no_split_divides_are_known_without_a_split():
    """Three groups that show two of three codes each: two of them are on one side, and one code with them."""
    ring = dict.fromkeys(map(frozenset, ("AB", "BC", "AC")), 1)
    assert set(tied_codes({**ring, frozenset("D"): 5}).values()) == {frozenset("ABC")}
    for change in ({frozenset("A"): 1}, {frozenset("AB"): 2}, {frozenset("CD"): 1}):
        assert tied_codes({**ring, **change}) == {}


@settings(max_examples=400, deadline=None)
@given(st.lists(st.frozensets(st.sampled_from("ABCDEF"), min_size=1, max_size=3), min_size=1, max_size=9))
def test_codes_are_tied_exactly_where_no_split_is_possible(shown):
    """D9: the wizard must not refuse what can be divided; what it names is enough for the refusal."""
    tied = tied_codes(Counter(shown))
    assert bool(tied) == (not possible(shown, {}))
    for code, codes in tied.items():
        assert code in codes
        assert not possible([its & codes for its in shown], {})


def test_a_new_code_of_a_retraining_is_divided_by_itself():
    """Old samples keep their sides (D3); the new code has both (D9)."""
    old = [sample(number, "A") for number in range(20)]
    first = split(old, 0.8, 1)
    new = [sample(100 + number, "N", f"n{number // 3}") for number in range(6)]
    again = split(old + new, 0.8, 2, prior_sides(first.to_jsonl()))
    assert again.sides[:20] == first.sides
    assert set(again.sides[20:]) == {"train", "validation"}


def test_seeds_give_different_splits():
    samples = [sample(number, "A") for number in range(100)]
    assert split(samples, 0.8, 1).sides != split(samples, 0.8, 2).sides
    assert Counter(split(samples, 0.8, 1).sides) == {"train": 80, "validation": 20}


def test_an_unreadable_prior_is_a_fault_of_the_data():
    with pytest.raises(UserFault, match="earlier split"):
        prior_sides(b'{"name": "a"}\n')


def test_lines_of_what_was_set_aside_are_no_part_of_a_prior():
    """A sample that was unreadable and is replaced is new."""
    line = (
        b'{"name": "a", "code": "A", "sha256": "0", "side": "set_aside", "reason": "EMPTY", "message": "-"}\n'
    )
    assert prior_sides(line) == {}


@pytest.mark.skipif(
    not MAGNETIC_TILE.exists(), reason="the real data set lies beside the checkout of developers"
)
def test_no_magnetic_tile_is_on_both_sides():
    """The real set: some 222 tiles, each seen about six times; a random split leaks 99 % of them."""
    with MAGNETIC_TILE.open() as file:
        rows = list(csv.DictReader(file))
    samples = [sample(number, row["class"], row["tile_group"]) for number, row in enumerate(rows)]
    for seed in range(5):
        result = split(samples, 0.8, seed)
        assert all(len(its) == 1 for its in sides_by(samples, result.sides, lambda its: its.group).values())
        for code in {its.code for its in samples}:
            share = sum(its.code == code for its in result.of("validation")) / sum(
                its.code == code for its in samples
            )
            assert share == pytest.approx(0.2, abs=0.15)


def test_the_filter_keeps_what_it_cannot_judge():
    """A manifest without sizes is no reason to lose its samples."""
    small = Sample("A/s.png", "A", "1", width=20, height=900)
    unknown = Sample("A/u.png", "A", "2")
    kept, set_aside = conforming([small, unknown], ResolutionRule())
    assert kept == [unknown]
    assert [(its.sample, its.reason) for its in set_aside] == [(small, "RESOLUTION_TOO_LOW")]


@pytest.mark.parametrize(
    ("training", "validation", "told"),
    [
        ([], [], "S (no usable sample)"),
        (
            [sample(1, "S", "g"), sample(2, "S", "g")],
            [],
            "S (2 usable samples in 1 group(s), none to validate",
        ),
        ([], [sample(1, "S")], "S (1 usable samples in 1 group(s), none to train"),
    ],
)
def test_a_code_on_one_side_is_a_fault_of_the_data(training, validation, told):
    """D9, D4: classes and special codes alike; the sentence says how many samples and groups there are."""
    others = [sample(10, "A")], [sample(11, "A")]
    with pytest.raises(UserFault) as fault:
        refuse_one_sided(["A", "S"], [*others[0], *training], [*others[1], *validation])
    assert fault.value.code == "CODE_ON_ONE_SIDE"
    assert told in fault.value.message
    assert "A (" not in fault.value.message
    assert "S（" in fault.value.message_zh
    refuse_one_sided(["A"], *others)
