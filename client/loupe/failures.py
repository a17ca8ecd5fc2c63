"""The exit codes of a command that fails: 1 refused or failed, 3 the servers cannot be reached."""

import os

import click
from loupe.text import visible


class _CommandFailure(click.ClickException):
    def format_message(self) -> str:
        """Escape what controls the terminal: a message may hold the name of a file."""
        return visible(super().format_message())


class Refused(_CommandFailure):
    """The server refused, or the work failed; the reason is on stderr."""

    exit_code = 1


class NotUsable(Refused):
    """The machine refuses a file, a folder or the output; an OSError as a sentence."""

    def __init__(self, error: OSError) -> None:
        path = error.filename
        # What is open already has no name here.
        where = os.fsdecode(path) if isinstance(path, str | bytes) else "the output, or an open file,"
        super().__init__(f"{where} cannot be used: {error.strerror}; mend that, or name another")


class Unreachable(_CommandFailure):
    """No server answers, or no address of one is configured."""

    exit_code = 3
