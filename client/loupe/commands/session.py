"""Common to all commands: options, connection, and output as JSON or for people."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

import click
from loupe.client import AsyncLoupe
from loupe.failures import Refused
from loupe.language import choose
from loupe.profile import load_profile
from loupe.rendering import json_text
from loupe.text import visible
from rich.console import Console, RenderableType

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


def limit_option(told: str = "How many.") -> Callable[[F], F]:
    """`--limit` of a command that lists something."""
    return click.option(
        "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help=told
    )


class Output:
    """Output: one JSON value for scripts, or a rendering for people; everything else goes to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _console()
        if not self.console.is_terminal:
            # A pipe has no width, and names must not be cut in it.
            self.console = _console(width=200)
        self.stderr = _console(stderr=True)
        if not self.stderr.is_terminal:
            self.stderr = _console(stderr=True, width=200)

    def answer(self, value: object, renderable: RenderableType) -> None:
        """Print the command's one answer."""
        if self.as_json:
            # UTF-8 whatever the environment's encoding is.
            click.echo(json_text(value).encode())
        else:
            self.console.print(renderable)

    def say(self, text: str) -> None:
        """Print a sentence on stderr."""
        self.stderr.print(visible(text), soft_wrap=True)

    def hint(self, text: str) -> None:
        """Print the next command on stderr; scripts need no hints."""
        if not self.as_json and self.console.is_terminal:
            self.stderr.print(visible(text), style="dim", soft_wrap=True)

    def tell(self, renderable: RenderableType) -> None:
        """Print a rendering, such as a table, on stderr."""
        self.stderr.print(renderable)

    def fail(self, text: str) -> NoReturn:
        """End with exit code 1."""
        raise Refused(text)


def _console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Without markup: a file may be called `[red].jpg`."""
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


@dataclass
class Session:
    """A command that talks to the servers."""

    client: AsyncLoupe
    out: Output
    data_dir: Path | None = field(default=None)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--data-dir`, `--json` and `--lang`."""
    function = click.option(
        "--lang",
        type=click.Choice(["en", "zh"]),
        expose_value=False,
        callback=choose,
        help="Language of the servers' sentences; default that of the environment (LC_ALL, LANG).",
    )(function)
    function = click.option(
        "--json", "as_json", is_flag=True, help="Exactly one JSON value on stdout, for scripts."
    )(function)
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Data folder of the stack; default $LOUPE_DATA_DIR, else ~/.local/share/loupe.",
    )(function)


def local(function: Callable[Concatenate[Output, Path | None, P], None]) -> Callable[..., None]:
    """A command that needs no server."""

    @common_options
    @functools.wraps(function)
    def run(data_dir: Path | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: FBT001 -- a ParamSpec follows
        function(Output(as_json=as_json), data_dir, *args, **kwargs)

    return run


def remote(function: Callable[Concatenate[Session, P], Awaitable[None]]) -> Callable[..., None]:
    """A command that talks to the servers: connect, run, close."""

    @common_options
    @functools.wraps(function)
    def run(data_dir: Path | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: FBT001 -- a ParamSpec follows
        connected(Output(as_json=as_json), data_dir, lambda session: function(session, *args, **kwargs))

    return run


def connected(out: Output, data_dir: Path | None, work: Callable[[Session], Awaitable[None]]) -> None:
    """Connect, do the work, close."""

    async def run() -> None:
        async with AsyncLoupe(load_profile(data_dir)) as client:
            await work(Session(client, out, data_dir))

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise click.Abort from None
