"""The checks of the fault run, on invented histories: what they allow, and that they can fail."""

from dataclasses import replace

import pytest

from tests.faults.evidence import Findings, Interruption, Upload, check_repeated
from tests.faults.killing import Kill

# 90 MB in 3 s.
UPLOADS = [Upload(10, 12), Upload(13, 16)]


def cut_short(*, stored: int, resumed: int | None = None, end: int = 26) -> Interruption:
    """A lease with a checkpoint each second, after 10 iterations each, that ended at 126 s."""
    made = tuple((10 * second, 100.0 + second) for second in range(9, end + 1))
    resumed = stored if resumed is None else resumed
    return Interruption(
        "t", begun=100, ended=140, points=10 * end + 1, resumed=resumed, stored=stored, made=made
    )


def violations(cut: Interruption, *kills: Kill, uploads: list[Upload] = UPLOADS) -> list[str]:
    findings = Findings()
    check_repeated(findings, [cut], uploads, kills)
    return findings.violations


def test_t5_what_is_made_during_two_uploads_may_be_unstored() -> None:
    """A busy machine stores slower than a child makes; nothing is lost that was stored."""
    assert violations(cut_short(stored=190)) == []
    (told,) = violations(cut_short(stored=180))
    assert "those of 7.0 s were not stored, 6.0 s allowed" in told


def test_t5_how_much_follows_from_the_uploads() -> None:
    """A worker that stops storing is found, however slow or fast the machine is."""
    quick = [Upload(10, 10.2)]
    assert violations(cut_short(stored=250), uploads=quick) == []
    assert len(violations(cut_short(stored=240), uploads=quick)) == 1
    assert violations(cut_short(stored=250), uploads=[]) == []
    assert len(violations(cut_short(stored=0), uploads=[])) == 1


@pytest.mark.parametrize("resumed", [0, 230])
def test_t5_a_training_goes_on_from_its_newest_stored_checkpoint(resumed: int) -> None:
    """Whatever may be unstored, and whoever was killed."""
    cut = cut_short(stored=240, resumed=resumed)
    assert "of which 240 was stored" in violations(cut)[0]
    assert len(violations(cut, Kill(120, "postgres", 1))) == 1


def test_t5_while_the_store_is_away_nothing_can_be_stored() -> None:
    """Neither counts: the checkpoints of that time, nor how long their uploads took."""
    cut = cut_short(stored=180)
    assert violations(cut, Kill(120, "seaweed", 1)) == []
    assert violations(cut, Kill(120, "trainer-1", 1))
    slow = [*UPLOADS, Upload(20, 80)]
    assert violations(cut, uploads=slow) == []
    assert violations(cut, Kill(50, "seaweed", 1), uploads=slow)


def test_t5_no_training_goes_on_beyond_its_curve() -> None:
    """Its points would be missing."""
    assert len(violations(replace(cut_short(stored=260), points=259, made=()))) == 1
