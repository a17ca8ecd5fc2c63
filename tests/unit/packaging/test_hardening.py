"""X5: the library that packages carry is built so that a defect of it is hard to exploit."""

import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from services.evaluator.worker.packaging.native_library import library

pytestmark = pytest.mark.xdist_group("packaging")
DYNAMIC, TLS, STACK, RELRO, LOAD = 2, 7, 0x6474E551, 0x6474E552, 1
WRITABLE, EXECUTABLE = 2, 1
TEXTREL, FLAGS, FLAGS_1 = 22, 30, 0x6FFFFFFB
STATIC_TLS, NOW, NOW_1 = 16, 8, 1


class Segment(NamedTuple):
    """A program header of a 64-bit ELF file."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int
    alignment: int


class Elf:
    """What a linker made of a library, as the loader sees it."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        assert self._data[:6] == b"\x7fELF\x02\x01", "64-bit, little-endian"
        (first,) = struct.unpack_from("<Q", self._data, 32)
        size, count = struct.unpack_from("<2H", self._data, 54)
        self.segments = [
            Segment._make(struct.unpack_from("<2I6Q", self._data, first + size * i)) for i in range(count)
        ]

    def segment(self, kind: int) -> Segment:
        """The only one of its kind."""
        (found,) = (segment for segment in self.segments if segment.kind == kind)
        return found

    def dynamic(self) -> dict[int, int]:
        """The dynamic section's entries that are there once."""
        dynamic = self.segment(DYNAMIC)
        return dict(struct.iter_unpack("<2Q", self._data[dynamic.offset : dynamic.offset + dynamic.size]))

    def strings(self) -> set[str]:
        """The names in the table of dynamic symbols."""
        entries = self.dynamic()
        address, size = entries[5], entries[10]
        (offset,) = (
            address - segment.address + segment.offset
            for segment in self.segments
            if segment.kind == LOAD and segment.address <= address < segment.address + segment.size
        )
        return set(self._data[offset : offset + size].decode().split("\0"))


@pytest.fixture(scope="module")
def elf() -> Elf:
    return Elf(library())


def test_overflows_of_the_stack_and_of_known_buffers_are_noticed(elf: Elf) -> None:
    """-fstack-protector-strong and _FORTIFY_SOURCE call these functions of the C library."""
    names = elf.strings()
    assert "__stack_chk_fail" in names
    assert "__vsnprintf_chk" in names


def test_what_the_loader_resolved_cannot_be_written(elf: Elf) -> None:
    """-z relro and -z now: no function's address is in memory that a stray write can reach."""
    assert elf.segment(RELRO).memory > 0
    dynamic = elf.dynamic()
    assert dynamic[FLAGS] & NOW
    assert dynamic[FLAGS_1] & NOW_1


def test_no_memory_is_both_written_and_run(elf: Elf) -> None:
    """-z noexecstack, and no relocation in code."""
    assert not elf.segment(STACK).flags & EXECUTABLE
    both = WRITABLE | EXECUTABLE
    assert not any(segment.flags & both == both for segment in elf.segments if segment.kind == LOAD)
    assert TEXTREL not in elf.dynamic()


def test_a_thread_has_its_variables_when_it_begins(elf: Elf) -> None:
    """Otherwise the C library ends the process where a thread's first exception finds no memory for them.

    They take room that all loaded libraries share, so they must be small.
    """
    assert elf.dynamic()[FLAGS] & STATIC_TLS
    assert elf.segment(TLS).memory <= 64
