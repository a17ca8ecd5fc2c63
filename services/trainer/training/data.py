"""From a manifest to two sides: which samples conform, and who trains and who judges (D3, M1). Pure."""

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loupe.translation import sentence

from services.vision.faults import UnreadableRecord
from services.vision.parts import keys, parts
from services.vision.preprocessing import ResolutionRule
from services.vision.samples import Sample
from services.vision.sides import Side, decide


@dataclass(frozen=True)
class Nonconforming:
    """A sample set aside, and why."""

    sample: Sample
    reason: str
    message: str
    message_zh: str = ""
    """Empty of files that cannot be read: decoders speak English."""


def listed(samples: Iterable[Sample], codes: Container[str]) -> list[Sample]:
    """Samples whose code is in `code_list`; the wizard told the user how many are left out (W5)."""
    return [sample for sample in samples if sample.code in codes]


def conforming(samples: Iterable[Sample], rule: ResolutionRule) -> tuple[list[Sample], list[Nonconforming]]:
    """Samples whose resolution meets the rule, and those set aside. One of unknown size is kept."""
    kept, set_aside = [], []
    for sample in samples:
        fault = rule.fault(sample.width, sample.height) if sample.width and sample.height else None
        if fault:
            reason, sentence_of_it = fault
            set_aside.append(Nonconforming(sample, reason, *sentence_of_it))
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
        return [sample for sample, assigned in zip(self.samples, self.sides, strict=True) if assigned == side]

    def to_jsonl(self) -> bytes:
        """Canonical: the same split is the same bytes, whatever the order of its samples."""
        lines = sorted(
            _split_line(sample, side) for sample, side in zip(self.samples, self.sides, strict=True)
        )
        return "".join(line + "\n" for line in lines).encode()


def _split_line(sample: Sample, side: Side) -> str:
    line = {
        "manifest": sample.manifest,
        "name": sample.name,
        "sha256": sample.sha256,
        "code": sample.code,
        "group": sample.group,
        "side": side,
    }
    # A training that goes on with a manifest of before makes the same split.
    if sample.pixels_sha256:
        line["pixels_sha256"] = sample.pixels_sha256
    return json.dumps(line, sort_keys=True, ensure_ascii=False)


def split(
    samples: Sequence[Sample], train_fraction: float, seed: int, prior: Mapping[str, Side] | None = None
) -> Split:
    """A split by part, stratified by code, that depends on the seed and not on the order of the samples.

    A part is all samples that share a group, bytes or pixels, directly or through others: none is ever
    divided. Codes are served from the one with the fewest parts on; its parts go to validation in the order
    of a seeded hash, as long as that brings the code's share nearer to 1 - train_fraction. Every code with
    two parts or more has one on each side, unless the prior or a part it shares with another code forbids it.

    `prior` (from `prior_sides`) is what makes a retrain sticky: parts it knows keep their side. No rule
    without memory can keep both the share and every old side when samples are added. Where a new sample
    shows that an old training part and an old validation part are one, the whole goes to validation: what
    judged once never trains.
    """
    members = parts([sample.keys for sample in samples])
    order = sorted(members, key=lambda part: _seeded_hash(seed, part))
    sizes = {part: Counter(samples[index].code for index in members[part]) for part in order}
    held: dict[str, Side] = {}
    moved = 0
    if prior:
        for part in order:
            known = [prior[key] for index in members[part] for key in samples[index].keys if key in prior]
            if known:
                held[part] = "validation" if "validation" in known else "train"
                moved += "train" in known and "validation" in known
    side = decide(sizes, 1 - train_fraction, held).side
    of_sample = {index: side[part] for part, indices in members.items() for index in indices}
    return Split(tuple(samples), tuple(of_sample[index] for index in range(len(samples))), moved)


def prior_sides(split_jsonl: bytes) -> dict[str, Side]:
    """What an earlier split decided, by bytes, by pixels and by group."""
    sides: dict[str, Side] = {}
    for line in split_jsonl.splitlines():
        try:
            row = json.loads(line)
            if row["side"] == "set_aside":
                continue
            for key in keys(row["sha256"], row.get("group"), row.get("pixels_sha256")):
                # One key on both sides can only come from a damaged split; validation is the safe reading.
                sides[key] = "validation" if "validation" in (row["side"], sides.get(key)) else "train"
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord(*sentence("the earlier split"), error) from error
    return sides


def _seeded_hash(seed: int, part: str) -> bytes:
    return hashlib.sha256(f"{seed} {part}".encode()).digest()
