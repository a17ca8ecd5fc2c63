"""Decodes files of strangers in confined processes, for servers: the parent's side. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from loupe.image_files import Reason, UnusableImage
from loupe.settings import setting

from services.kit import machine
from services.kit.auth import caller_name
from services.kit.confined_pool import ConfinedPool, Crashed, Interrupted, Read, TookTooLong

MIB = 2**20
_SHARE_OF_MEMORY = 2
_FEWEST, _MOST = 2, 8
"""With fewer than two, one caller's file that takes long would hold up all others."""
_BESIDE_CORES = 2
"""One that waits for bytes while others decode, and one that is kept free for the next caller."""


@dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """How files of strangers are decoded."""

    decoders: int = setting(
        "LOUPE_DECODERS",
        default=0,
        doc="processes that decode imported files, each one file at a time; 0: two more than cores, 2 to 8, "
        "but only as many as fit, with LOUPE_DECODER_MEMORY_MIB each, into half of the memory",
    )
    memory_mib: int = setting(
        "LOUPE_DECODER_MEMORY_MIB",
        default=1280,
        doc="memory in MiB that decoding one file may take, beside the process itself, which takes 70; the "
        "largest pictures and masks that are taken, of 80 megapixels, need up to 1,100",
    )
    cpu_s: int = setting(
        "LOUPE_DECODER_CPU_S",
        default=60,
        doc="seconds of one core that decoding one file may take; a file that needs more is refused",
    )

    def __post_init__(self) -> None:
        if self.decoders < 0:
            raise ValueError("LOUPE_DECODERS must be at least 0")
        if self.memory_mib < 64:
            raise ValueError("LOUPE_DECODER_MEMORY_MIB must be at least 64")
        if self.cpu_s < 1:
            raise ValueError("LOUPE_DECODER_CPU_S must be at least 1")

    @property
    def count(self) -> int:
        """How many processes there may be."""
        if self.decoders:
            return self.decoders
        fitting = machine.memory_bytes() // _SHARE_OF_MEMORY // (self.memory_mib * MIB)
        return max(_FEWEST, min(_MOST, machine.cpus() + _BESIDE_CORES, fitting))


class NotDecoded(UnusableImage):
    """The file was set aside by this installation's limits: with others it may be read."""


class Decoders:
    """Orders for one program of `services.vision.decoding`, each in the name of the present caller."""

    def __init__(self, module: str, settings: DecoderSettings) -> None:
        self.count = settings.count
        self._pool = ConfinedPool(
            module, children=self.count, memory_bytes=settings.memory_mib * MIB, cpu_s=settings.cpu_s
        )
        self._settings = settings

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def work(self, work: str, read: Read, **order: object) -> Mapping[str, Any]:
        """The answer to an order about the bytes that `read` returns.

        Raises UnusableImage; NotDecoded where it was not the bytes alone that decided.
        """
        try:
            answer = await self._pool.work(caller_name(), {"work": work, **order}, read)
        except TookTooLong as error:
            raise NotDecoded(
                Reason.TOO_SLOW,
                f"decoding the file takes more than {self._settings.cpu_s} s; open it and save it again",
            ) from error
        except Interrupted as error:
            raise NotDecoded(
                Reason.DECODE_FAILED,
                f"the process that decoded the file was killed twice ({error}); import it again",
            ) from error
        except Crashed as error:
            raise UnusableImage(
                Reason.DECODE_FAILED, f"the decoder crashes on the file ({error}); open it and save it again"
            ) from error
        if unusable := answer.get("unusable"):
            reason = Reason(unusable["reason"])
            kind = NotDecoded if reason is Reason.TOO_MUCH_MEMORY else UnusableImage
            raise kind(reason, unusable["message"])
        return answer
