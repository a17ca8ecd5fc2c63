"""How a command ends when it does not end well."""

import click


class Refused(click.ClickException):
    """The server refused, or the work failed; the reason is told on stderr."""

    exit_code = 1


class Unreachable(click.ClickException):
    """Nobody answers, or nothing says where to ask."""

    exit_code = 3
