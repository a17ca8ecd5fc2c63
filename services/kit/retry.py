"""Retries: how long to wait before another attempt, and an action that is retried until it succeeds."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from loupe.errors import LoupeError

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TOLD_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow by `factor` from `first_s` to `ceiling_s`, each shortened by up to a half at random.

    The jitter spreads the attempts of replicas that failed at the same time.
    """

    first_s: float = 0.1
    factor: float = 2.0
    ceiling_s: float = 5.0

    def delay_s(self, failures: int) -> float:
        """The delay after this number of failures in a row, counted from 1."""
        # The exponent is capped: 2.0 ** 2000 overflows.
        full_s = min(self.ceiling_s, self.first_s * self.factor ** min(max(failures - 1, 0), 64))
        return full_s * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret


def is_transient(error: LoupeError) -> bool:
    """Whether the same attempt may succeed later."""
    return error.transient


async def retry_transient(
    action: Callable[[], Awaitable[T]],
    *,
    what: str,
    backoff: Backoff = Backoff(),
    retriable: Callable[[LoupeError], bool] = is_transient,
) -> T:
    """Run `action` until it succeeds, or raises an error that is not `retriable`.

    For background loops and the start of a service; an RPC of a user answers UNAVAILABLE instead. There is no
    limit: put it into `asyncio.timeout` where there is one. The log has the first failure, every failure with
    another reason than the one before, one a minute while it goes on, and the success.
    """
    failures = 0
    reason = ""
    told_s = -math.inf
    while True:
        try:
            result = await action()
        except LoupeError as error:
            if not retriable(error):
                raise
            failures += 1
            delay_s = backoff.delay_s(failures)
            now_s = time.monotonic()
            is_news = error.reason != reason or now_s >= told_s + _TOLD_AGAIN_S
            if is_news:
                reason, told_s = error.reason, now_s
            _log.log(
                logging.WARNING if is_news else logging.DEBUG,
                "retrying",
                extra={
                    "what": what,
                    "reason": error.reason,
                    "error": error.message,
                    "failures": failures,
                    "delay_s": round(delay_s, 3),
                },
            )
            await asyncio.sleep(delay_s)
        else:
            if failures:
                _log.info("succeeded after retries", extra={"what": what, "failures": failures})
            return result
