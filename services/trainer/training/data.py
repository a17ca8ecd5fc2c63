"""From a manifest to two sides: which samples conform, and who trains and who judges (D3, M1). Pure."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from services.vision.faults import UnreadableRecord, UserFault
from services.vision.preprocessing import ResolutionRule
from services.vision.samples import Sample

Side: TypeAlias = Literal["train", "validation"]


@dataclass(frozen=True)
class Nonconforming:
    """A sample set aside, and why."""

    sample: Sample
    reason: str
    message: str


def listed(samples: Iterable[Sample], codes: Container[str]) -> list[Sample]:
    """Samples whose code is in `code_list`; the wizard told the user how many are left out (W5)."""
    return [sample for sample in samples if sample.code in codes]


def conforming(samples: Iterable[Sample], rule: ResolutionRule) -> tuple[list[Sample], list[Nonconforming]]:
    """Samples whose resolution meets the rule, and those set aside. One of unknown size is kept."""
    kept, set_aside = [], []
    for sample in samples:
        fault = rule.fault(sample.width, sample.height) if sample.width and sample.height else None
        if fault:
            set_aside.append(Nonconforming(sample, *fault))
        else:
            kept.append(sample)
    return kept, set_aside


@dataclass(frozen=True)
class Split:
    """Which side each sample takes, in the order of the samples it was made from."""

    samples: tuple[Sample, ...]
    sides: tuple[Side, ...]
    moved_to_validation: int = 0
    """Training samples of the prior split that had to follow an old validation sample of the same part."""

    def of(self, side: Side) -> list[Sample]:
        """The samples of one side."""
        return [sample for sample, its in zip(self.samples, self.sides, strict=True) if its == side]

    def to_jsonl(self) -> bytes:
        """Canonical: the same split is the same bytes, whatever the order of its samples."""
        lines = sorted(
            json.dumps(
                {
                    "manifest": sample.manifest,
                    "name": sample.name,
                    "sha256": sample.sha256,
                    "code": sample.code,
                    "group": sample.group,
                    "side": side,
                },
                sort_keys=True,
                ensure_ascii=False,
            )
            for sample, side in zip(self.samples, self.sides, strict=True)
        )
        return "".join(line + "\n" for line in lines).encode()


def split(
    samples: Sequence[Sample], train_fraction: float, seed: int, prior: Mapping[str, Side] | None = None
) -> Split:
    """A split by part, stratified by code, that depends on the seed and not on the order of the samples.

    A part is all samples that share a group or a content hash, directly or through others: none is ever
    divided. Codes are served from the one with the fewest parts on; its parts go to validation in the order
    of a seeded hash, as long as that brings the code's share nearer to 1 - train_fraction. Every code with
    two parts or more has one on each side, unless the prior or a part it shares with another code forbids it.

    `prior` (from `prior_sides`) is what makes a retrain sticky: parts it knows keep their side. No rule
    without memory can keep both the share and every old side when samples are added. Where a new sample
    shows that an old training part and an old validation part are one, the whole goes to validation: what
    judged once never trains.
    """
    parts = _parts(samples)
    order = sorted(parts, key=lambda part: _seeded_hash(seed, part))
    sizes = {part: Counter(samples[index].code for index in parts[part]) for part in order}
    side: dict[str, Side] = {}
    moved = 0
    if prior:
        for part in order:
            known = [prior[key] for index in parts[part] for key in _keys(samples[index]) if key in prior]
            if known:
                side[part] = "validation" if "validation" in known else "train"
                moved += "train" in known and "validation" in known
    held = frozenset(side)
    parts_of = defaultdict(list)
    for part in order:
        for code in sizes[part]:
            parts_of[code].append(part)
    for code in sorted(parts_of, key=lambda code: (len(parts_of[code]), code)):
        _serve(code, parts_of[code], sizes, side, 1 - train_fraction)
    _give_both_sides(parts_of, sizes, side, held)
    of_sample = {index: side[part] for part, indices in parts.items() for index in indices}
    return Split(tuple(samples), tuple(of_sample[index] for index in range(len(samples))), moved)


def prior_sides(split_jsonl: bytes) -> dict[str, Side]:
    """What an earlier split decided, by content hash and by group."""
    sides: dict[str, Side] = {}
    for line in split_jsonl.splitlines():
        try:
            row = json.loads(line)
            if row["side"] == "set_aside":
                continue
            for key in _keys(Sample(row["name"], row["code"], row["sha256"], group=row.get("group"))):
                # One key on both sides can only come from a damaged split; validation is the safe reading.
                sides[key] = "validation" if "validation" in (row["side"], sides.get(key)) else "train"
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord("the earlier split", "父版本的数据划分记录", error) from error
    return sides


def refuse_unlearnable(recipe_codes: Sequence[str], num_of_classes: int, train: Iterable[Sample]) -> None:
    """Raises UserFault where a class has nothing to learn from."""
    counts = Counter(sample.code for sample in train)
    empty = [code for code in recipe_codes[:num_of_classes] if not counts[code]]
    if empty:
        names = ", ".join(empty)
        raise UserFault(
            "BAD_DATA",
            f"no usable training sample is left for {names}; add images of these codes, "
            "or switch the resolution filter off",
            f"以下 code 没有可用的训练图片：{names}；请为其添加图片，或关闭归一化处理的分辨率过滤",
        )


def _keys(sample: Sample) -> list[str]:
    return [f"sha256:{sample.sha256}"] + ([f"group:{sample.group}"] if sample.group else [])


def _parts(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """Connected components over content hashes and groups; each is named by its least key."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for sample in samples:
        first, *others = _keys(sample)
        root(first)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low
    parts: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        parts[root(f"sha256:{sample.sha256}")].append(index)
    return parts


def _seeded_hash(seed: int, part: str) -> bytes:
    return hashlib.sha256(f"{seed} {part}".encode()).digest()


def _serve(
    code: str,
    parts: list[str],
    sizes: Mapping[str, Counter[str]],
    side: dict[str, Side],
    validation_share: float,
) -> None:
    """Decides the undecided parts of one code."""
    target = validation_share * sum(sizes[part][code] for part in parts)
    validation = sum(sizes[part][code] for part in parts if side.get(part) == "validation")
    undecided = [part for part in parts if part not in side]
    trains = any(side.get(part) == "train" for part in parts)
    for number, part in enumerate(undecided):
        size = sizes[part][code]
        last_chance = not trains and number == len(undecided) - 1
        if not last_chance and abs(validation + size - target) < abs(validation - target):
            side[part] = "validation"
            validation += size
        else:
            side[part] = "train"
            trains = True


def _give_both_sides(
    parts_of: Mapping[str, list[str]],
    sizes: Mapping[str, Counter[str]],
    side: dict[str, Side],
    held: frozenset[str],
) -> None:
    """Moves the smallest free part to a side that a code lacks, where no other code loses a side by it."""
    for code, parts in sorted(parts_of.items(), key=lambda item: (len(item[1]), item[0])):
        lacking: list[tuple[Side, Side]] = [("validation", "train"), ("train", "validation")]
        for lacks, has in lacking:
            if len(parts) < 2 or any(side[part] == lacks for part in parts):
                continue
            for part in sorted(parts, key=lambda part: sizes[part][code]):
                others_keep = all(
                    sum(side[other] == has for other in parts_of[its]) > 1 for its in sizes[part]
                )
                if part not in held and others_keep:
                    side[part] = lacks
                    break
