"""Whether the call that is being served repeats one whose answer its client did not get.

gRPC repeats a call that ended UNAVAILABLE (loupe.rpc.options), and says so in the metadata of the repeat.
The first attempt may have been carried out. A command that finds done what such a call asks for answers as
the first attempt did.
"""

import contextlib
import contextvars
from collections.abc import Iterable, Iterator

_PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"

_repeat: contextvars.ContextVar[bool] = contextvars.ContextVar("repeat", default=False)


def is_repeat() -> bool:
    """Whether the client made this call before; False outside of a call."""
    return _repeat.get()


@contextlib.contextmanager
def repeating(metadata: Iterable[tuple[str, str | bytes]]) -> Iterator[None]:
    """Let `is_repeat` say within the block what the metadata of the call says."""
    token = _repeat.set(any(name == _PREVIOUS_ATTEMPTS for name, _ in metadata))
    try:
        yield
    finally:
        _repeat.reset(token)
