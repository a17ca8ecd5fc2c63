"""`loupe data import`, `list` and `show`."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Output, Session, remote
from loupe.folders import FolderListing, read_folder
from loupe.importing import ImportProgress, ImportResult, Outcome
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from loupe.rendering import enum_word, facts, human_bytes, is_for_people, local_time, message_json, table
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_SHOWN = 10


@click.group(short_help="Import and look at datasets.")
def data() -> None:
    """Import and look at datasets: a dataset groups data paths, a data path lists samples."""


@data.command("import", short_help="Import a folder of images.")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dataset", required=True, metavar="NAME", help="Made if it does not exist.")
@click.option(
    "--path", default="main", show_default=True, metavar="NAME", help="Data path within the dataset."
)
@click.option("--description", default="", help="Of the dataset and the path, where they are new.")
@remote
async def import_(session: Session, directory: Path, dataset: str, path: str, description: str) -> None:
    """Import DIRECTORY, which holds <CODE>/<image>, with masks and groups.csv where there are some.

    May be interrupted and repeated: what is there already is skipped by its content. What cannot be taken is
    named with its reason, and the rest is imported.

    \b
    Examples:
      loupe data import /tmp/panels --dataset panels
      loupe data import line-3/ --dataset panels --path line-3 --description "line 3, March"
    """
    listing = read_folder(directory)
    if not listing.samples:
        why = "".join(f"\n  {item.file}: {item.message}" for item in listing.left_out[:_SHOWN])
        session.out.fail(f"{directory} holds no image in a folder of its code (<CODE>/<image>){why}")
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
    return {
        "dataPath": message_json(result.data_path),
        "added": result.count(Outcome.OUTCOME_ADDED),
        "unchanged": result.count(Outcome.OUTCOME_UNCHANGED),
        "replaced": result.count(Outcome.OUTCOME_REPLACED),
        "rejected": [
            {"file": item.file, "reason": item.reason, "message": item.message} for item in result.rejected
        ],
        "leftOut": [
            {"file": item.file, "reason": item.reason, "message": item.message} for item in listing.left_out
        ],
        "samePixelsUnderOtherCodes": [
            {"file": item.file, "others": list(item.same_pixels_under_other_codes)}
            for item in result.ambiguous
        ],
        "uploadedObjects": result.uploaded,
        "uploadedBytes": result.uploaded_bytes,
    }


def import_summary(listing: FolderListing, result: ImportResult) -> RenderableType:
    """An import's result for people."""
    counts = {
        "added": result.count(Outcome.OUTCOME_ADDED),
        "unchanged": result.count(Outcome.OUTCOME_UNCHANGED),
        "replaced": result.count(Outcome.OUTCOME_REPLACED),
        "rejected": len(result.rejected),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to do"
    groups = len({sample.group for sample in listing.samples if sample.group})
    pairs: dict[str, RenderableType] = {
        "imported": f"{told}; {human_bytes(result.uploaded_bytes)} uploaded",
        "path": f"{names.short(result.data_path.name)}: {result.data_path.sample_count} samples",
        "codes": _codes(result.data_path),
        "groups": f"{groups}, from column {listing.group_column!r} of groups.csv"
        if listing.group_column
        else "",
    }
    parts: list[RenderableType] = [facts(pairs)]
    if listing.ungrouped:
        parts.append(
            Text(f"{listing.ungrouped} samples are not in groups.csv; each is a group of its own", "yellow")
        )
    if listing.unmatched_group_rows:
        rows = ", ".join(listing.unmatched_group_rows[:3])
        parts.append(
            Text(f"groups.csv names {len(listing.unmatched_group_rows)} missing files: {rows} …", "yellow")
        )
    for title, items in (
        ("rejected", [(item.file, item.reason, item.message) for item in result.rejected]),
        ("left out", [(item.file, item.reason, item.message) for item in listing.left_out]),
    ):
        if items:
            by_reason = ", ".join(
                f"{count} {reason}" for reason, count in Counter(item[1] for item in items).items()
            )
            parts += ["", Text(f"{title}: {by_reason}", style="yellow")]
            parts.append(table("FILE", "REASON", "", rows=items[:_SHOWN]))
            if len(items) > _SHOWN:
                parts.append(Text(f"… and {len(items) - _SHOWN} more (--json lists all)", style="dim"))
    if result.ambiguous:
        parts += ["", Text("the same pixels under two codes", style="yellow")]
        shown = [
            (item.file, ", ".join(item.same_pixels_under_other_codes)) for item in result.ambiguous[:_SHOWN]
        ]
        parts.append(table("FILE", "ALSO AS", rows=shown))
    return Group(*parts)


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
            path.description,
        )
        for path in paths
    ]
    empty = [d for d in datasets if not d.path_count]
    rows += [(names.short(d.name), "no path", "0", "0", "", d.description) for d in empty]
    columns = ("PATH", "STATUS", "SAMPLES", "MASKS", "CODES", "DESCRIPTION")
    session.out.answer(
        {"datasets": [message_json(d) for d in datasets], "dataPaths": [message_json(p) for p in paths]},
        table(*columns, rows=rows, right=("SAMPLES", "MASKS"))
        if rows
        else "no dataset; `loupe data import` makes one",
    )


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
            "description": path.description,
            "changed": local_time(path.update_time),
        }
    )


def _codes(path: dataset_pb2.DataPath) -> str:
    return ", ".join(f"{count.code} {count.sample_count}" for count in path.code_counts)


__all__ = ["Output", "data", "import_json", "import_listing", "import_summary"]
