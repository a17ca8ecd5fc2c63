"""The short form of `make fuzz`, and that fuzzing finds, keeps and repeats what breaks."""

from pathlib import Path

import pytest

from tests.fuzz import running
from tests.fuzz.__main__ import TARGETS, tell
from tests.fuzz.running import TOO_MUCH_MEMORY, TOO_SLOW, run, run_one

BREAKS = "tests.support.fuzzed:Breaks"
IN_TURN = "tests.support.fuzzed:BreaksInTurn"


@pytest.mark.parametrize(
    ("target", "inputs"),
    [("images", 1500), ("annotations", 800), ("page-tokens", 3000), ("requests", 800), ("packages", 800)],
)
def test_mutated_inputs_break_nothing(target: str, inputs: int) -> None:
    """D4, D5, D7, X5, I1: what strangers send is taken or refused by name, within bounds."""
    outcome = run(TARGETS[target], seed=1, inputs=inputs)
    assert not outcome.findings, [finding.told for finding in outcome.findings.values()]
    assert outcome.inputs == inputs == sum(outcome.verdicts.values())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"raises", "ValueError in tests/support/fuzzed.py:run < tests/fuzz/target.py:run_batch"),
        (b"crashes", "it crashes the process (SIGSEGV)"),
        (b"works on", TOO_SLOW),
        (b"grows", TOO_MUCH_MEMORY),
    ],
)
def test_an_input_that_breaks_something_is_told_whatever_it_breaks(data: bytes, kind: str) -> None:
    """An exception, a crash, an endless loop and memory: the input is known, and so is what it did."""
    (finding,) = run_one(BREAKS, data).findings.values()
    assert (finding.kind, finding.data) == (kind, data)
    assert not run_one(BREAKS, b"taken").findings


def test_an_input_that_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes no processor time may hang all the same."""
    monkeypatch.setattr(running, "_WALL_FACTOR", 2)
    (finding,) = run_one(BREAKS, b"waits").findings.values()
    assert (finding.kind, finding.data) == ("it does not end", b"waits")


def test_the_inputs_after_a_crash_are_given_too() -> None:
    """A crash must not hide what comes after it: another process goes on with the next input."""
    outcome = run(IN_TURN, seed=1, inputs=8)
    assert outcome.inputs == outcome.broken == 8
    told = {finding.data for finding in outcome.findings.values()}
    assert told == {b"crashes", b"grows", b"raises"}


def test_the_same_seed_makes_the_same_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The input that broke something is kept, and the command that repeats it is printed."""
    monkeypatch.setattr("tests.fuzz.__main__.ROOT", tmp_path)
    monkeypatch.setattr("tests.fuzz.__main__._KEPT", tmp_path / "out" / "fuzz")
    first, again, other = (run(BREAKS, seed, inputs=20) for seed in (1, 1, 2))
    told = [
        [(one.number, one.data) for one in outcome.findings.values()] for outcome in (first, again, other)
    ]
    assert told[0] == told[1] != told[2]
    tell("page-tokens", first)
    (kept,) = (tmp_path / "out" / "fuzz").iterdir()
    assert kept.read_bytes() == told[0][0][1]
    assert f"-m tests.fuzz page-tokens --input out/fuzz/{kept.name}" in capsys.readouterr().out
