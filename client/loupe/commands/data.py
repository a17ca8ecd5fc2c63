"""`loupe data import`, `list`, `show` and `owner`."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import click
from loupe import names
from loupe.camera_bits import CAMERA_BITS
from loupe.client import pages
from loupe.commands import data_bin, import_reports
from loupe.commands.session import Output, Session, remote
from loupe.folders import FolderListing, ImportOptions
from loupe.import_report import Line, used_count
from loupe.importing import ImportOutcome, ImportProgress, ImportResult
from loupe.language import pick
from loupe.reading import FORMATS, read_data
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from loupe.rendering import enum_word, facts, is_for_people, local_time, message_json, table
from loupe.text import human_bytes, visible
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_SHOWN = 10


@click.group(short_help="Import, look at, share, delete and restore data.")
def data() -> None:
    """Import, look at, share, delete and restore data: a dataset groups data paths, these list samples."""


def _mapping(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`old=NEW` as a mapping; a label may hold a `=`, a code cannot."""
    mapping: dict[str, str] = {}
    for value in values:
        label, equals, code = value.rpartition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} has no =; write LABEL=CODE")
        if mapping.setdefault(label, code) != code:
            raise click.BadParameter(f"{label!r} is mapped to {mapping[label]!r} and to {code!r}; choose one")
    return mapping


