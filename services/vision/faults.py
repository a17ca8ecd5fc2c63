"""Why a piece of work ended early, and whose fault it was (T5)."""

from typing import Any


class Fault(Exception):
    """Work that cannot go on: a stable code, and a sentence that names the thing, the fact and the remedy.

    UserFault            the order or its data; the same work would fail again
    InfrastructureFault  storage, a lost device; the same work may succeed elsewhere or later
    """

    user_fault = True
    retryable = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def to_json(self) -> dict[str, Any]:
        """The fields of a `failed` event."""
        return {
            "code": self.code,
            "message": self.message,
            "user_fault": self.user_fault,
            "retryable": self.retryable,
        }


class UserFault(Fault):
    """The order or its data is at fault: retrying changes nothing."""


class InfrastructureFault(Fault):
    """Neither the order nor its data is at fault: worth another try."""

    user_fault = False
    retryable = True
