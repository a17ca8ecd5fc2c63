"""Pages of the registry's lists, whose keys are texts and numbers."""

from typing import Any

from services.kit.paging import key_of, size_of
from services.kit.paging import token_of as token_of_key
from services.registry.domain.paging import Key, Page, PageRequest


def page_of(request: Any, *kinds: type[str] | type[int], int_bits: int = 31) -> PageRequest:  # noqa: ANN401 -- any List request
    """The page that a List request asks for; `kinds` are the types of the list's key."""

    def read(*parts: str | int) -> Key:
        if [type(part) for part in parts] != list(kinds):
            raise ValueError("not a key of this list")
        if not all(p.isprintable() if isinstance(p, str) else abs(p) < 2**int_bits for p in parts):
            raise ValueError("a key that no row has")
        return parts

    return PageRequest(size_of(request), key_of(request, read))


def token_of(request: Any, page: Page[Any]) -> str:  # noqa: ANN401 -- any List request
    """The token of the page after `page`, empty if it is the last."""
    return token_of_key(request, page.next_key)
