"""Etags: one rule for every resource."""

import pytest

from services.kit.etag import EtagMismatch, require_etag


def test_an_empty_etag_accepts_every_state() -> None:
    """A caller that names none acts on whatever is there."""
    require_etag("tasks/1", "", "1-2")
    require_etag("tasks/1", "1-2", "1-2")


def test_another_etag_is_refused_with_the_reason_and_facts_of_the_service() -> None:
    """Programs compare reasons; each service keeps those that its contract has."""
    with pytest.raises(EtagMismatch) as refused:
        require_etag("tasks/1", "1-1", "1-2", state="FAILED", task="tasks/1")
    assert refused.value.reason == "ETAG_MISMATCH"
    assert refused.value.facts == {"task": "tasks/1", "state": "FAILED"}
    assert refused.value.message == "tasks/1 changed since it was read: it is FAILED now; read it again"
    with pytest.raises(EtagMismatch) as refused:
        require_etag("users/a", "x", "y", reason="RESOURCE_CHANGED", resource="users/a")
    assert (refused.value.reason, refused.value.facts) == ("RESOURCE_CHANGED", {"resource": "users/a"})
    assert refused.value.message == "users/a changed since it was read; read it again"
