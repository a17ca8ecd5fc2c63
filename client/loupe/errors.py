"""The error tree. Every failure that a caller can act on is one of these, on either side of the wire.

LoupeError
├── InvalidArgument      the request is wrong whatever the state; carries the faults, field by field
├── OutOfRange           the request goes past an end: a page, a limit, a size
├── NotFound             the named thing does not exist
├── AlreadyExists        the name or the request is taken
├── FailedPrecondition   a valid request that this state does not allow
├── Aborted              changed by another call: read again and retry                (transient)
├── Unauthenticated      no token, or not a valid one
├── PermissionDenied     a valid token whose role does not allow this
├── ResourceExhausted    a quota or a queue is full
├── DeadlineExceeded     the answer did not come in time                               (transient)
├── Unavailable          a dependency is away; the same request may succeed later      (transient)
├── Unimplemented        the server does not have this call
└── Internal             a bug or broken data; the message holds no more than an incident id

Services derive their own, named after the fact, with a stable reason::

    class NotReleasable(FailedPrecondition):
        reason = "NOT_RELEASABLE"

    raise NotReleasable(f"{task} is FAILED; only a completed task can be released", task=task, state="FAILED")

The domain of a service imports this module, `loupe.translation`, and little else of ours.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from loupe.translation import Sentence

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_FACT = re.compile(r"[a-z][a-zA-Z0-9_-]{0,63}")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of a request: where it is, why in a word, and a sentence in English and Chinese.

    `field` is a path as in `model_params.code_list[5]`. Warnings alone do not refuse a request.
    """

    field: str
    reason: str
    sentence: Sentence
    severity: Severity = "error"

    @property
    def message(self) -> str:
        """The sentence in English."""
        return self.sentence.english

    @property
    def message_zh(self) -> str:
        """The sentence in Chinese; empty where a server sent none."""
        return self.sentence.chinese


class LoupeError(Exception):
    """The root of all named failures: a sentence for people, a stable reason and facts for programs.

    `status` is the name of a gRPC status code. `transient` says that the same attempt may succeed later.
    Facts become strings; `reason` overrides the class's own, which is how an error arrives from the wire.
    """

    reason: str = "UNKNOWN"
    status: ClassVar[str] = "UNKNOWN"
    transient: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not _REASON.fullmatch(cls.reason):
            raise TypeError(f"{cls.__name__}.reason is {cls.reason!r}; it must be UPPER_SNAKE")

    def __init__(self, message: str, /, *, reason: str | None = None, **facts: object) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        for name in facts:
            if not _FACT.fullmatch(name):
                raise TypeError(f"fact {name!r} of {type(self).__name__} cannot travel: use lower_snake")
        self.facts: dict[str, str] = {name: str(value) for name, value in facts.items()}

    @property
    def message(self) -> str:
        """The sentence: the thing, the fact, the remedy."""
        return str(self.args[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, reason={self.reason!r}, facts={self.facts!r})"


class InvalidArgument(LoupeError):
    """The request is wrong whatever the state of the system. All its faults are reported together."""

    reason = "INVALID_ARGUMENT"
    status = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str,
        /,
        *,
        violations: Iterable[Violation] = (),
        reason: str | None = None,
        **facts: object,
    ) -> None:
        super().__init__(message, reason=reason, **facts)
        self.violations: tuple[Violation, ...] = tuple(violations)

    @classmethod
    def of(cls, *violations: Violation) -> Self:
        """The error with these violations; its message names the errors among them."""
        sentences = [f"{v.field}: {v.message}" for v in violations if v.severity == "error"] or [
            "invalid request"
        ]
        more = f" (and {len(sentences) - 3} more)" if len(sentences) > 3 else ""
        return cls("; ".join(sentences[:3]) + more, violations=violations)


class OutOfRange(LoupeError):
    """The request goes past an end: a page, a limit, a size."""

    reason = "OUT_OF_RANGE"
    status = "OUT_OF_RANGE"


class NotFound(LoupeError):
    """The named thing does not exist."""

    reason = "NOT_FOUND"
    status = "NOT_FOUND"


class AlreadyExists(LoupeError):
    """The name, or the request, is taken."""

    reason = "ALREADY_EXISTS"
    status = "ALREADY_EXISTS"


class FailedPrecondition(LoupeError):
    """A valid request that the state of the resource does not allow."""

    reason = "FAILED_PRECONDITION"
    status = "FAILED_PRECONDITION"


class Aborted(LoupeError):
    """Another caller changed the resource in the meantime, or the lease was lost: read again, then retry."""

    reason = "ABORTED"
    status = "ABORTED"
    transient = True


class Unauthenticated(LoupeError):
    """No token, or not a valid one."""

    reason = "UNAUTHENTICATED"
    status = "UNAUTHENTICATED"


class PermissionDenied(LoupeError):
    """A valid token whose role does not allow this."""

    reason = "PERMISSION_DENIED"
    status = "PERMISSION_DENIED"


class ResourceExhausted(LoupeError):
    """A quota or a queue is full, or a message is too large."""

    reason = "RESOURCE_EXHAUSTED"
    status = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(LoupeError):
    """The answer did not come in time; whether the work was done is not known."""

    reason = "DEADLINE_EXCEEDED"
    status = "DEADLINE_EXCEEDED"
    transient = True


class Unavailable(LoupeError):
    """A dependency is away; the same request may succeed later."""

    reason = "UNAVAILABLE"
    status = "UNAVAILABLE"
    transient = True


class Unimplemented(LoupeError):
    """The server does not have this call."""

    reason = "UNIMPLEMENTED"
    status = "UNIMPLEMENTED"


class Internal(LoupeError):
    """A bug or broken data. The caller gets the incident's id; the log has the details under that id."""

    reason = "INTERNAL"
    status = "INTERNAL"
