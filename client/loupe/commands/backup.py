"""`loupe backup` and `loupe restore`: the embedded stack in one file, or in a folder of several backups."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from loupe.commands.session import Output, local
from loupe.commands.stack import refuse_on_stack_error
from loupe.failures import Refused
from loupe.language import translated
from loupe.profile import default_data_dir
from loupe.rendering import facts, human_duration
from loupe.text import human_bytes

from deploy.backup import making, places, restoring, verifying
from deploy.backup.manifest import Manifest

PASSPHRASE = "LOUPE_BACKUP_PASSPHRASE"  # noqa: S105 -- the name of the variable

place_argument = click.argument("place", metavar="FILE|DIR", type=click.Path(path_type=Path))
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=f"Its first line is the passphrase; else ${PASSPHRASE}, else it is asked for.",
)


@click.command(short_help="Back up the stack, or check a backup.")
@place_argument
@click.option("--encrypt", is_flag=True, help="Encrypt it with a passphrase.")
@click.option("--verify", is_flag=True, help="Make none: read the backup that is there, and compare digests.")
@passphrase_option
@local
@refuse_on_stack_error()
def backup(  # noqa: PLR0913 -- what the command line offers, each by name
    out: Output,
    data_dir: Path | None,
    *,
    place: Path,
    encrypt: bool,
    verify: bool,
    passphrase_file: Path | None,
) -> None:
    """Write everything that the stack of a data folder keeps to a file, or into a folder.

    The stack may run meanwhile. An existing folder keeps several backups and each object once, so that the
    next one copies only what is new. Exit code 1 if something is missing, altered, or was lost before.

    Not in it: secrets between the processes, which a restore makes anew, certificates of your own, settings
    in the environment of `loupe up`, caches, logs, dumps.

    \b
    Examples:
      loupe backup /backup/loupe.tar --encrypt
      mkdir /backup/loupe && loupe backup /backup/loupe
      loupe backup --verify /backup/loupe
    """
    if verify:
        _verify(out, data_dir or default_data_dir(), place, _passphrase_of(place, passphrase_file))
        return
    passphrase = _new_passphrase(place, passphrase_file, encrypt=encrypt)
    folder = data_dir or default_data_dir()
    made = asyncio.run(making.back_up(folder, place, passphrase=passphrase, on_progress=_teller(out)))
    out.answer(
        {
            **_json(made.manifest, made.place),
            "encrypted": made.encrypted,
            "copiedObjects": made.copied,
            "copiedBytes": made.copied_bytes,
            "durationS": made.duration_s,
        },
        facts(
            {
                **_facts(made.manifest, made.place),
                "new": f"{made.copied} objects, {human_bytes(made.copied_bytes)}",
                "took": human_duration(made.duration_s),
            }
        ),
    )
    if not made.encrypted:
        out.say(translated("the backup is not encrypted and holds secret keys: nobody else may read it"))
    if made.manifest.lost:
        _fail_lost(out, made.manifest)


def _verify(out: Output, data_dir: Path, place: Path, passphrase: str | None) -> None:
    found = verifying.verify(place, passphrase=passphrase, on_progress=_teller(out))
    making.note_verification(data_dir, found.place, len(found.faults))
    out.answer(
        {**_json(found.manifest, found.place), "faults": list(found.faults)},
        facts(_facts(found.manifest, found.place)),
    )
    for fault in found.faults:
        out.say(fault)
    if found.faults:
        out.fail(
            translated("{count} parts are missing or altered; use another copy", count=len(found.faults))
        )
    if found.manifest.lost:
        _fail_lost(out, found.manifest)


@click.command(short_help="Make a data folder of a backup.")
@place_argument
@click.option(
    "--database-only",
    is_flag=True,
    help="The file is a dump of the database, and replaces that of the data folder.",
)
@passphrase_option
@local
@refuse_on_stack_error()
def restore(
    out: Output, data_dir: Path | None, *, place: Path, database_only: bool, passphrase_file: Path | None
) -> None:
    """Fill an empty data folder, on this machine or another, from a backup.

    Users, their passwords and tokens, the signing keys and the certificate are those of the backup.
    Passwords between the processes are new, and so is the token in client.json. A stack that was open to
    other machines stays so only where this machine has its address and name. Nothing is started.

    \b
    Examples:
      loupe restore /backup/loupe.tar --data-dir /srv/loupe
      loupe restore /backup/loupe/backups/20261130T090000Z --data-dir /srv/loupe
      loupe restore --database-only /srv/loupe/dumps/20261130T090000Z.dump --data-dir /srv/loupe
    """
    folder = data_dir or default_data_dir()
    if database_only:
        asyncio.run(restoring.restore_database(place, folder))
        out.answer(
            {"dataDir": str(folder), "database": str(place)},
            translated("the database of {folder} is that of {place}", folder=folder, place=place),
        )
        return
    restored = asyncio.run(
        restoring.restore(
            place, folder, passphrase=_passphrase_of(place, passphrase_file), on_progress=_teller(out)
        )
    )
    out.answer(
        {
            **_json(restored.manifest, restored.place),
            "dataDir": str(restored.data_dir),
            "durationS": restored.duration_s,
            "networkLeftOut": restored.misfit,
        },
        facts(
            {
                **_facts(restored.manifest, restored.place),
                "restored to": str(restored.data_dir),
                "took": human_duration(restored.duration_s),
            }
        ),
    )
    if restored.left_out is not None:
        out.say(
            translated(
                "the stack of the backup was open to other machines, this one is not: {reason}. To open it: "
                "loupe up {options}, with what this machine has",
                reason=restored.misfit,
                options=restored.left_out.options,
            )
        )
    out.hint(f"next: loupe up --detach --data-dir {restored.data_dir}, then loupe check")


def _json(manifest: Manifest, place: str) -> dict[str, Any]:
    return {
        "backup": place,
        "created": manifest.created,
        "format": manifest.format,
        "version": manifest.loupe,
        "postgres": manifest.postgres,
        "schemas": dict(manifest.schemas),
        "objects": manifest.objects,
        "objectsBytes": manifest.objects_bytes,
        "lost": list(manifest.lost),
        "parts": {name: asdict(part) for name, part in manifest.parts.items()},
        "events": {name: stream.messages for name, stream in manifest.streams.items()},
    }


def _facts(manifest: Manifest, place: str) -> dict[str, Any]:
    created = datetime.fromisoformat(manifest.created).astimezone()
    events = sum(stream.messages for stream in manifest.streams.values())
    return {
        "backup": place,
        "of": f"{created:%Y-%m-%d %H:%M:%S}, Loupe {manifest.loupe}",
        "objects": f"{manifest.objects}, {human_bytes(manifest.objects_bytes)}",
        "database": human_bytes(sum(part.size_bytes for part in manifest.parts.values())),
        "events": str(events),
    }


def _fail_lost(out: Output, manifest: Manifest) -> None:
    out.fail(
        translated(
            "{count} objects that rows name were lost before the backup; `loupe check` tells the cure",
            count=len(manifest.lost),
        )
    )


def _teller(out: Output) -> Callable[[making.Progress], None]:
    """A line for each tenth of the objects."""
    told = -1

    def tell(progress: making.Progress) -> None:
        nonlocal told
        tenth = 10 * progress.objects // progress.of if progress.of else 10
        if tenth > told:
            told = tenth
            out.say(f"{progress.objects} / {progress.of}, {human_bytes(progress.bytes)}")

    return tell


def _given(passphrase_file: Path | None) -> str | None:
    if passphrase_file is not None:
        return passphrase_file.read_text(encoding="utf-8").partition("\n")[0]
    return os.environ.get(PASSPHRASE)


def _new_passphrase(place: Path, passphrase_file: Path | None, *, encrypt: bool) -> str | None:
    """Of a backup that is to be made; a folder whose backups are encrypted needs it."""
    if not encrypt and not passphrase_file and not places.is_encrypted(place):
        return None
    given = _given(passphrase_file)
    return given if given is not None else _asked(confirm=True)


def _passphrase_of(place: Path, passphrase_file: Path | None) -> str | None:
    """Of a backup that is there."""
    if passphrase_file is None and not places.is_encrypted(place):
        return None
    given = _given(passphrase_file)
    return given if given is not None else _asked(confirm=False)


def _asked(*, confirm: bool) -> str:
    if not sys.stdin.isatty():
        raise Refused(
            translated(
                "nobody is there to type a passphrase; set {variable}, or give --passphrase-file",
                variable=PASSPHRASE,
            )
        )
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
