"""Manifest files: a listing as JSON lines on disk, hashed while it is written."""

import hashlib
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from services.registry.domain.samples import CodeCount, Sample, manifest_line

_BATCH_LINES = 10_000


def manifest_entries(path: Path) -> Iterator[list[tuple[str, str | None]]]:
    """Batches of hash and group of every sample of a manifest, in its order. Blocks."""
    with path.open("rb") as lines:
        while batch := list(itertools.islice(lines, _BATCH_LINES)):
            samples = [json.loads(line) for line in batch]
            yield [(sample["sha256"], sample["group"] or None) for sample in samples]


class ManifestFile:
    """A temporary file for a manifest; it is deleted at the end of the block. Blocks."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="manifest-", suffix=".jsonl")  # noqa: SIM115 -- closed in __exit__
        self._hash = hashlib.sha256()
        self._samples: Counter[str] = Counter()
        self._masks: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self._file.name)

    def write(self, samples: Iterable[Sample], mask_codes: Sequence[str] = ()) -> None:
        """Append samples, in the order of their files; `mask_codes` are those that their path declares."""
        for sample in samples:
            line = manifest_line(sample, mask_codes)
            self._hash.update(line)
            self._file.write(line)
            self._samples[sample.code] += 1
            self._masks[sample.code] += sample.mask_sha256 is not None
        self._file.flush()

    def write_lines_of(self, manifest: Path, without: Container[int]) -> None:
        """Append the lines of another manifest, without those of these numbers, from 1."""
        with manifest.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if number in without:
                    continue
                sample = json.loads(line)
                self._hash.update(line)
                self._file.write(line)
                self._samples[sample["code"]] += 1
                self._masks[sample["code"]] += sample["mask_sha256"] is not None
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._hash.hexdigest()

    @property
    def code_counts(self) -> tuple[CodeCount, ...]:
        """Of what was written so far."""
        return tuple(
            CodeCount(code, self._samples[code], self._masks[code]) for code in sorted(self._samples)
        )
