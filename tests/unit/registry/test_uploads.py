"""Which objects share an upload (D2)."""

import pytest

from services.registry.domain.uploads import _JOINED_BYTES, _JOINED_OBJECT_BYTES, plan

SIZES = [0, 1, 5000, _JOINED_OBJECT_BYTES, _JOINED_OBJECT_BYTES + 1, 2**30, None]


def test_small_objects_share_uploads_and_follow_one_another() -> None:
    """An importer lays them end to end: no byte between them, none of two, none beyond what is signed."""
    wanted = {f"{number:064x}": SIZES[number % len(SIZES)] for number in range(200)}
    planned = plan(wanted, joined=True)
    assert {upload.sha256: upload.size_bytes for upload in planned} == wanted
    assert len(planned) == len(wanted)
    together: dict[str, list[str]] = {}
    ends: dict[str, int] = {}
    for upload in planned:
        together.setdefault(upload.name, []).append(upload.sha256)
        assert upload.at_byte == ends.get(upload.name, 0)
        ends[upload.name] = upload.at_byte + (upload.size_bytes or 0)
    assert [upload.sha256 for upload in planned] == [one for group in together.values() for one in group]
    for upload in planned:
        alone = len(together[upload.name]) == 1
        assert (upload.part is None) == alone
        if upload.size_bytes is None:
            assert alone
            assert upload.whole_bytes is None
        else:
            assert upload.whole_bytes == ends[upload.name]
            assert alone or (
                0 < upload.size_bytes <= _JOINED_OBJECT_BYTES and ends[upload.name] <= _JOINED_BYTES
            )
    assert max(map(len, together.values())) > 1


@pytest.mark.parametrize("joined", [False, True])
def test_without_need_each_object_has_an_upload_of_its_own(joined: bool) -> None:  # noqa: FBT001 -- a case
    """Browsers and older importers send one at a time; and who names no sizes cannot join."""
    wanted = dict.fromkeys("abc", None if joined else 10)
    assert len({upload.name for upload in plan(wanted, joined=joined)}) == 3
    assert plan({}, joined=joined) == []
