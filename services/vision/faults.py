"""Why a piece of work ended early, and whose fault it was (T5)."""

from loupe.translation import Sentence, sentence

from services.failure_codes import FailureCode


class Fault(Exception):
    """Work that cannot go on: a code, which has a remedy, and a sentence that names the thing and the fact.

    The sentence is required in English and in Chinese, because a process engineer reads it (M6).

    UserFault            the order or its data; the same work would fail again
    InfrastructureFault  storage, a lost device; the same work may succeed elsewhere or later
    """

    retryable = False

    def __init__(self, code: FailureCode, message: str, message_zh: str) -> None:
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
            FailureCode.BAD_ORDER,
            *sentence("the worker cannot carry out this task: {detail}", detail=detail),
        )


class UnreadableRecord(UserFault):
    """A stored listing of samples cannot be read."""

    def __init__(self, record: str, record_zh: str, error: Exception) -> None:
        super().__init__(
            FailureCode.BAD_DATA,
            *sentence("{record} cannot be read ({error!r})", record=Sentence(record, record_zh), error=error),
        )


class InfrastructureFault(Fault):
    """Neither the order nor its data is at fault: worth another try."""

    retryable = True
