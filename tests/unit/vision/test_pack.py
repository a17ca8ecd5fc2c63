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


@pytest.mark.parametrize("reason", ["OBJECT_MISSING", "OBJECT_CORRUPT"])
def test_a_sample_that_the_store_lost_is_set_aside_until_it_is_there_again(objects, tmp_path, reason):
    """T-B1: one lost picture is no end of a training; importing it again puts it back into the next one."""
    samples = samples_of(objects, range(5))
    lost = objects._root / "samples" / samples[3].sha256
    data = lost.read_bytes()
    lost.unlink() if reason == "OBJECT_MISSING" else lost.write_bytes(b"something else")
    before = PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects)
    assert {sha256: why.reason for sha256, why in before.unreadable.items()} == {samples[3].sha256: reason}
    assert len(before.slots) == 4
    lost.write_bytes(data)
    objects.reads.clear()
    after = PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects)
    assert (len(after.slots), after.unreadable) == (5, {})
    assert objects.reads == [f"samples/{samples[3].sha256}"]
    whole = PackCache(tmp_path / "others").load(samples, SPECIFICATION, objects)
    assert (pixels_in(after, samples) == pixels_in(whole, samples)).all()


def test_bytes_that_were_damaged_on_their_way_are_asked_for_again(objects, tmp_path):
    (sample,) = samples_of(objects, [1])
    read, answers = objects.read, iter([b"something else"])
    objects.read = lambda key: next(answers, None) or read(key)
    assert not PackCache(tmp_path / "packs").load([sample], SPECIFICATION, objects).unreadable


@pytest.mark.parametrize(("count", "lost_count"), [(3, 2), (60, 4)])
def test_a_store_that_lost_more_than_a_few_samples_is_a_fault(objects, tmp_path, count, lost_count):
    """A training on what an empty mount has left would be a silent one on other data."""
    samples = samples_of(objects, range(count))
    for sample in samples[:lost_count]:
        (objects._root / "samples" / sample.sha256).unlink()
    with pytest.raises(InfrastructureFault, match=f"lost {lost_count} of {count} ") as fault:
        PackCache(tmp_path / "packs").load(samples, SPECIFICATION, objects)
    assert fault.value.code == "OBJECTS_LOST"


def test_a_store_that_does_not_answer_is_a_fault(objects, tmp_path):
    """T5: the storage being away is no property of the sample; the job is tried again."""
    (sample,) = samples_of(objects, [1])
    lost = objects._root / "samples" / sample.sha256
    lost.unlink()
    lost.mkdir()  # reading it fails, and not for want of it
    with pytest.raises(InfrastructureFault, match="cannot be read"):
        PackCache(tmp_path / "packs").load([sample], SPECIFICATION, objects)


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
