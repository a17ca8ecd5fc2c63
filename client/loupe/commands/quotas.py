"""`loupe quotas`: how much datasets and users store, and how much they may (D10)."""

import re

import click
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.language import translated
from loupe.names import BadName
from loupe.registry.v1 import storage_quota_pb2, storage_quota_service_pb2
from loupe.rendering import message_json, table
from loupe.text import human_bytes
from rich.text import Text

_SUBJECT = re.compile(r"(?:datasets|users)/[^/\s]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?B?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_NEARLY_FULL = 0.9


class Size(click.ParamType[int]):
    """Bytes, as in `200GB`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no size; write bytes, or a number with kB, MB, GB or TB", param, ctx)
        return int(float(found[1]) * _UNITS[found[2].upper().rstrip("B")])


@click.group(short_help="Show and set how much datasets and users may store.")
def quotas() -> None:
    """How many bytes of samples datasets and the data paths of users have, and may have."""


@quotas.command(name="list", short_help="List what is stored, and the limits.")
@remote
async def list_(session: Session) -> None:
    """List what every dataset and every owner of data paths stores, and their limits.

    Images and masks count, those in the bin too; what is listed twice counts twice.
    """
    request = storage_quota_service_pb2.ListStorageQuotasRequest(page_size=1000)
    found = [one async for one in pages(session.client.quotas.ListStorageQuotas, request, "storage_quotas")]
    rows = [
        (one.subject, human_bytes(one.used_bytes), _limit(one), Text(_share(one), style=_style(one)))
        for one in found
    ]
    columns = ("OF", "USED", "LIMIT", "USED %")
    session.out.answer(
        [message_json(one) for one in found],
        table(*columns, rows=rows, right=columns[1:]) if rows else translated("nothing is stored yet"),
    )


@quotas.command(name="set", short_help="Limit what a dataset or a user may store.")
@click.argument("subject", metavar="datasets/NAME|users/NAME")
@click.argument("limit", type=Size())
@remote
async def set_(session: Session, *, subject: str, limit: int) -> None:
    """Limit what a dataset, or the data paths of a user, may store.

    The name `-` stands for all that have no limit of their own. It holds from the next batch of an import on.
    What is stored already stays.

    \b
    Examples:
      loupe quotas set datasets/panels 500GB
      loupe quotas set users/- 200GB
    """
    await _set(session, _subject(subject), limit)


@quotas.command(short_help="Remove the limit of a dataset or a user.")
@click.argument("subject", metavar="datasets/NAME|users/NAME")
@remote
async def remove(session: Session, *, subject: str) -> None:
    """Remove the own limit of a dataset or a user; that of `datasets/-` or `users/-` then holds."""
    await _set(session, _subject(subject), None)


def _subject(text: str) -> str:
    if not _SUBJECT.fullmatch(text):
        raise BadName(f"{text!r} has no quota; write datasets/NAME or users/NAME, or - for all others")
    return text


async def _set(session: Session, subject: str, limit_bytes: int | None) -> None:
    request = storage_quota_service_pb2.SetStorageQuotaRequest(subject=subject, limit_bytes=limit_bytes)
    quota = await session.client.quotas.SetStorageQuota(request)
    if not quota.HasField("limit_bytes"):
        told = translated("{subject} stores {used}, without a limit", subject=subject, used=_used(quota))
    else:
        told = translated(
            "{subject} stores {used}, and may store {limit}",
            subject=subject,
            used=_used(quota),
            limit=human_bytes(quota.limit_bytes),
        )
    session.out.answer(message_json(quota), told)


def _used(quota: storage_quota_pb2.StorageQuota) -> str:
    return human_bytes(quota.used_bytes)


def _limit(quota: storage_quota_pb2.StorageQuota) -> str:
    if not quota.HasField("limit_bytes"):
        return ""
    of_all = f" ({quota.subject.partition('/')[0]}/-)" if quota.inherited else ""
    return human_bytes(quota.limit_bytes) + of_all


def _share(quota: storage_quota_pb2.StorageQuota) -> str:
    if not quota.limit_bytes or quota.subject.endswith("/-"):
        return ""
    return f"{quota.used_bytes / quota.limit_bytes:.0%}"


def _style(quota: storage_quota_pb2.StorageQuota) -> str:
    is_nearly_full = quota.HasField("limit_bytes") and quota.used_bytes >= quota.limit_bytes * _NEARLY_FULL
    return "yellow" if is_nearly_full else ""
