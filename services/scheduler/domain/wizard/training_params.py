"""Training parameters as JSON: their keys, the accepted values, and doubtful schedules (rules W8, W9, E4)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loupe.errors import Violation
from loupe.translation import Sentence, joined, sentence

from services.learning_rate import LR_POLICIES, LrPolicy, Schedule
from services.looks import can_end_early, look_count, look_interval
from services.scheduler.domain.wizard.json_object import (
    MAX_WHOLE,
    is_number,
    missing_object,
    quoted,
    unknown_keys,
    whole,
)

# W8: a rate below this share of base_lr in the first tenth of max_iter is a schedule that dies.
_DEAD_SHARE = 1e-8
_EARLY_PART = 10


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """Training parameters of one network (W8)."""

    base_lr: float
    batch_size: int
    max_iter: int
    weight_decay: float
    momentum: float
    lr_policy: LrPolicy
    power: float
    gamma: float
    patience: int = 0
    """Looks at the validation split without a better one after which the training ends; 0: never (E4)."""

    @property
    def schedule(self) -> Schedule:
        """The learning rate at every iteration."""
        return Schedule(self.lr_policy, self.base_lr, self.max_iter, self.gamma, self.power)

    def dies_at(self) -> int | None:
        """The first iteration of the first tenth whose rate is below 1e-8 · base_lr; None if none is."""
        if self.lr_policy == "exp" and self.gamma > 1:
            return None
        last = -(-self.max_iter // _EARLY_PART) - 1
        floor = _DEAD_SHARE * self.base_lr
        if self.schedule(last) >= floor:
            return None
        # Rates never rise, so bisection finds the first one below the floor.
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            if self.schedule(middle) < floor:
                high = middle
            else:
                low = middle + 1
        return low

    def as_json(self) -> dict[str, Any]:
        """The JSON object of W8."""
        return asdict(self)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "base_lr": (lambda v: is_number(v) and v > 0, *sentence("a number above 0 and below 1e300")),
    "batch_size": (whole(1), *sentence("a whole number from 1 to {most}", most=MAX_WHOLE)),
    "max_iter": (
        whole(1),
        *sentence("a whole number from 1 to {most} (it counts batches)", most=MAX_WHOLE),
    ),
    "weight_decay": (lambda v: is_number(v) and v >= 0, *sentence("a number from 0 to below 1e300")),
    "momentum": (lambda v: is_number(v) and 0 <= v < 1, *sentence("a number in [0, 1)")),
    "lr_policy": (
        lambda v: isinstance(v, str) and v in LR_POLICIES,
        *sentence("one of {values}", values=joined(LR_POLICIES)),
    ),
    # Negative values could make inv and poly divide by zero or return complex numbers.
    "power": (lambda v: is_number(v) and 0 <= v <= 1000, *sentence("a number in [0, 1000]")),
    "gamma": (lambda v: is_number(v) and 0 <= v <= 1000, *sentence("a number in [0, 1000]")),
    "patience": (
        whole(0),
        *sentence("a whole number from 0 (it counts looks at the validation split; 0: never ends early)"),
    ),
}


def parse_training_params(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    train_segmentation: bool,
    field: str = "training_params",
) -> tuple[dict[str, NetworkParams] | None, list[Violation]]:
    """W8, from a parsed object; the image's defaults fill missing keys. W9: an unused level is ignored."""
    found = unknown_keys(given, ("classification", "segmentation"), field)
    levels = ("classification", "segmentation") if train_segmentation else ("classification",)
    parsed: dict[str, NetworkParams] = {}
    for level in levels:
        at = f"{field}.{level}"
        values = given.get(level, {})
        if not isinstance(values, dict):
            found.append(missing_object(at, values))
            continue
        default = defaults.get(level)
        params, faults = _network_params(values, default if isinstance(default, dict) else {}, at)
        found += faults
        if params is not None:
            parsed[level] = params
    complete = len(parsed) == len(levels)
    return (parsed if complete else None), found


