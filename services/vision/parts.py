"""Parts: what a split never divides (D3).

Two samples belong to one part if they share a group, their bytes or their pixels, directly or through other
samples. The registry counts parts with this function before a training, and the trainer splits by it.
"""

from collections import defaultdict
from collections.abc import Sequence


def keys(sha256: str | None, group: str | None, pixels_sha256: str | None = None) -> list[str]:
    """What a sample may share with another one.

    The key of the pixels sorts last: a part that had another key keeps its name, and so the split its sides.
    """
    named = {"sha256": sha256, "group": group, "shown": pixels_sha256}
    return [f"{name}:{value}" for name, value in named.items() if value]


def parts(keys_of: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """The indices of the samples of each part, by the part's least key. Each sample has a key at least."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for first, *others in keys_of:
        root(first)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low
    found: dict[str, list[int]] = defaultdict(list)
    for index, (first, *_) in enumerate(keys_of):
        found[root(first)].append(index)
    return found
