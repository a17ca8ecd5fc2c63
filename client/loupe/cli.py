"""The command `loupe`.

Exit codes: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage, 3 the servers cannot be
reached.
"""

import importlib
import io
import os
import sys
from contextlib import nullcontext, suppress
from typing import Any, NoReturn

import click
from loupe.errors import DeadlineExceeded, InvalidArgument, LoupeError, Unavailable
from loupe.extras import EVENTS, SAMPLE, SIGNATURES, STACK, Extra, MissingExtra, needs
from loupe.failures import NotUsable, Refused, Unreachable
from loupe.folders import FolderUnreadable
from loupe.language import pick, translated
from loupe.names import BadName
from loupe.profile import NotConfigured
from loupe.rpc import quiet_grpc
from loupe.text import as_utf8, encodable

# The module of each command and its line in `loupe --help`: importing all of them takes a second.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("loupe.commands.stack:up", "Start the embedded stack with all services."),
    "scale": ("loupe.commands.stack:scale", "Change the number of workers of a stack, while it runs."),
    "down": ("loupe.commands.stack:down", "Stop the embedded stack."),
    "status": ("loupe.commands.stack:status", "Show what runs, where, and how it is."),
    "backup": ("loupe.commands.backup:backup", "Back up the stack, or check a backup."),
    "restore": ("loupe.commands.backup:restore", "Make a data folder of a backup."),
    "system": (
        "loupe.commands.system:system",
        "Show servers, workers, what waits, disks, and the last backup.",
    ),
    "workers": ("loupe.commands.workers:workers", "List, drain and undrain workers."),
    "quotas": ("loupe.commands.quotas:quotas", "Show and set how much datasets and users may store."),
    "check": ("loupe.commands.check:check", "Compare what rows name with what is stored."),
    "demo": ("loupe.commands.demo:demo", "Run the main job once, from images to a tested version."),
    "sample": ("loupe.commands.sample:sample", "Generate a small set of panel images."),
    "data": ("loupe.commands.data:data", "Import, look at, share, delete and restore data."),
    "banks": ("loupe.commands.banks:banks", "Make, revise and look at question banks."),
    "images": ("loupe.commands.images:images", "List the algorithm images that can be trained."),
    "train": ("loupe.commands.train:train", "Train a new model, or retrain a version."),
    "tasks": ("loupe.commands.tasks:tasks", "List training, prediction and export tasks."),
    "task": ("loupe.commands.tasks:task", "Show one task."),
    "history": ("loupe.commands.tasks:history", "Show who did what to a task, and when."),
    "watch": ("loupe.commands.watch:watch", "Follow a task until it ends."),
    "contact-sheet": (
        "loupe.commands.watch:contact_sheet",
        "Save a picture of a training's augmentation.",
    ),
    "nonconforming": (
        "loupe.commands.watch:nonconforming",
        "List the samples that a training set aside.",
    ),
    "curve": ("loupe.commands.watch:curve", "Print the loss curve of a task."),
    "logs": ("loupe.commands.watch:logs", "Print the log of a task."),
    "terminate": ("loupe.commands.tasks:terminate", "Stop a running task."),
    "start": ("loupe.commands.tasks:start", "Start a terminated or failed task again."),
    "delete": ("loupe.commands.tasks:delete", "Delete a task with its log and weights."),
    "report": ("loupe.commands.report:report", "Show an evaluation report."),
    "compare": ("loupe.commands.compare:compare", "Compare two reports sample by sample."),
    "samples": ("loupe.commands.samples:samples", "List or download the samples behind a report's numbers."),
    "suspects": ("loupe.commands.samples:suspects", "List samples whose label may be wrong."),
    "relabel": ("loupe.commands.relabel:relabel", "Mark wrong labels, and apply the marks to the data."),
    "release": ("loupe.commands.tasks:release", "Release a completed task as a version."),
    "models": ("loupe.commands.models:models", "List released models and their versions."),
    "alias": ("loupe.commands.models:alias", "Put an alias such as production on a version."),
    "archive": ("loupe.commands.models:archive", "Hide a version, or bring it back."),
    "predict": ("loupe.commands.predict:predict", "Test a version or a training against a question bank."),
    "export": ("loupe.commands.export:export", "Save the package of a version, for inspection machines."),
    "verify": ("loupe.commands.verify:verify", "Check a package's signature, bytes and predictions."),
    "keys": ("loupe.commands.keys:keys", "Show the keys that packages are signed with."),
    "events": ("loupe.commands.events:events", "Show what happened, from NATS JetStream."),
    "users": ("loupe.commands.access:users", "Create, change and list users."),
    "tokens": ("loupe.commands.access:tokens", "Create, list and revoke tokens."),
    "service-tokens": (
        "loupe.commands.service_tokens:service_tokens",
        "Create, rotate and retire the tokens of services and workers.",
    ),
    "whoami": ("loupe.commands.access:whoami", "Show whom your token speaks for."),
}


