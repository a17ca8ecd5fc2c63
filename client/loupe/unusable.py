"""Why a file of a folder, or an annotation in it, is set aside."""

from collections.abc import Iterator
from contextlib import contextmanager

from loupe.reasons import chinese_of
from loupe.text import fact_of
from loupe.walking import LeftOut, fault_of


class Unusable(ValueError):
    """Something is set aside; `reason` is stable, `message` names the place, the fact and the remedy.

    Where `message_zh` is not given, it is what the reason means.
    """

    def __init__(self, reason: str, message: str, message_zh: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.message_zh = message_zh or chinese_of(reason)

    def line(self, file: str, *, is_part: bool = False) -> LeftOut:
        """The line of the report about a file, or about a part of what it says."""
        return LeftOut(file, self.reason, self.message, self.message_zh, is_part=is_part)


def unreadable(name: str, error: OSError) -> Unusable:
    """A file that was listed cannot be read."""
    reason, message, message_zh = fault_of(error)
    return Unusable(reason, f"{name}: {message}", f"{name}：{message_zh or chinese_of(reason)}")


@contextmanager
def unusable_on_failure(where: str) -> Iterator[None]:
    """Unusable for every failure: a file that no check foresees must not end the import of the others."""
    try:
        yield
    except Unusable:
        raise
    except OSError as error:
        raise unreadable(where, error) from error
    except Exception as error:
        raise Unusable(
            "BAD_ANNOTATION",
            f"{where} cannot be read ({type(error).__name__}: {fact_of(error)}); export it again",
        ) from error
