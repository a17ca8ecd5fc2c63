"""Why a piece of work ended early, and whose fault it was (T5)."""

from loupe.translation import Sentence, sentence


class Fault(Exception):
    """Work that cannot go on: a stable code, and a sentence that names the thing, the fact and the remedy.

    The sentence is required in English and in Chinese, because a process engineer reads it (M6).

    UserFault            the order or its data; the same work would fail again
    InfrastructureFault  storage, a lost device; the same work may succeed elsewhere or later
    """

    retryable = False

    def __init__(self, code: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.message_zh = message_zh


class UserFault(Fault):
    """The order or its data is at fault: retrying changes nothing."""


class BadOrder(UserFault):
    """The order asks for what cannot be done. The wizard refuses such orders, so an operator should know."""

    def __init__(self, detail: str | Sentence) -> None:
        super().__init__(
            "BAD_ORDER",
            *sentence(
                "the worker cannot carry out this task: {detail}; create the task again with "
                "other parameters, or give this sentence to the operator",
                detail=detail,
            ),
        )


class UnreadableRecord(UserFault):
    """A stored listing of samples cannot be read."""

    def __init__(self, record: str, record_zh: str, error: Exception) -> None:
        super().__init__(
            "BAD_DATA",
            *sentence(
                "{record} cannot be read ({error!r}); create the task again, and if it fails "
                "again, give this sentence to the operator",
                record=Sentence(record, record_zh),
                error=error,
            ),
        )


class InfrastructureFault(Fault):
    """Neither the order nor its data is at fault: worth another try."""

    retryable = True
