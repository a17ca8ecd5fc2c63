"""`loupe keys`."""

from collections.abc import AsyncIterator
from pathlib import Path

import click
from loupe.commands.session import Session, remote
from loupe.failures import Refused
from loupe.language import translated
from loupe.registry.v1 import model_pb2, model_service_pb2
from loupe.rendering import message_json, table
from loupe.saving import save_bytes


@click.command(short_help="Show the keys that packages are signed with.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Save them as PEM, for --key."
)
@remote
async def keys(session: Session, output: Path | None) -> None:
    """Show the public keys of the installation (X6): the one that signs now first, then older ones.

    A fingerprint is the SHA-256 of the key in DER. Compare it over another way than the file came, such as by
    telephone: whoever replaces a package may replace the key beside it.

    \b
    Examples:
      loupe keys -o keys.pem
      loupe verify panel-adc-v3.01.zip --key keys.pem
    """
    answer = await session.client.models.GetSigningKeys(model_service_pb2.GetSigningKeysRequest())
    if not answer.keys:
        raise Refused(
            translated("this installation signs no packages; LOUPE_SIGNING_PUBLIC_KEYS names no file of keys")
        )
    if output:
        await save_bytes(output, _pem(answer))
    session.out.answer(
        message_json(answer),
        table(
            "FINGERPRINT",
            "SIGNS",
            rows=[
                (key.fingerprint, translated("now") if number == 0 else translated("no longer"))
                for number, key in enumerate(answer.keys)
            ],
        ),
    )


async def _pem(keys: model_pb2.SigningKeys) -> AsyncIterator[bytes]:
    for key in keys.keys:
        yield key.public_key.encode()
