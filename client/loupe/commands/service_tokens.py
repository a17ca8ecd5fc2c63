"""`loupe service-tokens`: the tokens of the installation's own processes (A1)."""

from pathlib import Path

import click
from loupe.commands.session import Output, local
from loupe.commands.stack import refuse_on_stack_error
from loupe.profile import default_data_dir

from deploy.embedded import service_tokens as tokens
from deploy.embedded.data_folder import DataFolder

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="What LOUPE_SERVICE_TOKENS_DIR names; without it, that of the embedded stack.",
)


@click.group("service-tokens", short_help="Create, rotate and retire the tokens of services and workers.")
def service_tokens() -> None:
    """Create, rotate and retire the tokens with which services and workers call each other.

    The embedded stack creates its own. An installation of several machines creates them in a folder, and
    gives each machine the files that its processes read.
    """


@service_tokens.command("create", short_help="Make a folder with the tokens that it lacks.")
@folder_option
@local
@refuse_on_stack_error()
def create(out: Output, data_dir: Path | None, *, folder: Path | None) -> None:
    """Make a folder with a token for each process, and the file `accepted` for the servers.

    \b
    Example:
      loupe service-tokens create --folder ./tokens
    """
    place = _place(data_dir, folder)
    made = tokens.create(place)
    text = f"made tokens of {', '.join(made)} in {place}" if made else f"{place} has all tokens"
    out.answer({"folder": str(place), "created": list(made)}, text)


@service_tokens.command("rotate", short_help="Give every process a new token, without a stop.")
@folder_option
@local
@refuse_on_stack_error()
def rotate(out: Output, data_dir: Path | None, *, folder: Path | None) -> None:
    """Give every process a new token, for its next call. The former ones stay good until `retire`.

    \b
    Example:
      loupe service-tokens rotate
    """
    place = _place(data_dir, folder)
    tokens.rotate(place)
    out.answer({"folder": str(place)}, f"rotated the tokens in {place}; the former ones are still accepted")
    out.hint("next, when every process has its new token: loupe service-tokens retire")


@service_tokens.command("retire", short_help="End the tokens that were rotated.")
@folder_option
@click.option("--now", is_flag=True, help="Without waiting for calls that may be under way.")
@local
@refuse_on_stack_error()
def retire(out: Output, data_dir: Path | None, *, folder: Path | None, now: bool) -> None:
    """End the former tokens after a rotation, two minutes after it or later.

    \b
    Example:
      loupe service-tokens retire
    """
    place = _place(data_dir, folder)
    ended = tokens.retire(place, at_once=now)
    text = f"ended the former tokens of {', '.join(ended)}" if ended else f"{place} has no former tokens"
    out.answer({"folder": str(place), "retired": list(ended)}, text)


def _place(data_dir: Path | None, folder: Path | None) -> Path:
    return folder or DataFolder(data_dir or default_data_dir()).service_tokens
