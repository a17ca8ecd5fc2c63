"""Pages of the registry's lists, whose keys are texts and numbers."""

from typing import Any

from services.kit.paging import as_tuple, key_of, size_of
from services.kit.paging import token_of as token_of_key
from services.registry.domain.paging import Page, PageRequest


def page_of(request: Any, *kinds: type[str] | type[int], int_bits: int = 31) -> PageRequest:  # noqa: ANN401 -- any List request
    """The page that a List request asks for; `kinds` are the types of the list's key."""
    return PageRequest(size_of(request), key_of(request, kinds, as_tuple, int_bits=int_bits))


def token_of(request: Any, page: Page[Any]) -> str:  # noqa: ANN401 -- any List request
    """The token of the page after `page`, empty if it is the last."""
    return token_of_key(request, page.next_key)
