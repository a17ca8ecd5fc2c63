"""The tokens of Loupe's own processes: made, rotated, retired (A1)."""

import os
import time
from pathlib import Path

import pytest

from deploy.embedded import files, service_tokens
from deploy.embedded.errors import StackError
from services.kit.auth import Role
from services.service_tokens import ROLES, ServiceTokenSettings, digest_of, principals_in, token_file

NAMES = tuple(ROLES)


def own(folder: Path) -> dict[str, str]:
    return {name: token_file(folder, name).read_text().strip() for name in NAMES}


def accepted(folder: Path) -> dict[str, str]:
    principals = principals_in((folder / "accepted").read_text())
    return {digest: principal.name for digest, principal in principals.items()}


def aged(folder: Path) -> None:
    then = time.time() - service_tokens.PATIENCE_S
    os.utime(folder / "accepted", (then, then))


def test_each_process_has_a_token_of_its_own_that_nobody_else_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    assert service_tokens.create(folder) == NAMES
    tokens = own(folder)
    assert len(set(tokens.values())) == len(NAMES)
    assert accepted(folder) == {digest_of(token): f"services/{name}" for name, token in tokens.items()}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert not any(token in (folder / "accepted").read_text() for token in tokens.values())


def test_what_is_there_stays_and_what_lacks_is_made(tmp_path: Path) -> None:
    """Each start creates; a restored backup may lack a file, and the digests are made of the tokens."""
    service_tokens.create(tmp_path)
    before = own(tmp_path)
    assert service_tokens.create(tmp_path) == ()
    token_file(tmp_path, "trainer").unlink()
    assert service_tokens.create(tmp_path) == ("trainer",)
    after = own(tmp_path)
    assert {name for name in NAMES if before[name] != after[name]} == {"trainer"}
    (tmp_path / "accepted").unlink()
    assert service_tokens.create(tmp_path) == ()
    assert own(tmp_path) == after
    assert set(accepted(tmp_path)) == {digest_of(token) for token in after.values()}


def test_two_tokens_are_accepted_from_the_rotation_until_the_former_is_retired(tmp_path: Path) -> None:
    service_tokens.create(tmp_path)
    before = own(tmp_path)
    service_tokens.rotate(tmp_path)
    after = own(tmp_path)
    assert not set(before.values()) & set(after.values())
    both = {digest_of(token) for token in (*before.values(), *after.values())}
    assert set(accepted(tmp_path)) == both
    service_tokens.create(tmp_path)
    assert set(accepted(tmp_path)) == both
    with pytest.raises(StackError, match="retire those first"):
        service_tokens.rotate(tmp_path)
    with pytest.raises(StackError, match="under way"):
        service_tokens.retire(tmp_path)
    aged(tmp_path)
    assert service_tokens.retire(tmp_path) == NAMES
    assert set(accepted(tmp_path)) == {digest_of(token) for token in after.values()}
    assert service_tokens.retire(tmp_path) == ()


def test_a_token_in_wrong_hands_is_ended_at_once(tmp_path: Path) -> None:
    service_tokens.create(tmp_path)
    service_tokens.rotate(tmp_path)
    assert service_tokens.retire(tmp_path, at_once=True) == NAMES


def test_a_rotation_that_was_cut_short_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power may go between any two files: whatever a process finds in its file is accepted."""
    service_tokens.create(tmp_path)
    replace_file = files.write_atomically
    written: list[Path] = []

    def cut(path: Path, text: str, *, mode: int) -> None:
        if len(written) == 2:
            raise OSError("the power is gone")
        written.append(path)
        replace_file(path, text, mode=mode)

    monkeypatch.setattr("deploy.embedded.service_tokens.write_atomically", cut)
    with pytest.raises(OSError, match="power"):
        service_tokens.rotate(tmp_path)
    monkeypatch.undo()
    for _ in range(2):
        assert {accepted(tmp_path)[digest_of(token)] for token in own(tmp_path).values()} == {
            f"services/{name}" for name in NAMES
        }
        aged(tmp_path)
        service_tokens.retire(tmp_path)


def test_a_process_takes_up_what_was_replaced_and_keeps_what_it_had_if_that_makes_no_sense(
    tmp_path: Path,
) -> None:
    """A rotation needs no restart, and a slip of an editor does not stop an installation."""
    service_tokens.create(tmp_path)
    settings = ServiceTokenSettings(folder=tmp_path)
    token, known = settings.own("trainer"), settings.accepted()
    former = token()
    assert known()[digest_of(former)].role is Role.WORKER
    service_tokens.rotate(tmp_path)
    assert token() != former
    assert {former, token()} == {one for one in (former, token()) if digest_of(one) in known()}
    service_tokens.retire(tmp_path, at_once=True)
    assert digest_of(former) not in known()
    for text in ("trainer 123", "somebody " + "0" * 64, "\0"):
        (tmp_path / "accepted").write_text(text)
        assert digest_of(token()) in known()
    (tmp_path / "accepted").unlink()
    assert digest_of(token()) in known()
    service_tokens.create(tmp_path)
    service_tokens.rotate(tmp_path)
    assert digest_of(token()) in known()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trainer", "line 1"),
        ("trainer " + "0" * 63, "line 1"),
        ("# c\nadmin " + "0" * 64, "line 2"),
        ("".join(f"trainer {n:064x}\n" for n in range(3)), "more than 2"),
        (f"trainer {'0' * 64}\nscheduler {'0' * 64}\n", "of its own"),
    ],
)
def test_digests_that_make_no_sense_are_refused_by_the_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        principals_in(text)


@pytest.mark.parametrize(
    "text", ["", "short", "two words of a token that is long enough", "x" * 40 + "\nmore"]
)
def test_a_file_without_a_token_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    service_tokens.create(tmp_path)
    token_file(tmp_path, "trainer").write_text(text)
    with pytest.raises(StackError, match="create a new one"):
        service_tokens.rotate(tmp_path)
    token_file(tmp_path, "trainer").unlink()
    with pytest.raises(StackError, match="no token of trainer"):
        service_tokens.rotate(tmp_path)