_NOT_AWAY = frozenset({"DATABASE_DISK_FULL"})
"""Reasons of a server that is there and cannot work: `loupe up` would not help."""
_EXTRAS: dict[str, Extra] = {
    "up": STACK,
    "down": STACK,
    "status": STACK,
    "scale": STACK,
    "backup": STACK,
    "restore": STACK,
    "service-tokens": STACK,
    "demo": STACK,
    "sample": SAMPLE,
    "verify": SIGNATURES,
    "events": EVENTS,
}
"""What a command's module needs beyond `loupe-client` itself."""


class Words(click.types.StringParamType):
    """What is typed and is no path: UTF-8 where the locale could not decode it, else refused by name."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is sent to the servers."""
        converted = super().convert(value, param, ctx)
        if encodable(converted) == converted:
            return converted
        text = as_utf8(converted)
        if (shown := encodable(text)) != text:
            self.fail(f"{shown} is not UTF-8; type it in a terminal whose encoding is UTF-8", param, ctx)
        return text


def _takes_words(command: click.Command) -> click.Command:
    """The command; its texts and its subcommands' are Words, its paths stay as the locale reads them."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = Words()
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _takes_words(below)
    return command


class LazyGroup(click.Group):
    """Imports a command's module when the command runs, and reports failures as sentences."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- click's signature
        """Run the command line; what the machine refuses, such as a full disk, ends with a sentence too."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno is None:
                raise
            # The reader of our output may have ended, as `head` does; and the sentence needs an output too.
            if not isinstance(error, BrokenPipeError):
                with suppress(OSError):
                    NotUsable(error).show()
            try:
                sys.stdout.flush()
            except OSError:
                # What is left unwritten must not fail again, and be told by Python, when the process ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """All commands, in the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- as above
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with quiet_grpc(), needs(_EXTRAS[cmd_name]) if cmd_name in _EXTRAS else nullcontext():
            return _takes_words(getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- as above
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a failure that the user can act on ends with a sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except (LoupeError, NotConfigured, BadName, FolderUnreadable, MissingExtra) as error:
            _end(error)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="loupe-client", message="%(prog)s %(version)s")
def loupe() -> None:
    """Loupe, a model library for defect classification: from images to a released, tested model version.

    \b
    Begin with
      loupe demo                    everything once, on generated images
      loupe up --detach             or start the stack and go step by step:
      loupe sample /tmp/panels
      loupe data import /tmp/panels --dataset panels
      loupe train --help

    Every command takes --json (one JSON value on stdout) and --data-dir. Exit codes: 0 done, 1 refused or
    failed (reason on stderr), 2 wrong usage, 3 the servers cannot be reached.
    """


def explain(error: LoupeError) -> str:
    """The sentence of an error, and a line for each of its faults, with the field."""
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    if not violations:
        return pick(error.message, error.facts.get("message_zh", ""))
    lines: list[str] = []
    if len(violations) > 1 or not error.message.startswith(violations[0].field):
        lines.append(error.message)
    for violation in violations:
        text = pick(violation.message, violation.message_zh)
        mark = "warning: " if violation.severity == "warning" else ""
        lines.append(f"  {violation.field}: {mark}{text} [{violation.reason}]")
    return "\n".join(lines)


def _end(error: Exception) -> NoReturn:
    match error:
        case Unavailable() if error.reason in _NOT_AWAY:
            raise Refused(explain(error)) from error
        case Unavailable() | DeadlineExceeded():
            raise Unreachable(
                explain(error)
                + "\n"
                + translated("is the stack up? `loupe status` says, `loupe up --detach` starts it")
            ) from error
        case LoupeError():
            raise Refused(explain(error)) from error
        case NotConfigured():
            raise Unreachable(str(error)) from error
        case MissingExtra():
            raise Refused(pick(str(error), error.message_zh)) from error
        case BadName():
            raise click.UsageError(str(error)) from error
        case _:
            raise Refused(str(error)) from error


def main() -> None:
    """Run the command line; the entry point of the package."""
    for stream in (sys.stdout, sys.stderr):
        # Logs and sentences may hold what the terminal's encoding lacks, such as Chinese in Latin-1.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    loupe()


if __name__ == "__main__":
    main()