def _codes_option(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(code.strip() for code in value.split(",")) if value.strip() else ()


def _expression(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from error


@data.command("import", short_help="Import a folder of images.")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dataset", required=True, metavar="NAME", help="Made if it does not exist.")
@click.option(
    "--path", default="main", show_default=True, metavar="NAME", help="Data path within the dataset."
)
@click.option("--description", default="", help="Of the dataset and the path, where they are new.")
@click.option(
    "--format",
    "kind",
    default="auto",
    show_default=True,
    type=click.Choice(("auto", *FORMATS)),
    help="What lies in DIRECTORY.",
)
@click.option(
    "--map",
    "code_of_label",
    multiple=True,
    metavar="LABEL=CODE",
    callback=_mapping,
    help="The code that a label or folder stands for; nothing behind the = leaves it out. Repeatable.",
)
@click.option(
    "--background-code",
    default="",
    metavar="CODE",
    help="The code of pictures on which nothing is annotated; without it they are set aside.",
)
@click.option(
    "--mask-codes",
    default="",
    metavar="A,B,…",
    callback=_codes_option,
    help="Masks hold indices: 1 is the first of these codes. Kept with the path.",
)
@click.option(
    "--group-by",
    metavar="REGEX",
    callback=_expression,
    help="The group is what this finds in a file's name (its first parentheses); instead of groups.csv.",
)
@click.option(
    "--bits",
    type=click.Choice([str(bits) for bits in CAMERA_BITS]),
    default=None,
    callback=lambda _context, _parameter, value: int(value or 0),
    help="Of the grey values in files of 16 bits, if the camera has fewer. Kept with the path.",
)
@click.option(
    "--line-width",
    "line_width_px",
    default=10.0,
    show_default=True,
    type=click.FloatRange(1, 1000),
    help="Pixels, of lines and points that LabelMe drew.",
)
@remote
async def import_(  # noqa: PLR0913, PLR0917 -- the command's options
    session: Session,
    /,
    directory: Path,
    dataset: str,
    path: str,
    description: str,
    kind: str,
    **options: Any,  # noqa: ANN401 -- the fields of ImportOptions
) -> None:
    """Import DIRECTORY: <CODE>/<image> with masks beside, or LabelMe, COCO or Pascal VOC annotations.

    May be interrupted and repeated: what is there already is skipped by its content. What cannot be taken is
    named with its reason, and the rest is imported. groups.csv says which images show the same part.

    Annotated regions become the sample's mask; boxes are filled. An image with regions of several codes gets
    the code of the largest area, and the others are named; --mask-codes keeps them in an indexed mask.

    \b
    Examples:
      loupe data import /tmp/panels --dataset panels
      loupe data import line-3/ --dataset panels --path line-3 --description "line 3, March"
      loupe data import labelme/ --dataset panels --map "thin line=TTFBS" --background-code OK
      loupe data import coco/ --dataset panels --mask-codes TPFIP,TTFBS --group-by "^(panel[0-9]+)_"
      loupe data import VOC2012/ --dataset shapes --format voc
    """
    session.out.hint(f"reading {directory} …")
    listing = await asyncio.to_thread(read_data, directory, ImportOptions(**options), kind=kind)
    if not listing.samples:
        why = "".join(f"\n  {item.file}: {item.message}" for item in listing.left_out[:_SHOWN])
        wanted = (
            "in a folder of its code (<CODE>/<image>)" if listing.format == "folders" else "that can be taken"
        )
        session.out.fail(f"{directory} holds no image {wanted}{why}")
    result = await import_listing(session, listing, dataset=dataset, path=path, description=description)
    session.out.answer(import_json(listing, result), import_summary(listing, result))
    if len(result.rejected) == len(listing.samples):
        session.out.fail("not one image was taken")
    session.out.hint(f"next: loupe images; loupe train --dataset {dataset} … (see loupe train --help)")


async def import_listing(
    session: Session, listing: FolderListing, *, dataset: str, path: str, description: str
) -> ImportResult:
    """Import with a progress bar where a person looks."""
    console = session.out.stderr
    with Progress(
        TextColumn("importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sent]}"),
        console=console,
        disable=not is_for_people(console),
        transient=True,
    ) as bar:
        task = bar.add_task("import", total=len(listing.samples), sent="")

        def show(progress: ImportProgress) -> None:
            sent = f"{human_bytes(progress.uploaded_bytes)} sent"
            bar.update(task, completed=progress.done, sent=sent)

        return await session.client.import_folder(
            listing, dataset=dataset, path=path, description=description, on_progress=show
        )


def import_json(listing: FolderListing, result: ImportResult) -> dict[str, Any]:
    """An import's result for scripts."""
    not_taken = [line for line in result.lines if line.kind in _NOT_TAKEN]
    return {
        "dataPath": message_json(result.data_path),
        "report": result.report,
        "format": listing.format,
        "found": listing.found,
        "used": used_count(listing, result),
        "added": result.count(ImportOutcome.OUTCOME_ADDED),
        "unchanged": result.count(ImportOutcome.OUTCOME_UNCHANGED),
        "replaced": result.count(ImportOutcome.OUTCOME_REPLACED),
        "doubtful": [_line_json(item) for item in result.doubtful],
        **{
            key: [_line_json(line) for line in result.lines if line.kind == kind]
            for kind, (key, _) in _NOT_TAKEN.items()
        },
        "notTakenByReason": _by_reason(not_taken),
        "remarks": [_line_json(one) for one in listing.remarks],
        "identicalFiles": [list(files) for files in result.identical],
        "samePixelsUnderOtherCodes": [
            {"file": item.file, "others": list(item.same_pixels_under_other_codes)}
            for item in result.ambiguous
        ],
        "samePixelsInOtherPaths": [
            {"file": item.file, "others": list(item.same_pixels_in_other_paths)}
            for item in result.outcomes
            if item.same_pixels_in_other_paths
        ],
        "samePixelsUnderSameCode": [
            {"file": file, "others": list(others)} for file, others in result.in_other_bytes.items()
        ],
        "uploadedObjects": result.uploaded,
        "uploadedBytes": result.uploaded_bytes,
    }


def _line_json(item: Any) -> dict[str, str]:  # noqa: ANN401 -- a line, an outcome or a remark
    return {
        "file": item.file,
        "reason": item.reason,
        "message": item.message,
        "messageZh": item.message_zh,
    }


def import_summary(listing: FolderListing, result: ImportResult) -> RenderableType:
    """An import's result for people."""
    counts = {
        "added": result.count(ImportOutcome.OUTCOME_ADDED),
        "unchanged": result.count(ImportOutcome.OUTCOME_UNCHANGED),
        "replaced": result.count(ImportOutcome.OUTCOME_REPLACED),
        "rejected": len(result.rejected),
    }
    text = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to do"
    groups = len({sample.group for sample in listing.samples if sample.group})
    used = used_count(listing, result)
    origin = "as --bits says" if listing.bits else "as the path says"
    pairs: dict[str, RenderableType] = {
        "imported": f"{text}; {human_bytes(result.uploaded_bytes)} uploaded",
        "files": f"{listing.found} found, {used} used, {listing.found - used} left out",
        "path": f"{names.short(result.data_path.name)}: {result.data_path.sample_count} samples",
        "codes": _codes(result.data_path),
        "groups": f"{groups}, from {listing.group_column!r}" if listing.group_column else "",
        "format": listing.format if listing.format != "folders" else "",
        "bits": f"{result.bits} of 16, {origin}" if result.bits else "",
        "masks": f"indices of {', '.join(listing.mask_codes)}" if listing.mask_codes else "",
        "report": names.short(result.report) if result.report else "",
    }
    parts: list[RenderableType] = [facts(pairs)]
    if result.report_fault:
        parts.append(Text(visible(f"the report is not kept: {result.report_fault}"), "yellow"))
    if listing.ungrouped:
        parts.append(Text(f"{listing.ungrouped} samples are in no group; each is one of its own", "yellow"))
    if listing.unmatched_group_rows:
        rows = ", ".join(listing.unmatched_group_rows[:3])
        parts.append(
            Text(
                f"groups.csv names {len(listing.unmatched_group_rows)} missing files: {visible(rows)} …",
                "yellow",
            )
        )
    for kind, title in _TITLES.items():
        parts += _told(title, [line for line in result.lines if line.kind == kind])
    return Group(*parts)


_NOT_TAKEN = {
    Line.KIND_REJECTED: ("rejected", "rejected"),
    # A line for each file that is found and not used.
    Line.KIND_LEFT_OUT: ("leftOut", "files left out"),
    Line.KIND_PART_LEFT_OUT: ("partsLeftOut", "left out of annotations"),
}
"""By kind: the key for scripts, and the title."""
_TITLES = {
    **{kind: title for kind, (_, title) in _NOT_TAKEN.items()},
    Line.KIND_DOUBTFUL: "taken; look whether it is right",
    Line.KIND_DUPLICATE: "taken; the same picture lies elsewhere",
}


def _told(title: str, lines: list[Line]) -> list[RenderableType]:
    """A title with counts by reason, and some of the lines."""
    if not lines:
        return []
    by_reason = ", ".join(f"{count} {reason}" for reason, count in _by_reason(lines).items())
    shown = _some_of_each(lines)
    rows = [(line.file, line.reason, pick(line.message, line.message_zh)) for line in shown]
    parts: list[RenderableType] = [
        "",
        Text(f"{title}: {by_reason}", style="yellow"),
        table("FILE", "REASON", "", rows=rows),
    ]
    if len(lines) > len(shown):
        parts.append(Text(f"{len(lines)} in all; --json lists every one", style="dim"))
    return parts


def _by_reason(lines: list[Line]) -> dict[str, int]:
    return dict(Counter(line.reason for line in lines).most_common())


def _some_of_each(lines: list[Line]) -> list[Line]:
    """At most `_SHOWN`, by reason: one frequent reason must not hide the others."""
    reasons = _by_reason(lines)
    each = max(_SHOWN // len(reasons), 1)
    return [line for reason in reasons for line in [one for one in lines if one.reason == reason][:each]]


@data.command("list", short_help="List datasets and their paths.")
@remote
async def list_(session: Session) -> None:
    """List all datasets with their data paths."""
    request = dataset_service_pb2.ListDatasetsRequest(page_size=500)
    datasets = [item async for item in pages(session.client.datasets.ListDatasets, request, "datasets")]
    paths = await session.client.list_data_paths()
    rows = [
        (
            names.short(path.name),
            enum_word(dataset_pb2.DataPathStatus, path.status).lower(),
            str(path.sample_count),
            str(path.mask_count),
            _codes(path),
            names.short(path.owner),
            _banks(path),
            path.description,
        )
        for path in paths
    ]
    empty = [d for d in datasets if not d.path_count]
    rows += [(names.short(d.name), "no path", "0", "0", "", "", "", d.description) for d in empty]
    columns = ("PATH", "STATUS", "SAMPLES", "MASKS", "CODES", "OWNER", "QUESTION BANK", "DESCRIPTION")
    session.out.answer(
        {"datasets": [message_json(d) for d in datasets], "dataPaths": [message_json(p) for p in paths]},
        table(*columns, rows=rows, right=("SAMPLES", "MASKS"))
        if rows
        else "no dataset; `loupe data import` makes one",
    )


@data.command(short_help="Hand a data path over, or share it.")
@click.argument("name", metavar="DATASET/PATH")
@click.argument("user", required=False)
@click.option("--shared", is_flag=True, help="Without an owner: every engineer may change it.")
@remote
async def owner(session: Session, name: str, user: str | None, *, shared: bool) -> None:
    """Say who may change a data path beside administrators: USER, or every engineer (A4).

    Only its owner and administrators import into a path, correct its labels, delete it and give it away.

    \b
    Examples:
      loupe data owner panels/line-3 alice
      loupe data owner panels/line-3 --shared
    """
    if shared == (user is not None):
        raise click.UsageError("name the new owner, or write --shared")
    path = await session.client.datasets.SetDataPathOwner(
        dataset_service_pb2.SetDataPathOwnerRequest(
            name=names.data_path(name), owner="" if user is None else names.resource("users", user)
        )
    )
    session.out.answer(message_json(path), _path_facts(path))


@data.command("show", short_help="Show one dataset or path.")
@click.argument("name", metavar="DATASET[/PATH]")
@click.option("--code", default="", help="Only samples of this code.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(0, 100_000), help="Samples to list."
)
@remote
async def show(session: Session, name: str, code: str, limit: int) -> None:
    """Show a dataset's paths, or a path's counts and samples.

    \b
    Examples:
      loupe data show panels
      loupe data show panels/main --code TPFIP
    """
    if "/" not in name.removeprefix("datasets/"):
        await _show_dataset(session, name)
        return
    path_name = names.data_path(name)
    path = await session.client.datasets.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=path_name))
    request = dataset_service_pb2.ListSamplesRequest(
        parent=path_name, page_size=min(max(limit, 1), 500), code=code
    )
    samples = [
        item async for item in pages(session.client.datasets.ListSamples, request, "samples", limit=limit)
    ]
    rows = [
        (s.file, f"{s.width}×{s.height}", s.format, "mask" if s.mask_sha256 else "", s.group, s.sha256[:12])
        for s in samples
    ]
    session.out.answer(
        {"dataPath": message_json(path), "samples": [message_json(sample) for sample in samples]},
        Group(
            _path_facts(path), "", table("FILE", "PIXELS", "FORMAT", "MASK", "GROUP", "SHA-256", rows=rows)
        ),
    )


async def _show_dataset(session: Session, name: str) -> None:
    dataset = await session.client.datasets.GetDataset(
        dataset_service_pb2.GetDatasetRequest(name=names.resource("datasets", name))
    )
    paths = await session.client.list_data_paths(dataset.name)
    head = facts(
        {
            "dataset": names.short(dataset.name),
            "description": dataset.description,
            "created": f"{local_time(dataset.create_time)} by {names.short(dataset.creator)}",
        }
    )
    session.out.answer(
        {"dataset": message_json(dataset), "dataPaths": [message_json(path) for path in paths]},
        Group(head, *(part for path in paths for part in ("", _path_facts(path)))),
    )


def _path_facts(path: dataset_pb2.DataPath) -> RenderableType:
    return facts(
        {
            "path": names.short(path.name),
            "status": enum_word(dataset_pb2.DataPathStatus, path.status).lower(),
            "samples": f"{path.sample_count}, {path.mask_count} with masks",
            "codes": _codes(path),
            "bits": f"{path.bits} of 16" if path.bits else "",
            "owner": names.short(path.owner) or "none: every engineer may change it",
            "question bank": f"{_banks(path)}: not trained with" if path.question_banks else "",
            "description": path.description,
            "changed": local_time(path.update_time),
        }
    )


def _codes(path: dataset_pb2.DataPath) -> str:
    return ", ".join(f"{count.code} {count.sample_count}" for count in path.code_counts)


def _banks(path: dataset_pb2.DataPath) -> str:
    return ", ".join(names.short(bank) for bank in path.question_banks)


data.add_command(import_reports.reports)
data.add_command(import_reports.report)
data.add_command(data_bin.delete)
data.add_command(data_bin.bin_)
data.add_command(data_bin.restore)
data.add_command(data_bin.purge)

__all__ = ["Output", "data", "import_json", "import_listing", "import_summary"]
