"""How a command ends when it does not end well."""

import click
from loupe.text import visible


class _Told(click.ClickException):
    def format_message(self) -> str:
        """What a file is called must not command the terminal."""
        return visible(super().format_message())


class Refused(_Told):
    """The server refused, or the work failed; the reason is told on stderr."""

    exit_code = 1


class Unreachable(_Told):
    """Nobody answers, or nothing says where to ask."""

    exit_code = 3
