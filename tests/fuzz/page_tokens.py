"""Page tokens of every list: a token is read as a key that makes the same token, or refused by its name."""

import base64
import json
from random import Random
from typing import Any

from loupe.errors import InvalidArgument
from loupe.registry.v1 import dataset_service_pb2

from services.evaluator.wire import paging as evaluator
from services.kit.paging import PageTokens, _list_id
from services.registry.wire import paging as registry
from services.scheduler.wire import paging as scheduler
from tests.fuzz.mutation import changed, changed_json, value
from tests.fuzz.target import Broken, Target, check_told

_LISTS: dict[str, PageTokens[Any]] = {
    f"{module.__name__.split('.')[1]} {name}": tokens
    for module in (registry, scheduler, evaluator)
    for name, tokens in sorted(vars(module).items())
    if isinstance(tokens, PageTokens)
}
_PARTS = {
    "str": ("", "a", "2026-01-01T00:00:00+00:00", "00000000-0000-4000-8000-000000000000", "缺陷/a\u2028.png"),
    "int": (0, 1, 2, 7, 2**31 - 1, 2**31, 2**63),
    "float": (0.0, 0.5, -1.0, 1e308, 5e-324),
}


class PageTokensOfLists(Target):
    """What lists make of mutated page tokens."""

    cpu_s = 2.0
    memory_mib = 64

    def make(self, random: Random) -> bytes:
        """The name of a list and a token."""
        name = random.choice(list(_LISTS))
        kinds = _LISTS[name].kinds
        parts = [random.choice(_PARTS[kind.__name__]) for kind in kinds]
        if random.randrange(3) == 0:
            parts[random.randrange(len(parts))] = value(random)
        document = [_list_id(_request()), *parts]
        text = changed_json(random, document, 1) if random.randrange(2) else json.dumps(document).encode()
        token = base64.urlsafe_b64encode(text).rstrip(b"=")
        return name.encode() + b"\n" + (changed(random, token) if random.randrange(3) == 0 else token)

    def run(self, data: bytes) -> str:
        """Read the token, and write it again."""
        name, _, raw = data.partition(b"\n")
        tokens = _LISTS[name.decode()]
        request = _request(raw.decode("utf-8", "replace"))
        try:
            key = tokens.page(request).after
        except InvalidArgument as error:
            (violation,) = error.violations
            if violation.reason != "BAD_PAGE_TOKEN":
                raise Broken(f"it is refused as {violation.reason}") from error
            check_told(violation.message)
            return "refused"
        if key is None:
            return "no token"
        again = _request(tokens.token(_request(), key))
        if not _same(tokens.page(again).after, key):
            raise Broken(f"the key {key!r} is {tokens.page(again).after!r} when it is read again")
        return "taken"


def _same(one: object, other: object) -> bool:
    # NaN is never the same.
    return one == other or repr(one) == repr(other)


def _request(page_token: str = "") -> dataset_service_pb2.ListSamplesRequest:
    return dataset_service_pb2.ListSamplesRequest(parent="datasets/d/paths/p", page_token=page_token)
