"""Encryption of a backup with a passphrase: AES-256-GCM in chunks, after STREAM (Hoang et al., 2015).

A sealed file is a header and chunks of 1 MiB, the last one shorter; each has a tag of 16 bytes. The nonce of
a chunk is its number and whether it is the last one, so that a chunk that is moved, repeated, altered or cut
off is found. The key comes from the passphrase by scrypt, and from a salt of the file's own by HKDF.
"""

import functools
import io
import os
import struct
from typing import IO, TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from loupe.translation import sentence

from deploy.backup.errors import BackupError, WrongPassphrase

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAGIC = b"loupe sealed 1\n\0"
CHUNK_BYTES = 1024 * 1024
TAG_BYTES = 16

_HEADER = struct.Struct(f"!{len(MAGIC)}s16s32s32s")
"""Magic, salt of the passphrase, salt of the file, what tells a wrong passphrase."""
_LOG2_N = 16
"""A guess at the passphrase costs 64 MiB and a fifth of a second."""
_LAST = 1


@functools.lru_cache(maxsize=4)
def _main_key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**_LOG2_N, r=8, p=1).derive(passphrase.encode())


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11) + bytes([_LAST if is_last else 0])


class Passphrase:
    """A passphrase with one salt, so that the files of one backup cost one derivation."""

    def __init__(self, words: str) -> None:
        if not words:
            raise WrongPassphrase(sentence("the passphrase is empty; give one of several words"))
        self._words = words
        self._salt = os.urandom(16)

    def header(self) -> tuple[bytes, bytes]:
        """A new header, and the key of the file that begins with it."""
        main, salt = _main_key(self._words, self._salt), os.urandom(32)
        check = _derived(main, salt, b"check")
        return _HEADER.pack(MAGIC, self._salt, salt, check), _derived(main, salt, b"content")

    def key(self, header: bytes) -> bytes:
        """The key of a file with this header; WrongPassphrase."""
        _, main_salt, salt, check = _HEADER.unpack(header)
        main = _main_key(self._words, main_salt)
        if _derived(main, salt, b"check") != check:
            raise WrongPassphrase("the passphrase is not that of this backup; give the one it was made with")
        return _derived(main, salt, b"content")


def is_sealed(file: IO[bytes]) -> bool:
    """Whether a file, at its beginning, is sealed; it stays at its beginning."""
    head = file.read(len(MAGIC))
    file.seek(-len(head), os.SEEK_CUR)
    return head == MAGIC


def _chunks(sealed_bytes: int) -> int:
    return max(1, -(-sealed_bytes // (CHUNK_BYTES + TAG_BYTES)))


def unsealed_size(file_bytes: int) -> int:
    """The size, before it was sealed, of what is in a sealed file of that size."""
    sealed_bytes = file_bytes - _HEADER.size
    return sealed_bytes - _chunks(sealed_bytes) * TAG_BYTES


class SealingWriter(io.RawIOBase):
    """Writes what is written to it, sealed, to a file; `close` writes the last chunk and keeps the file open.

    Whoever fails half-way does not close it: what it wrote is then known to be cut off.
    """

    def __init__(self, file: IO[bytes], passphrase: Passphrase) -> None:
        self._file = file
        self._header, key = passphrase.header()
        self._cipher = AESGCM(key)
        self._pending = bytearray()
        self._number = 0
        self._written = 0
        file.write(self._header)

    def writable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes before encryption."""
        return self._written

    def write(self, data: "Buffer") -> int:
        """Take all of the data."""
        self._pending += data
        taken = memoryview(data).nbytes
        self._written += taken
        # The last chunk is not known to be the last before `close`.
        while len(self._pending) > CHUNK_BYTES:
            self._seal(bytes(self._pending[:CHUNK_BYTES]), is_last=False)
            del self._pending[:CHUNK_BYTES]
        return taken

    def finish(self) -> None:
        """Write the last chunk, which says that nothing follows."""
        self._seal(bytes(self._pending), is_last=True)
        self._pending.clear()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._file.write(self._cipher.encrypt(nonce, chunk, self._header))
        self._number += 1


class SealedReader(io.RawIOBase):
    """Reads a sealed file at any position; BackupError for what was altered or cut off.

    Its end is read at once: a file that was cut off is refused before anything of it is used.
    """

    def __init__(self, file: IO[bytes], passphrase: Passphrase, name: str) -> None:
        self._file, self._name = file, name
        self._header = file.read(_HEADER.size)
        if len(self._header) < _HEADER.size:
            raise self._altered()
        self._cipher = AESGCM(passphrase.key(self._header))
        file_bytes = file.seek(0, os.SEEK_END)
        self._chunks = _chunks(file_bytes - _HEADER.size)
        self._size = unsealed_size(file_bytes)
        self._position = 0
        self._open: tuple[int, bytes] = (-1, b"")
        self._chunk(self._chunks - 1)

    def _altered(self) -> BackupError:
        return BackupError(
            sentence("{file} is altered or cut off; take another copy of the backup", file=self._name)
        )

    def _chunk(self, number: int) -> bytes:
        if self._open[0] != number:
            self._file.seek(_HEADER.size + number * (CHUNK_BYTES + TAG_BYTES))
            sealed = self._file.read(CHUNK_BYTES + TAG_BYTES)
            nonce = _nonce(number, is_last=number == self._chunks - 1)
            try:
                self._open = number, self._cipher.decrypt(nonce, sealed, self._header)
            except (InvalidTag, ValueError) as error:
                raise self._altered() from error
        return self._open[1]

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position in what was sealed."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position in what was sealed."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "Buffer") -> int:
        """Fill the buffer as far as one chunk goes."""
        if self._position >= self._size:
            return 0
        number, inside = divmod(self._position, CHUNK_BYTES)
        room = memoryview(buffer).cast("B")
        part = self._chunk(number)[inside : inside + len(room)]
        room[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._file.close()
        super().close()
