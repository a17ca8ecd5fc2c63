"""Manifest files: a listing as JSON lines on disk, hashed while it is written."""

import hashlib
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from services.registry.domain.samples import CodeCount, Sample, manifest_line

_BATCH_LINES = 10_000


def manifest_entries(path: Path) -> Iterator[list[tuple[str, str | None]]]:
    """Hash and group of every sample of a manifest, in its order, some at a time. Blocks."""
    with path.open("rb") as lines:
        while batch := list(itertools.islice(lines, _BATCH_LINES)):
            samples = [json.loads(line) for line in batch]
            yield [(sample["sha256"], sample["group"] or None) for sample in samples]


class ManifestFile:
    """A temporary file with the manifest of what was written to it; gone at the end of the block. Blocks."""

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
        """Append the samples, in the order of their files; `mask_codes` is what their path declares."""
        for sample in samples:
            line = manifest_line(sample, mask_codes)
            self._hash.update(line)
            self._file.write(line)
            self._samples[sample.code] += 1
            self._masks[sample.code] += sample.mask_sha256 is not None
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
