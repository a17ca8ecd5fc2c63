"""`loupe data reports` and `report`: what became of the imports into a path (D7)."""

import csv
import io
from typing import Any

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.language import pick
from loupe.registry.v1 import dataset_service_pb2, import_report_pb2
from loupe.rendering import facts, local_time, message_json, table
from loupe.spreadsheet import escape_formulas
from loupe.text import human_bytes, visible
from rich.console import Group

_SHOWN = 50
_COLUMNS = ("kind", "file", "reason", "message", "message_zh", "sample_file")


@click.command(short_help="List the reports of imports into a path.")
@click.argument("name", metavar="DATASET/PATH")
@remote
async def reports(session: Session, name: str) -> None:
    """List the reports of the last imports into a data path, the newest first.

    \b
    Example:
      loupe data reports panels/line-3
    """
    request = dataset_service_pb2.ListImportReportsRequest(parent=names.data_path(name))
    found = [
        item async for item in pages(session.client.datasets.ListImportReports, request, "import_reports")
    ]
    rows = [
        (
            names.short(one.name),
            f"{local_time(one.create_time)} by {names.short(one.creator)}",
            one.folder,
            str(one.found_count),
            str(one.added_count + one.replaced_count),
            str(one.rejected_count),
            str(one.line_count),
        )
        for one in found
    ]
    columns = ("REPORT", "IMPORTED", "FOLDER", "FILES", "NEW", "REJECTED", "LINES")
    session.out.answer(
        {"importReports": [message_json(one) for one in found]},
        table(*columns, rows=rows, right=columns[3:]) if rows else "no import into it was reported",
    )


@click.command(short_help="Show the report of an import.")
@click.argument("name", metavar="DATASET/PATH/REPORT")
@click.option("--csv", "as_csv", is_flag=True, help="All lines as CSV.")
@remote
async def report(session: Session, name: str, *, as_csv: bool) -> None:
    """Show the report of one import: every file that was not taken, or taken with doubt, and why.

    \b
    Examples:
      loupe data report panels/line-3/5f2a91c07be4d613
      loupe data report panels/line-3/5f2a91c07be4d613 --csv > report.csv
    """
    resource = names.import_report(name)
    found = await session.client.datasets.GetImportReport(
        dataset_service_pb2.GetImportReportRequest(name=resource)
    )
    request = dataset_service_pb2.ListImportReportLinesRequest(parent=resource, page_size=1000)
    lines = [line async for line in pages(session.client.datasets.ListImportReportLines, request, "lines")]
    if as_csv:
        click.echo(lines_csv(lines).encode(), nl=False)
        return
    rows = [
        (kind_word(line), line.file, line.reason, pick(line.message, line.message_zh))
        for line in lines[:_SHOWN]
    ]
    more = [f"{len(lines)} lines in all; --csv and --json have every one"] if len(lines) > _SHOWN else []
    session.out.answer(
        {"importReport": message_json(found), "lines": [message_json(line) for line in lines]},
        Group(_facts(found), "", *([table("", "FILE", "REASON", "", rows=rows)] if rows else []), *more),
    )


def lines_csv(lines: list[import_report_pb2.ImportReportLine]) -> str:
    """A table with a header; cells that a spreadsheet would take for formulas begin with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        writer.writerow(escape_formulas([kind_word(line), *(getattr(line, name) for name in _COLUMNS[1:])]))
    return file.getvalue()


def kind_word(line: import_report_pb2.ImportReportLine) -> str:
    """Such as `left out` or `doubtful`."""
    word = import_report_pb2.ImportReportLine.Kind.Name(line.kind)
    return word.removeprefix("KIND_").replace("_", " ").lower()


def _facts(found: import_report_pb2.ImportReport) -> Any:  # noqa: ANN401 -- of rich
    taken = f"{found.added_count} added, {found.unchanged_count} unchanged, {found.replaced_count} replaced"
    kept = sum(one.count for one in found.line_counts)
    return facts(
        {
            "report": names.short(found.name),
            "imported": f"{local_time(found.create_time)} by {names.short(found.creator)}",
            "folder": visible(found.folder),
            "samples": f"{found.sample_count}: {taken}, {found.rejected_count} rejected",
            "files": f"{found.found_count} found, {found.used_count} used, "
            f"{found.found_count - found.used_count} left out",
            "masks": str(found.mask_count),
            "groups": f"{found.group_count}, from {found.group_column!r}" if found.group_column else "",
            "bytes": f"{human_bytes(found.size_bytes)}, {human_bytes(found.uploaded_bytes)} sent",
            "bits": f"{found.bits} of 16" if found.bits else "",
            "lines": f"{found.line_count}" + (f", {kept} kept" if kept < found.line_count else ""),
        }
    )