def _network_params(
    given: Mapping[str, Any], default: Mapping[str, Any], at: str
) -> tuple[NetworkParams | None, list[Violation]]:
    found = unknown_keys(given, tuple(_RULES), at)
    # Only some policies use `power` and `gamma`; these values are those of the source document's example.
    values = {"power": 0.9, "gamma": 0.1, "patience": 0, **default, **given}
    faults = [fault for key in _RULES if (fault := _check_value(key, values, at)) is not None]
    found += faults
    if faults:
        return None, found
    params = NetworkParams(
        base_lr=float(values["base_lr"]),
        batch_size=int(values["batch_size"]),
        max_iter=int(values["max_iter"]),
        weight_decay=float(values["weight_decay"]),
        momentum=float(values["momentum"]),
        lr_policy=values["lr_policy"],
        power=float(values["power"]),
        gamma=float(values["gamma"]),
        patience=int(values["patience"]),
    )
    if fault := _endless_patience(params, at):
        return None, [*found, fault]
    return params, found + _warnings(params, at)


def _endless_patience(params: NetworkParams, at: str) -> Violation | None:
    """Whatever the data: a large validation side makes looks fewer (see `check_run_length`)."""
    looks = look_count(params.max_iter, look_interval(params.max_iter, params.batch_size, 0))
    if not params.patience or can_end_early(params.patience, looks):
        return None
    return Violation(
        f"{at}.patience",
        "NEVER_ENDS_EARLY",
        sentence(
            "patience {patience} can never end the training early: with max_iter {max_iter} there are "
            "at most {looks} looks at the validation split, so at most {most} in turn can be no "
            "better before the last; lower it, or take 0 for a training that does not end early",
            patience=params.patience,
            max_iter=params.max_iter,
            looks=looks,
            most=max(0, looks - 2),
        ),
    )


def _check_value(key: str, values: Mapping[str, Any], at: str) -> Violation | None:
    accepts, expected, expected_zh = _RULES[key]
    if key not in values:
        return Violation(
            f"{at}.{key}",
            "MISSING_KEY",
            sentence("{key} is missing: {expected}", key=key, expected=Sentence(expected, expected_zh)),
        )
    value = values[key]
    if accepts(value):
        return None
    return Violation(
        f"{at}.{key}",
        "OUT_OF_RANGE",
        sentence(
            "{key} must be {expected}, not {value}",
            key=key,
            expected=Sentence(expected, expected_zh),
            value=quoted(value),
        ),
    )


def _warnings(params: NetworkParams, at: str) -> list[Violation]:
    """Accepted values with which a training probably fails."""
    found = []
    if params.lr_policy == "exp" and params.gamma > 1:
        found.append(
            Violation(
                f"{at}.gamma",
                "GROWING_SCHEDULE",
                sentence(
                    "exp with gamma {gamma:g} raises the rate with every iteration until the loss "
                    "is no number; a gamma below 1 lowers it",
                    gamma=params.gamma,
                ),
                "warning",
            )
        )
    if params.batch_size == 1:
        found.append(
            Violation(
                f"{at}.batch_size",
                "BATCH_OF_ONE",
                sentence(
                    "batch normalisation takes its statistics from the batch: those of one image "
                    "say little of others, and there are none where the last layer sees one pixel; "
                    "take 8 or more"
                ),
                "warning",
            )
        )
    dead = params.dies_at()
    if dead is not None:
        found.append(
            Violation(
                f"{at}.lr_policy",
                "DYING_SCHEDULE",
                sentence(
                    "{lr_policy} with gamma {gamma:g} and power {power:g} falls below 1e-8 · "
                    "base_lr at iteration {iteration} of {max_iter}; nothing is learnt after that",
                    lr_policy=params.lr_policy,
                    gamma=params.gamma,
                    power=params.power,
                    iteration=dead,
                    max_iter=params.max_iter,
                ),
                "warning",
            )
        )
    return found
