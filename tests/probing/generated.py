"""Requests generated from the OpenAPI document, right ones and wrong ones, and what must hold of each answer.

schemathesis generates; here is only what it cannot know: names that exist, streams that never end, and that
`default` in the description must not pass for a description of every status.
"""

import collections
import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import hypothesis.errors
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_TIMEOUT_S = 60.0
# What would take from the others what they ask about.
_UNPINNED = frozenset({"deleteDataPath"})
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Outcome:
    """What came of a run: requests and statuses, and each kind of fault once with a request that shows it."""

    requests: int = 0
    operations: int = 0
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    faults: dict[tuple[str, str], str] = field(default_factory=dict)


def probe(
    document: Mapping[str, Any],
    base_url: str,
    token: str,
    *,
    requests_wanted: int,
    seed: int,
    names: Mapping[str, str],
    choose: Callable[[str], bool] = lambda _: True,
    on_progress: Callable[[str, Outcome], None] = lambda *_: None,
) -> Outcome:
    """Send about `requests_wanted` requests, spread over the operations whose id `choose` takes.

    `names` are values of path parameters that exist; half of the requests use them, so that more than 404 is
    met.
    """
    schema = schemathesis.openapi.from_dict(_strict(document))
    operations = [
        found
        for found in (result.ok() for result in schema.get_all_operations())
        if choose(found.definition.raw["operationId"])
    ]
    outcome = Outcome(operations=len(operations))
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment
        session.headers["Authorization"] = f"Bearer {token}"
        sender = _Sender(session, base_url, outcome)
        for place, operation in enumerate(operations):
            # What an operation could not use of its share, the later ones get.
            share = (requests_wanted - outcome.requests) // (len(operations) - place)
            _probe_operation(operation, sender, share, seed, names)
            on_progress(operation.definition.raw["operationId"], outcome)
    return outcome


def _strict(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without `default`, which would describe any status."""
    strict = copy.deepcopy(dict(document))
    for methods in strict["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return strict


def _probe_operation(
    operation: Any,  # noqa: ANN401 -- schemathesis's
    sender: "_Sender",
    share: int,
    seed: int,
    names: Mapping[str, str],
) -> None:
    systematic = list(_systematic(operation))
    step = max(1, 2 * len(systematic) // max(1, share))
    for case in systematic[::step]:
        sender.send(case)
    unpinned = operation.definition.raw["operationId"] in _UNPINNED
    known = {
        parameter.name: names[parameter.name]
        for parameter in operation.path_parameters
        if parameter.name in names and not unpinned
    }
    left = share - len(systematic[::step])
    wanted = [(mode, pinned) for mode in _MODES for pinned in ({}, known)]
    for part, (mode, pinned) in enumerate(wanted):
        count = (left * (part + 1)) // len(wanted) - (left * part) // len(wanted)
        if count > 0:
            cases = operation.as_strategy(generation_mode=mode, path_parameters=pinned or None)
            _draw(cases, sender, count, seed + part)


def _systematic(operation: Any) -> Iterator[Any]:  # noqa: ANN401 -- schemathesis's
    yield from operation.schema.iter_coverage_cases(
        operation,
        generation_modes=list(_MODES),
        generation_config=operation.schema.config.generation_for(operation=operation, phase="coverage"),
    )


def _draw(cases: st.SearchStrategy[Any], sender: "_Sender", count: int, seed: int) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        phases=[hypothesis.Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def run(data: st.DataObject) -> None:
        sender.send(data.draw(cases))

    # An operation that takes nothing cannot be asked wrongly.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        run()


class _Sender:
    """Sends one case after the other and looks at the answers."""

    def __init__(self, session: requests.Session, base_url: str, outcome: Outcome) -> None:
        self._session = session
        self._base_url = base_url
        self._outcome = outcome

    def send(self, case: Any) -> None:  # noqa: ANN401 -- schemathesis's
        """One request."""
        arguments = case.as_transport_kwargs(self._base_url)
        # A token of the case's own making would let nothing else of it be looked at.
        arguments["headers"] = {**arguments.get("headers", {}), **self._session.headers}
        try:
            response = self._session.request(
                **arguments, stream=True, timeout=_TIMEOUT_S, allow_redirects=False
            )
            endless = response.headers.get("Content-Type", "").startswith("text/event-stream")
            try:
                if not endless:
                    response.content  # noqa: B018 -- reads it
            finally:
                if endless:
                    response._content = b""
                    response.close()
        except (UnicodeError, requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL):
            # Not a request that this client can write.
            return
        except requests.exceptions.RequestException as error:
            self._fault(case, f"no answer: {type(error).__name__}", str(error))
            return
        self._outcome.requests += 1
        self._outcome.statuses[response.status_code] += 1
        if response.status_code >= 500:
            self._fault(case, f"status {response.status_code}", response.text[:2000])
            return
        checks = [status_code_conformance, content_type_conformance]
        try:
            case.validate_response(
                response, checks=checks if endless else [*checks, response_schema_conformance]
            )
        except FailureGroup as group:
            for failure in group.exceptions:
                told = failure.title if isinstance(failure, Failure) else type(failure).__name__
                self._fault(
                    case, f"{told} ({response.status_code})", str(failure)[:2000] + response.text[:500]
                )

    def _fault(self, case: Any, what: str, told: str) -> None:  # noqa: ANN401 -- schemathesis's
        operation = case.operation.definition.raw["operationId"]
        if (operation, what) not in self._outcome.faults:
            curl = case.as_curl_command(headers={"Authorization": "Bearer …"})
            self._outcome.faults[operation, what] = f"{told}\n{curl[:3000]}"
