"""Decoded samples, kept once for all who need them."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from loupe.image_files import decode

from services.input_specification import InputSpecification
from services.vision.faults import InfrastructureFault
from services.vision.pack import PackCache
from services.vision.preprocessing import resize
from services.vision.samples import DirectoryObjects, Sample, read_manifests, read_verified

SPECIFICATION = InputSpecification(16, 12)


class CountingObjects(DirectoryObjects):
    """A folder that counts what is read from it."""

    def __init__(self, root):
        super().__init__(root)
        self.reads = []

    def read(self, key):
        self.reads.append(key)
        return super().read(key)


@pytest.fixture
def objects(tmp_path):
    return CountingObjects(tmp_path / "objects")


def put(objects, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    path = objects._root / "samples" / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return sha256


def samples_of(objects, numbers) -> list[Sample]:
    samples = []
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3)).astype(np.uint8)
        samples.append(
            Sample(f"A/{number}.png", "A", put(objects, cv2.imencode(".png", pixels)[1].tobytes()))
        )
    return samples


def pixels_in(pack, samples):
    out = np.empty((len(samples), 12, 16, 3), np.uint8)
    pack.gather(pack.rows(its.sha256 for its in samples), out)
    return out


def test_a_pack_holds_what_the_one_rule_makes_of_each_sample(objects, tmp_path):
    """Order, shards and duplicates must not mix up samples."""
    samples = samples_of(objects, range(20))
    pack = PackCache(tmp_path / "packs").load([*samples, samples[3]], SPECIFICATION, objects)
    wanted = [samples[7], samples[3], samples[19], samples[3]]
    expected = [resize(decode(objects.read(f"samples/{its.sha256}")), SPECIFICATION) for its in wanted]
    assert (pixels_in(pack, wanted) == np.stack(expected)).all()


def test_a_retrain_decodes_only_new_samples(objects, tmp_path):
    """Retraining with ten more images must not cost a decoding of all."""
    old, new = samples_of(objects, range(10)), samples_of(objects, range(10, 13))
    PackCache(tmp_path / "packs").load(old, SPECIFICATION, objects)
    objects.reads.clear()
    progress = []
    pack = PackCache(tmp_path / "packs").load(
        [*new, *old], SPECIFICATION, objects, lambda done, total: progress.append((done, total))
    )
    assert sorted(objects.reads) == sorted(f"samples/{its.sha256}" for its in new)
    assert progress == [(10, 13), (11, 13), (12, 13), (13, 13)]
    assert len(pack.slots) == 13


def test_equal_samples_make_equal_files(objects, tmp_path):
    """Two workers that share a cache may build the same shard; whoever comes last must change nothing."""
    samples = samples_of(objects, range(5))
    for cache in ("a", "b"):
        PackCache(tmp_path / cache).load(samples, SPECIFICATION, objects)
    files = [{its.name: its.read_bytes() for its in (tmp_path / cache).rglob("*.*")} for cache in ("a", "b")]
    assert files[0] == files[1]
    assert len(files[0]) == 2


def test_an_unreadable_sample_is_set_aside_with_its_reason_and_remembered(objects, tmp_path):
    """D4: one bad file never fails the task, and is not fetched again by every attempt."""
    bad = [Sample("A/x.png", "A", put(objects, b"")), Sample("A/y.png", "A", put(objects, b"GIF89a, or so"))]
    samples = [*samples_of(objects, range(3)), *bad]
    for attempt in range(2):
        objects.reads.clear()
        pack = PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects)
        assert [pack.unreadable[its.sha256].reason for its in bad] == ["EMPTY", "NOT_AN_IMAGE"]
        assert len(pack.slots) == 3
        assert len(objects.reads) == (0 if attempt else 5)


def test_nothing_but_unreadable_samples_is_still_a_pack(objects, tmp_path):
    bad = [Sample("A/x.png", "A", put(objects, b"no"))]
    for _ in range(2):
        assert not PackCache(tmp_path / "packs").load(bad, SPECIFICATION, objects).slots


def test_a_build_that_was_interrupted_leaves_nothing_that_counts(objects, tmp_path):
    """Kill -9 in the middle: what has no manifest is nobody's, and the next build is whole."""
    samples = samples_of(objects, range(5))

    def interrupt(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects, interrupt)
    assert not list((tmp_path / "packs").rglob("*.json"))
    assert len(PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects).slots) == 5


def test_a_damaged_shard_is_built_again(objects, tmp_path):
    """A disk that filled up, or a file cut by hand, must not feed zeros to a training."""
    samples = samples_of(objects, range(5))
    before = pixels_in(PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects), samples)
    shard = next((tmp_path / "packs").rglob("*.u8"))
    shard.write_bytes(shard.read_bytes()[:100])
    after = pixels_in(PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects), samples)
    assert (before == after).all()


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(objects, tmp_path):
    """A worker's disk is not the archive; but what is open stays readable."""
    shard_bytes = 5 * 12 * 16 * 3
    cache = PackCache(tmp_path / "packs", max_bytes=2 * shard_bytes)
    sets = [samples_of(objects, range(start, start + 5)) for start in (0, 5, 10)]
    first = cache.load(sets[0], SPECIFICATION, objects)
    cache.load(sets[1], SPECIFICATION, objects)
    cache.load(sets[0], SPECIFICATION, objects)
    cache.load(sets[2], SPECIFICATION, objects)
    kept = set()
    for manifest in (tmp_path / "packs").rglob("*.json"):
        kept |= set(json.loads(manifest.read_bytes())["samples"])
    assert kept == {its.sha256 for its in sets[0] + sets[2]}
    assert pixels_in(first, sets[0]).any()


def test_a_missing_object_is_the_stores_fault_and_wrong_bytes_are_noticed(objects, tmp_path):
    """T5: the storage being away is retried; bytes that are not what their name says never become data."""
    with pytest.raises(InfrastructureFault, match="cannot be read"):
        PackCache(tmp_path / "packs").load([Sample("A/a.png", "A", "0" * 64)], SPECIFICATION, objects)
    (damaged,) = samples_of(objects, [1])
    (objects._root / "samples" / damaged.sha256).write_bytes(b"something else")
    with pytest.raises(InfrastructureFault, match="damaged"):
        PackCache(tmp_path / "packs").load([damaged], SPECIFICATION, objects)


def test_a_manifest_is_read_as_it_was_pinned(objects):
    """W12: a report can always be traced to the exact data."""
    line = {
        "name": "A/a.png",
        "code": "A",
        "sha256": "f" * 64,
        "width": 3,
        "height": 2,
        "group": "g",
        "later": 1,
    }
    data = json.dumps(line).encode() + b"\n"
    sha256 = hashlib.sha256(data).hexdigest()
    path = objects._root / "manifests" / f"{sha256}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    (sample,) = read_manifests(objects, [sha256])
    assert (sample.name, sample.group, sample.width, sample.manifest) == ("A/a.png", "g", 3, sha256)
    assert read_verified(objects, f"manifests/{sha256}.jsonl", sha256) == data
