"""`loupe sample`."""

from pathlib import Path

import click
from loupe.commands.session import Output, local
from loupe.failures import Refused
from loupe.sample import ORDINARY_CODES, write_sample


@click.command(short_help="Generate a small set of panel images.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--per-code",
    default=60,
    show_default=True,
    type=click.IntRange(2, 100_000),
    help="Images of each ordinary code.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="The same seed gives the same bytes."
)
@local
def sample(out: Output, _data_dir: Path | None, directory: Path, per_code: int, seed: int) -> None:
    """Generate a set of display-panel images with defects in DIRECTORY, which must be empty or absent.

    Five ordinary codes (TPFIP particle, TTFBS line break, TTMUD stain, TGGS0 short, TPOTS spot) and two rare
    special ones (TSFAS scratch, TSDFS discharge), each with masks; groups.csv says which photos show the same
    panel.

    \b
    Example:
      loupe sample /tmp/panels && loupe data import /tmp/panels --dataset panels
    """
    try:
        made = write_sample(directory, per_code=per_code, seed=seed)
    except OSError as error:
        raise Refused(str(error)) from error
    counts = ", ".join(
        f"{code} {count}{'' if code in ORDINARY_CODES else ' (special)'}"
        for code, count in made.images_per_code.items()
    )
    out.answer(
        {
            "directory": str(directory),
            "images": made.images,
            "imagesPerCode": made.images_per_code,
            "panels": made.panels,
            "masks": made.masks,
            "nonconforming": made.nonconforming,
        },
        f"{made.images} images of {made.panels} panels in {directory}, {made.masks} masks\n{counts}",
    )
    out.hint(f"next: loupe data import {directory} --dataset panels")
