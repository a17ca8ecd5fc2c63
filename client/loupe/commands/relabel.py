"""`loupe relabel`."""

from pathlib import Path

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.evaluator.v1 import relabel_pb2, relabel_service_pb2
from loupe.rendering import enum_word, message_json, table
from loupe.saving import save

_FORMATS = {
    ".csv": relabel_service_pb2.RELABEL_FORMAT_CSV,
    ".jsonl": relabel_service_pb2.RELABEL_FORMAT_JSON_LINES,
}


@click.group(short_help="Mark wrong labels, and apply the marks to the data.")
def relabel() -> None:
    """Mark samples whose label is wrong (P6), export the marks, and apply them to their data path."""


@relabel.command(short_help="Mark a sample's label as wrong.")
@click.argument("of", metavar="REPORT|TASK|MODEL@VERSION")
@click.argument("number", type=click.IntRange(0))
@click.option("--code", required=True, help="The right code.")
@click.option("--note", default="", help="Why.")
@remote
async def mark(session: Session, of: str, *, number: int, code: str, note: str) -> None:
    """Say which code is right for a sample whose label is wrong. NUMBER is its NO in `loupe samples`.

    \b
    Example:
      loupe relabel mark panel-adc@v3.01 17 --code TTMUD
    """
    report = await session.client.find_report(of)
    made = await session.client.marks.CreateRelabelMark(
        relabel_service_pb2.CreateRelabelMarkRequest(
            sample_result=f"{report.name}/sampleResults/{number}", right_code=code, note=note
        )
    )
    session.out.answer(
        message_json(made), f"{made.file}: {made.wrong_code} → {made.right_code} ({names.short(made.name)})"
    )
    session.out.hint(f"next: loupe relabel apply {names.short(made.data_path)}")


@relabel.command("list", short_help="List marks.")
@click.option("--path", "data_path", default="", metavar="DATASET/PATH", help="Of this data path only.")
@click.option("--open", "only_open", is_flag=True, help="Only marks that are not applied yet.")
@limit_option()
@remote
async def list_marks(session: Session, *, data_path: str, only_open: bool, limit: int) -> None:
    """List marks, newest first."""
    request = relabel_service_pb2.ListRelabelMarksRequest(
        page_size=min(limit, 500),
        data_path=names.data_path(data_path) if data_path else "",
        state=relabel_pb2.RELABEL_STATE_OPEN if only_open else relabel_pb2.RELABEL_STATE_UNSPECIFIED,
    )
    marks = [
        item async for item in pages(session.client.marks.ListRelabelMarks, request, "marks", limit=limit)
    ]
    _show(session, marks, {"marks": [message_json(item) for item in marks]})


@relabel.command(short_help="Take a mark back.")
@click.argument("name", metavar="MARK")
@remote
async def unmark(session: Session, *, name: str) -> None:
    """Take back a mark that is not applied yet."""
    name = names.resource("relabelMarks", name)
    await session.client.marks.DeleteRelabelMark(relabel_service_pb2.DeleteRelabelMarkRequest(name=name))
    session.out.answer({"name": name}, f"{name} is taken back")


@relabel.command(short_help="Save marks as a relabel list.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv|FILE.jsonl")
@click.option("--path", "data_path", default="", metavar="DATASET/PATH", help="Of this data path only.")
@remote
async def export(session: Session, *, file: Path, data_path: str) -> None:
    """Save marks as a list for labelling tools: CSV, or JSON with one object a line."""
    kind = _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise click.UsageError(f"{file.name} must end in {' or '.join(_FORMATS)}")
    request = relabel_service_pb2.ExportRelabelMarksRequest(
        data_path=names.data_path(data_path) if data_path else "", format=kind
    )
    size = await save(file, session.client.marks.ExportRelabelMarks(request))
    session.out.answer({"file": str(file), "sizeBytes": size}, f"{file}: {size} bytes")


@relabel.command(short_help="Move the marked samples to their right codes.")
@click.argument("data_path", metavar="DATASET/PATH")
@remote
async def apply(session: Session, *, data_path: str) -> None:
    """Move the marked samples of a data path to their right codes, as a new revision of the path.

    What earlier tasks were trained and tested on stays as it was.
    """
    answer = await session.client.marks.ApplyRelabelMarks(
        relabel_service_pb2.ApplyRelabelMarksRequest(data_path=names.data_path(data_path)), timeout=120
    )
    _show(session, list(answer.marks), message_json(answer))
    session.out.say(f"{names.data_path(data_path)} is at revision {answer.revision}")


def _show(session: Session, marks: list[relabel_pb2.RelabelMark], as_json: dict[str, object]) -> None:
    rows = [
        (
            names.short(item.name),
            names.short(item.data_path),
            item.new_file or item.file,
            item.wrong_code,
            item.right_code,
            enum_word(relabel_pb2.RelabelState, item.state).lower(),
            item.message or item.note,
        )
        for item in marks
    ]
    columns = ("MARK", "PATH", "FILE", "WRONG", "RIGHT", "STATE", "")
    session.out.answer(as_json, table(*columns, rows=rows) if rows else "no mark")
