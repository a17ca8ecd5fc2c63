"""Which side of a split each part takes (D3). Pure.

The trainer splits by it, and the registry tells before a training which codes no split can divide (D9).
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["train", "validation"]
_SIDES: tuple[Side, Side] = ("validation", "train")
# Of the search for sides of parts that several codes share; a part of one code alone is found at once.
_MAX_TRIES = 10_000
_MAX_MOVES = 100


@dataclass(frozen=True)
class Division:
    """The sides of parts, and what is certain of codes that lack one."""

    side: dict[str, Side]
    tied: dict[str, frozenset[str]]
    """By a code: codes, itself among them, that no division gives both sides each. Held parts stay held."""


def decide(
    sizes: Mapping[str, Counter[str]], validation_share: float, held: Mapping[str, Side] | None = None
) -> Division:
    """The sides of all parts, of which `held` has some already.

    `sizes` are each part's samples by code, in the order in which parts go to validation.
    """
    side = dict(held or {})
    fixed = frozenset(side)
    parts_of = defaultdict(list)
    for part, codes in sizes.items():
        for code in codes:
            parts_of[code].append(part)
    for code in sorted(parts_of, key=lambda code: (len(parts_of[code]), code)):
        _serve(code, parts_of[code], sizes, side, validation_share)
    return Division(side, _give_both_sides(parts_of, sizes, side, fixed))


def tied_codes(parts: Mapping[frozenset[str], int]) -> dict[str, frozenset[str]]:
    """What no split divides (see Division), of parts counted by the codes that they show.

    Two parts of the same codes on different sides give each of these codes both: more change nothing.
    """
    sizes = {
        f"{number}.{copy}": Counter(codes)
        for number, codes in enumerate(sorted(parts, key=sorted))
        for copy in range(min(parts[codes], 2))
    }
    return decide(sizes, 0.5).tied


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
) -> dict[str, frozenset[str]]:
    """Moves free parts until each code with two parts or more has both sides; returns which ones cannot."""
    divisible = {code: parts for code, parts in parts_of.items() if len(parts) > 1}
    tied = {}
    for code in sorted(divisible, key=lambda code: (len(divisible[code]), code)):
        moves = _moves(code, divisible, sizes, side, held)
        side.update(moves.sides)
        if moves.tied:
            tied[code] = moves.tied
    return tied


@dataclass(frozen=True)
class _Moves:
    sides: Mapping[str, Side] = field(default_factory=dict)
    tied: frozenset[str] = frozenset()
    """Codes that no choice of sides satisfies together; empty unless all choices were tried."""


def _moves(
    first: str,
    parts_of: Mapping[str, list[str]],
    sizes: Mapping[str, Counter[str]],
    side: Mapping[str, Side],
    held: frozenset[str],
) -> _Moves:
    """The new sides of parts by which `first` gets both sides and no other code loses one.

    None where none are needed, or none were found. A part that moves may take the last one of another code
    from a side, which then needs a move too: a depth-first search that tries harmless and small parts first.
    """
    tried = 0
    gave_up = False
    seen: set[str] = set()

    @functools.cache
    def before(code: str) -> Counter[Side]:
        return Counter(side[part] for part in parts_of[code])

    def count(code: str, side: Side, moved: Mapping[str, Side]) -> int:
        changes = sum(1 if new == side else -1 for part, new in moved.items() if code in sizes[part])
        return before(code)[side] + changes

    def search(moved: dict[str, Side]) -> dict[str, Side] | None:
        nonlocal tried, gave_up
        codes = (code for part in moved for code in sizes[part] if code in parts_of)
        touched = dict.fromkeys([first, *codes])
        seen.update(touched)
        lacking = [(code, side) for code in touched for side in _SIDES if not count(code, side, moved)]
        if not lacking:
            return moved
        code, lacks = lacking[0]
        has: Side = "train" if lacks == "validation" else "validation"

        def harm(part: str) -> tuple[int, int]:
            others = (other for other in sizes[part] if other in parts_of)
            return sum(count(other, has, moved) == 1 for other in others), sizes[part][code]

        free = (part for part in parts_of[code] if part not in held and part not in moved)
        for part in sorted(free, key=harm):
            tried += 1
            if tried > _MAX_TRIES or len(moved) == _MAX_MOVES:
                gave_up = True
                return None
            found = search({**moved, part: lacks})
            if found is not None:
                return found
        return None

    moved = search({})
    if moved is not None:
        return _Moves(moved)
    return _Moves() if gave_up else _Moves(tied=frozenset(seen))
