"""Page sizes and opaque page tokens. A token continues the list it came from; another refuses it."""

import base64
import hashlib
import json
from typing import Any

from google.protobuf.message import Message

from services.kit.errors import InvalidArgument, Violation
from services.registry.domain.paging import Key, Page, PageRequest

DEFAULT_SIZE = 50
MAX_SIZE = 1000


def page_of(request: Any, *kinds: type[str] | type[int], int_bits: int = 31) -> PageRequest:  # noqa: ANN401 -- any List request
    """The page that a List request asks for; `kinds` are the types of the list's key."""
    if request.page_size < 0:
        raise InvalidArgument.of(
            Violation(
                "page_size",
                "OUT_OF_RANGE",
                f"page_size is {request.page_size}; give 1 to {MAX_SIZE}, or 0 for {DEFAULT_SIZE}",
                f"page_size 为 {request.page_size}；请填写 1 到 {MAX_SIZE}，或 0（即 {DEFAULT_SIZE}）",
            )
        )
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    return PageRequest(size, _decode(request, kinds, int_bits) if request.page_token else None)


def token_of(request: Any, page: Page[Any]) -> str:  # noqa: ANN401 -- any List request
    """The token of the page after `page`, empty if it is the last."""
    if page.next_key is None:
        return ""
    text = json.dumps([_list_of(request), *page.next_key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(request: Any, kinds: tuple[type[str] | type[int], ...], int_bits: int) -> Key:  # noqa: ANN401 -- any List request
    token: str = request.page_token
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        told, *key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise _refused() from None
    fits = len(key) == len(kinds) and all(type(part) is kind for part, kind in zip(key, kinds, strict=True))
    small = all(
        part.isprintable() if isinstance(part, str) else abs(part) < 2**int_bits for part in key if fits
    )
    if told != _list_of(request) or not fits or not small:
        raise _refused()
    return tuple(key)


def _list_of(request: Message) -> str:
    """Names the list: the kind of request and all its filters, whatever the page."""
    bare: Any = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    told = bare.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:16]


def _refused() -> InvalidArgument:
    return InvalidArgument.of(
        Violation(
            "page_token",
            "BAD_PAGE_TOKEN",
            "the page token is not one of this list with this filter; start again without a token",
            "分页令牌不属于此列表及筛选条件；请不带令牌重新开始",
        )
    )
