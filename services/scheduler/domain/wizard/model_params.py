"""Model parameters as JSON: their keys, the accepted values, and their defaults (rule W3)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.wizard.json_object import missing_object, quoted, unknown_keys, whole

MAX_CODES = 1_000

_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class ModelParams:
    """W3. The first `num_of_classes` codes of `code_list` are classes; the others are special defects."""

    network: str
    num_of_classes: int
    code_list: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The codes that the classifier learns."""
        return self.code_list[: self.num_of_classes]


def parse_model_params(
    given: Mapping[str, Any], networks: Sequence[str], field: str = "model_params"
) -> tuple[ModelParams | None, list[Violation]]:
    """Model parameters from a parsed object (W3)."""
    found = unknown_keys(given, ("classification", "code_list"), field)
    codes, faults = _code_list(given.get("code_list"), f"{field}.code_list")
    found += faults
    level = given.get("classification")
    at = f"{field}.classification"
    if not isinstance(level, dict):
        found.append(missing_object(at, level))
        return None, found
    found += unknown_keys(level, ("name", "num_of_classes"), at)
    network = level.get("name")
    if not isinstance(network, str) or network not in networks:
        known = ", ".join(networks)
        found.append(
            Violation(
                f"{at}.name",
                "UNKNOWN_NETWORK",
                sentence(
                    "{network} is not a network of this image; it has {networks}",
                    network=quoted(network),
                    networks=known,
                ),
            )
        )
        network = None
    classes, faults = _num_of_classes(level.get("num_of_classes"), codes, f"{at}.num_of_classes")
    found += faults
    if network is None or classes is None or codes is None:
        return None, found
    return ModelParams(network, classes, codes), found


def code_list_of(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The code list, if it is sound: it is checked against the data even if other values are wrong (W5)."""
    return _code_list(given.get("code_list"), "code_list")[0]


def check_case_of_codes(codes: Sequence[str], field: str = "model_params.code_list") -> list[Violation]:
    """W15: codes that differ by case only are probably one code that was written in two ways."""
    found = []
    first_seen: dict[str, int] = {}
    for index, code in enumerate(codes):
        first = first_seen.setdefault(code.lower(), index)
        if first != index:
            told = sentence(
                "{code} and {other} at [{index}] differ by case only; if they are one code, write it one way",
                code=code,
                other=codes[first],
                index=first,
            )
            found.append(Violation(f"{field}[{index}]", "CODES_DIFFER_BY_CASE", told, "warning"))
    return found


def model_params_of_data(default: Mapping[str, Any], codes: Iterable[str], network: str) -> dict[str, Any]:
    """The default of W3 for the codes of the data, in the order of the default; special codes stay special.

    Codes that the default does not have are classes after its own.
    """
    present = set(codes)
    level = default.get("classification")
    level = dict(level) if isinstance(level, dict) else {}
    listed = default.get("code_list")
    known = [code for code in listed if isinstance(code, str)] if isinstance(listed, list) else []
    classes = level.get("num_of_classes")
    learnt = int(classes) if isinstance(classes, int | float) and whole(0)(classes) else len(known)
    kept = [code for code in known[:learnt] if code in present] + sorted(present - set(known))
    special = [code for code in known[learnt:] if code in present]
    level = {"name": network, **level, "num_of_classes": len(kept)}
    return {**default, "classification": level, "code_list": kept + special}


def _code_list(value: object, at: str) -> tuple[tuple[str, ...] | None, list[Violation]]:
    if not isinstance(value, list) or not value:
        return None, [
            Violation(
                at,
                "MISSING_KEY" if value is None else "NOT_A_LIST",
                sentence('a list of defect codes is expected, as in ["TPFIP", "TTFBS"]'),
            )
        ]
    if len(value) > MAX_CODES:
        return None, [
            Violation(
                at,
                "TOO_MANY_CODES",
                sentence(
                    "{count} codes; at most {limit} are accepted",
                    count=len(value),
                    limit=MAX_CODES,
                ),
            )
        ]
    found: list[Violation] = []
    first_seen: dict[str, int] = {}
    for index, code in enumerate(value):
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            found.append(
                Violation(
                    f"{at}[{index}]",
                    "BAD_CODE",
                    sentence(
                        "{code} is not a defect code: 1 to 32 of A-Z, a-z, 0-9, _ and -", code=quoted(code)
                    ),
                )
            )
        elif code in first_seen:
            found.append(
                Violation(
                    f"{at}[{index}]",
                    "DUPLICATE_CODE",
                    sentence("{code} is listed already, at [{index}]", code=code, index=first_seen[code]),
                )
            )
        else:
            first_seen[code] = index
    return (None if found else tuple(value)), found


def _num_of_classes(
    value: object, codes: tuple[str, ...] | None, at: str
) -> tuple[int | None, list[Violation]]:
    if not whole(2, MAX_CODES)(value):
        return None, [
            Violation(
                at,
                "MISSING_KEY" if value is None else "OUT_OF_RANGE",
                sentence(
                    "num_of_classes must be a whole number from 2 to {limit}, not {value}",
                    limit=MAX_CODES,
                    value=quoted(value),
                ),
            )
        ]
    classes = int(value)  # type: ignore[call-overload]  # the predicate says that it is a number
    if codes is not None and classes > len(codes):
        return None, [
            Violation(
                at,
                "MORE_CLASSES_THAN_CODES",
                sentence(
                    "num_of_classes is {num_of_classes}, but code_list has {code_count}",
                    num_of_classes=classes,
                    code_count=len(codes),
                ),
            )
        ]
    return classes, []
