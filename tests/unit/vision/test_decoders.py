"""Decoding in confined processes says what decoding says, within bounds (D4)."""

from collections.abc import AsyncIterator, Sequence
from io import BytesIO

import pytest
import pytest_asyncio
from loupe.image_files import Reason, UnusableImage
from PIL import Image

from services.kit import machine
from services.registry.application.examining import examine, found
from services.registry.domain.objects import ImageObject
from services.vision.decoders import Decoders, DecoderSettings, NotDecoded
from tests.unit.client.test_image_files import KINDS, progressive


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoders() -> AsyncIterator[Decoders]:
    async with Decoders("services.registry.decoder", DecoderSettings(decoders=2)) as made:
        yield made


async def examined(decoders: Decoders, data: bytes, *, is_mask: bool = False) -> ImageObject:
    async def read() -> Sequence[bytes]:
        return [data]

    return found("0" * 64, len(data), await decoders.work("examine", read, is_mask=is_mask))


def saved(mode: str, side: int, kind: str, **options: object) -> bytes:
    data = BytesIO()
    Image.new(mode, (side, side)).save(data, kind, **options)
    return data.getvalue()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it bears
async def test_a_decoder_says_what_decoding_says(decoders: Decoders, kind: str) -> None:
    """What a filter of system calls or a limit broke would look like a broken file to every user."""
    whole = KINDS[kind]
    for data in (whole, whole[:-40], whole[: len(whole) // 2], whole[:30]):
        try:
            expected = found("0" * 64, len(data), examine({"is_mask": True}, [data]))
        except UnusableImage as unusable:
            with pytest.raises(UnusableImage) as refused:
                await examined(decoders, data, is_mask=True)
            told = refused.value
            assert (type(told), told.reason, told.message) == (  # noqa: PT017 -- of the one in the decoder
                UnusableImage,
                unusable.reason,
                unusable.message,
            )
        else:
            assert await examined(decoders, data, is_mask=True) == expected


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("data", "is_mask"),
    [
        (saved("RGB", 8_900, "TIFF", compression="tiff_lzw"), False),
        (saved("RGBA", 8_900, "PNG"), True),
        (saved("CMYK", 8_900, "JPEG", progressive=True, subsampling=0), False),
    ],
    ids=["tiff", "mask with alpha", "progressive jpeg"],
)
async def test_the_largest_pictures_fit_into_the_default_memory(
    decoders: Decoders, data: bytes, *, is_mask: bool
) -> None:
    """79 megapixels are legal: what the settings promise must be enough for those that need the most."""
    assert (await examined(decoders, data, is_mask=is_mask)).width == 8_900


async def test_what_the_limits_end_is_told_by_name_and_is_not_final() -> None:
    """An installation with larger limits may take it: the verdict must not be kept for ever."""
    picture = saved("RGB", 4_000, "TIFF", compression="tiff_lzw")
    small = DecoderSettings(decoders=1, memory_mib=64)
    async with Decoders("services.registry.decoder", small) as decoders:
        with pytest.raises(NotDecoded) as refused:
            await examined(decoders, picture)
        assert refused.value.reason is Reason.TOO_MUCH_MEMORY
        assert (await examined(decoders, KINDS["png"])).width == 16
    slow = DecoderSettings(decoders=1, cpu_s=1)
    flat = Image.new("L", (8_000, 8_000))
    async with Decoders("services.registry.decoder", slow) as decoders:
        with pytest.raises(NotDecoded) as refused:
            await examined(decoders, progressive(100, flat))
        assert refused.value.reason is Reason.TOO_SLOW
        assert (await examined(decoders, KINDS["png"])).width == 16


@pytest.mark.parametrize(
    ("cpus", "memory_gib", "count"),
    [(1, 2, 2), (2, 8, 3), (2, 16, 4), (16, 16, 6), (16, 64, 8)],
)
def test_there_are_as_many_as_the_memory_bears(
    monkeypatch: pytest.MonkeyPatch, cpus: int, memory_gib: int, count: int
) -> None:
    """Each may take its whole memory at the same time; two are the least that keep callers apart."""
    monkeypatch.setattr(machine, "cpus", lambda: cpus)
    monkeypatch.setattr(machine, "memory_bytes", lambda: memory_gib * 2**30)
    assert DecoderSettings().count == count
    assert DecoderSettings(decoders=5).count == 5


@pytest.mark.parametrize("wrong", [{"decoders": -1}, {"memory_mib": 10}, {"cpu_s": 0}])
def test_limits_that_let_nothing_be_read_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="LOUPE_DECODER"):
        DecoderSettings(**wrong)
