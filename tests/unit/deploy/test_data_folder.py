"""What a data folder keeps: secrets, ports, the lock, the state."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.embedded.credentials import load_or_create
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.errors import AlreadyRunning, ServerUnusable
from deploy.embedded.ports import HOST, SEAWEED_GRPC_OFFSET, SERVER_PORTS, SERVICE_PORTS, assign, is_free
from deploy.embedded.state import ProcessState, StackState, State, read_state, write_state


def test_credentials_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    """A1: who reads this file is the administrator."""
    path = tmp_path / "credentials.json"
    first = load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert load_or_create(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_credentials_have_the_form_of_tokens_and_do_not_print_themselves(tmp_path: Path) -> None:
    """A traceback or a log line that holds the object must not hold its secrets."""
    credentials = load_or_create(tmp_path / "credentials.json")
    assert credentials.admin_token.startswith("loupe_admin_")
    for secret in (credentials.admin_token, credentials.postgres_password):
        assert secret not in repr(credentials)


def test_credentials_that_cannot_be_read_are_not_replaced(tmp_path: Path) -> None:
    """New ones would lock the owner out of the database that the old ones open."""
    path = tmp_path / "credentials.json"
    path.write_text('{"stack_id": ')
    with pytest.raises(ServerUnusable, match="restore it"):
        load_or_create(path)
    assert path.read_text() == '{"stack_id": '


def test_credentials_of_an_older_release_get_what_is_new_and_keep_the_rest(tmp_path: Path) -> None:
    """An upgrade must start."""
    path = tmp_path / "credentials.json"
    first = load_or_create(path)
    path.write_text(path.read_text().replace("admin_token", "token_of_an_older_name"))
    second = load_or_create(path)
    assert second.postgres_password == first.postgres_password
    assert second.admin_token.startswith("loupe_admin_")
    assert load_or_create(path) == second


def test_a_secret_that_no_release_reads_any_more_is_removed(tmp_path: Path) -> None:
    """The one token that all services shared opened everything; a copy of the file must not suggest it."""
    path = tmp_path / "credentials.json"
    first = load_or_create(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "service_token": "loupe_service_0"}))
    assert load_or_create(path) == first
    assert "service_token" not in path.read_text()


def test_ports_stay_the_same_while_they_are_free() -> None:
    """Clients remember addresses; a restart should not send them away."""
    names = (*SERVER_PORTS, *SERVICE_PORTS)
    first = assign(names, {})
    assert len(set(first.values())) == len(names)
    assert assign(names, first) == first


def test_a_port_taken_meanwhile_is_replaced_alone() -> None:
    """One foreign program must not keep the stack down, nor move everything else."""
    first = assign(SERVER_PORTS, {})
    with socket.create_server((HOST, first["nats"])):
        second = assign(SERVER_PORTS, first)
    assert second["nats"] != first["nats"]
    assert {n: p for n, p in second.items() if n != "nats"} == {n: p for n, p in first.items() if n != "nats"}


def test_a_port_of_seaweedfs_needs_its_grpc_twin_free() -> None:
    """SeaweedFS opens port + 10000 as well and dies if it cannot."""
    first = assign(SERVER_PORTS, {})
    with socket.create_server((HOST, first["seaweed_s3"] + SEAWEED_GRPC_OFFSET)):
        second = assign(SERVER_PORTS, first)
    assert second["seaweed_s3"] != first["seaweed_s3"]
    assert all(p + SEAWEED_GRPC_OFFSET < 65_536 for n, p in second.items() if n.startswith("seaweed_"))


def test_two_stacks_that_start_together_share_no_port() -> None:
    """Nobody listens yet when the second stack chooses: a gateway starts seconds after the choice."""
    names = (*SERVER_PORTS, *SERVICE_PORTS)
    with ExitStack() as first_stack, ExitStack() as second_stack:
        first = assign(names, {}, first_stack)
        second = assign(names, first, second_stack)
        assert not set(first.values()) & set(second.values())
        twins = {p + SEAWEED_GRPC_OFFSET for n, p in first.items() if n.startswith("seaweed_")}
        assert not any(is_free(port) for port in (*first.values(), *second.values(), *twins))
    assert assign(names, first) == first


def test_two_supervisors_never_share_a_folder(tmp_path: Path) -> None:
    """Two servers on one data directory destroy it."""
    folder = DataFolder(tmp_path / "data")
    assert folder.supervisor_pid() is None
    with folder.lock():
        assert folder.supervisor_pid() == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())), DataFolder(folder.root).lock():
            pass
    assert folder.supervisor_pid() is None


def test_the_lock_of_a_killed_supervisor_is_free(tmp_path: Path) -> None:
    """After kill -9 nobody is left to clean up."""
    program = (
        "import sys, time; from pathlib import Path; from deploy.embedded.data_folder import DataFolder\n"
        "with DataFolder(Path(sys.argv[1])).lock():\n    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder, holder.stdout as output:
        output.readline()
        folder = DataFolder(tmp_path)
        assert folder.supervisor_pid() == holder.pid
        holder.kill()
        holder.wait()
    with folder.lock():
        assert folder.supervisor_pid() == os.getpid()


def test_only_the_owner_may_look_into_the_folder(tmp_path: Path) -> None:
    """Logs and databases tell what the fab makes."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    assert folder.root.stat().st_mode & 0o077 == 0


def test_the_state_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    state = StackState(
        state=State.READY,
        supervisor_pid=7,
        started_at=1.5,
        ports={"nats": 23_001},
        addresses={"gateway": "127.0.0.1:8080"},
        processes=(
            ProcessState(name="nats", state=State.BACKOFF, restarts=2, detail="was ended by SIGKILL"),
        ),
    )
    write_state(path, state)
    assert read_state(path) == state


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"processes": 3}'])
def test_a_broken_state_is_no_state(tmp_path: Path, text: str) -> None:
    """It only remembers ports; a power loss that emptied it must not keep the stack down."""
    path = tmp_path / "stack.json"
    path.write_text(text)
    assert read_state(path) is None
