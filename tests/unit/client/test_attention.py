"""What `loupe system` says that an operator should look at."""

from datetime import UTC, datetime, timedelta

import pytest
from loupe.attention import Attention, Gateway, attentions
from loupe.server.v1 import server_pb2

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GATEWAY = Gateway("0.1.0", {"https": NOW + timedelta(days=300)})


def replica(**changes: object) -> server_pb2.Replica:
    """One that is well."""
    values: dict[str, object] = {"address": "a:7102", "version": "0.1.0", "ready": True, **changes}
    return server_pb2.Replica(**values)  # type: ignore[arg-type]


def looked_at(*replicas: server_pb2.Replica, gateway: Gateway = GATEWAY, **server: object) -> list[Attention]:
    told = server_pb2.Server(name="servers/registry", replicas=replicas, **server)  # type: ignore[arg-type]
    return attentions([told], gateway, NOW)


def backup(age: timedelta, **changes: object) -> server_pb2.Backup:
    made = server_pb2.Backup(place="/backup/1", **changes)  # type: ignore[arg-type]
    made.create_time.FromDatetime(NOW - age)
    return made


def test_nothing_is_said_while_all_is_well() -> None:
    """A page that always warns is not read."""
    disk = server_pb2.Disk(name="data", free_bytes=6, size_bytes=100)
    well = replica(disks=[disk], needs=[server_pb2.Replica.Need(name="database", state="READY")])
    assert looked_at(well, replica(address="b:7102"), last_backup=backup(timedelta(days=1))) == []


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("SEVERAL_VERSIONS", lambda: looked_at(replica(), replica(version="0.2.0"))),
        ("SEVERAL_VERSIONS", lambda: looked_at(replica(), gateway=Gateway("0.2.0", {}))),
        ("DEAD_LETTERS", lambda: looked_at(backlog=server_pb2.Backlog(dead_letter_count=1))),
        ("NO_BACKUP", lambda: looked_at(last_backup=server_pb2.Backup())),
        ("BACKUP_OLD", lambda: looked_at(last_backup=backup(timedelta(days=8)))),
        ("BACKUP_FAULTY", lambda: looked_at(last_backup=backup(timedelta(days=1), fault_count=2))),
        ("NOT_READY", lambda: looked_at(replica(ready=False))),
        (
            "DISK_ALMOST_FULL",
            lambda: looked_at(replica(disks=[server_pb2.Disk(free_bytes=4, size_bytes=100)])),
        ),
        (
            "CERTIFICATE_EXPIRES",
            lambda: looked_at(gateway=Gateway("0.1.0", {"https": NOW + timedelta(days=13)})),
        ),
    ],
)
def test_what_needs_attention_has_a_remedy_in_both_languages(reason: str, found: object) -> None:
    """Each of the alerts' thresholds, for those who have no monitoring."""
    (one,) = found()  # type: ignore[operator]
    assert one.reason == reason
    assert one.sentence.english
    assert one.sentence.chinese != one.sentence.english


def test_events_that_wait_for_a_minute_are_said() -> None:
    """Shorter waits are the relay's work."""
    backlog = server_pb2.Backlog(outbox_count=3)
    backlog.oldest_outbox_time.FromDatetime(NOW - timedelta(seconds=30))
    assert looked_at(backlog=backlog) == []
    backlog.oldest_outbox_time.FromDatetime(NOW - timedelta(minutes=3))
    (one,) = looked_at(backlog=backlog)
    assert (one.reason, "3 events of registry" in one.sentence.english) == ("OUTBOX_LAGS", True)
