"""What an operator should look at: from what the servers tell of themselves, with the remedy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from loupe import names
from loupe.server.v1 import server_pb2
from loupe.text import human_bytes
from loupe.translation import Sentence, joined, sentence

# As the alerts of deploy/monitoring/alerts.yaml.
_LEAST_FREE = 0.05
_CERTIFICATE_LEFT = timedelta(days=14)
_OUTBOX_S = 60.0
_BACKUP_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a gateway tells at /readyz."""

    version: str
    certificates: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class Attention:
    """A fact that somebody should look at, and what to do."""

    reason: str
    sentence: Sentence


def attentions(
    servers: Iterable[server_pb2.Server], gateway: Gateway | None, now: datetime
) -> list[Attention]:
    """Everything that should be looked at, in the order of the servers."""
    there = list(servers)
    found = list(_versions(there, gateway))
    for server in there:
        found += _of_server(server, now)
        for replica in server.replicas:
            found += _of_replica(server, replica, now)
    if gateway is not None:
        for name, expiry in gateway.certificates.items():
            found += _certificate("gateway", name, expiry, now)
    return found


def _versions(servers: Iterable[server_pb2.Server], gateway: Gateway | None) -> Iterator[Attention]:
    versions = sorted(
        {replica.version for server in servers for replica in server.replicas}
        | ({gateway.version} if gateway is not None else set())
    )
    if len(versions) > 1:
        yield Attention(
            "SEVERAL_VERSIONS",
            sentence(
                "versions {versions} run at once; finish the upgrade, or go back to one version",
                versions=joined(versions),
            ),
        )


def _of_server(server: server_pb2.Server, now: datetime) -> Iterator[Attention]:
    name, backlog = names.short(server.name), server.backlog
    if backlog.dead_letter_count:
        yield Attention(
            "DEAD_LETTERS",
            sentence(
                "{server} could never handle {count} events; the table dead_letter says why, the runbook "
                "what to do",
                server=name,
                count=backlog.dead_letter_count,
            ),
        )
    if backlog.HasField("oldest_outbox_time"):
        waited = now - _time(backlog.oldest_outbox_time)
        if waited.total_seconds() > _OUTBOX_S:
            yield Attention(
                "OUTBOX_LAGS",
                sentence(
                    "{count} events of {server} are not published, the oldest for {minutes} minutes; is NATS "
                    "there, and has it room?",
                    server=name,
                    count=backlog.outbox_count,
                    minutes=round(waited.total_seconds() / 60),
                ),
            )
    if server.HasField("last_backup"):
        yield from _backup(server.last_backup, now)


def _backup(backup: server_pb2.Backup, now: datetime) -> Iterator[Attention]:
    if not backup.HasField("create_time"):
        yield Attention(
            "NO_BACKUP",
            sentence("no backup was made yet; `loupe backup` makes one, a timer makes them daily"),
        )
        return
    age = now - _time(backup.create_time)
    if age > _BACKUP_AGE:
        yield Attention(
            "BACKUP_OLD",
            sentence(
                "the last backup is {days} days old; make one by `loupe backup`, and look at its timer",
                days=age.days,
            ),
        )
    if backup.fault_count:
        yield Attention(
            "BACKUP_FAULTY",
            sentence(
                "{count} parts of the backup {place} are missing or altered; make another one",
                count=backup.fault_count,
                place=backup.place,
            ),
        )


def _of_replica(server: server_pb2.Server, replica: server_pb2.Replica, now: datetime) -> Iterator[Attention]:
    where = f"{names.short(server.name)} {replica.address}".strip()
    lacking = [f"{need.name} ({need.state})" for need in replica.needs if need.state != "READY"]
    if not replica.ready:
        yield Attention(
            "NOT_READY",
            sentence("{where} is not ready: {lacking}", where=where, lacking=joined(lacking)),
        )
    for disk in replica.disks:
        if disk.free_bytes < disk.size_bytes * _LEAST_FREE:
            yield Attention(
                "DISK_ALMOST_FULL",
                sentence(
                    "{free} of the {size} of the disk of {where} are free, less than 5 %, and no training "
                    "begins; free some: purge the bin of data, delete tasks and old backups",
                    free=human_bytes(disk.free_bytes),
                    size=human_bytes(disk.size_bytes),
                    where=where,
                ),
            )
    for certificate in replica.certificates:
        yield from _certificate(where, certificate.name, _time(certificate.expire_time), now)


def _certificate(where: str, name: str, expiry: datetime, now: datetime) -> Iterator[Attention]:
    if expiry - now < _CERTIFICATE_LEFT:
        yield Attention(
            "CERTIFICATE_EXPIRES",
            sentence(
                "the certificate {name} of {where} expires on {day}; renew it",
                name=name,
                where=where,
                day=f"{expiry.astimezone():%Y-%m-%d}",
            ),
        )


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
