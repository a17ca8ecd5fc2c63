"""What can go wrong while starting or stopping the embedded stack.

StackError
├── AlreadyRunning      another supervisor holds the data folder
├── StartFailed         a process does not come up; carries the tail of its log
└── ServerUnusable      the machine or the data folder does not let a server run
"""

from pathlib import Path

from loupe.translation import Sentence


class StackError(Exception):
    """Anything the embedded stack refuses or fails to do; in English, and in Chinese where it has that."""

    def __init__(self, told: str | Sentence) -> None:
        super().__init__(told if isinstance(told, str) else told.english)
        self.chinese = "" if isinstance(told, str) else told.chinese


class AlreadyRunning(StackError):
    """Another supervisor works on this data folder."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        super().__init__(
            f"{data_dir} is in use by a running stack (pid {pid}); stop it with `loupe down` first"
        )
        self.data_dir = data_dir
        self.pid = pid


class StartFailed(StackError):
    """A process did not become ready; `log_tail` holds the last lines it wrote."""

    def __init__(self, process: str, reason: str, log: Path, log_tail: str) -> None:
        super().__init__(f"{process} {reason}; its log is {log}")
        self.process = process
        self.reason = reason
        self.log = log
        self.log_tail = log_tail


class ServerUnusable(StackError):
    """The machine or the data folder does not let a server run; the message says what would."""
