"""`loupe report` and `samples`."""

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.rendering import enum_word, message_json, percent, table
from loupe.rendering import report as report_page
from rich.text import Text

VERDICTS = ("correct", "misjudged", "nonconforming")
_VERDICT_STYLE = {"correct": "green", "misjudged": "red", "nonconforming": "yellow"}


@click.command(short_help="Show an evaluation report.")
@click.argument("of", metavar="TASK|REPORT|MODEL@VERSION")
@remote
async def report(session: Session, of: str) -> None:
    """Show a report: accuracy, per code with 95 % intervals, confusion matrix, definitions (E1, P3).

    A version's report is that of its latest question-bank prediction; before there is one, of its validation
    split.

    \b
    Examples:
      loupe report 0197
      loupe report panel-adc@v3.01 --json | jq .overall.accuracy.value
    """
    found = await session.client.find_report(of)
    session.out.answer(message_json(found), report_page(found))
    session.out.hint(f"next: loupe samples {found.name} --verdict misjudged")


@click.command(short_help="List the samples behind a report's numbers.")
@click.argument("of", metavar="REPORT|TASK|MODEL@VERSION")
@click.option("--code", default="", help="Samples that truly have this code.")
@click.option("--predicted", default="", help="Samples that were predicted as this code.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Default: all.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="How many.")
@remote
async def samples(  # noqa: PLR0913 -- P4's filters
    session: Session, of: str, *, code: str, predicted: str, verdict: str | None, limit: int
) -> None:
    """List the samples of a report (P4): misjudged ones most confident first, correct ones least.

    \b
    Example:
      loupe samples panel-adc@v3.01 --code TTMUD --verdict misjudged
    """
    found = await session.client.find_report(of)
    request = report_service_pb2.ListSampleResultsRequest(
        parent=found.name,
        page_size=min(limit, 500),
        true_code=code,
        predicted_code=predicted,
        verdict=report_pb2.Verdict.Value(f"VERDICT_{verdict.upper() if verdict else 'UNSPECIFIED'}"),
    )
    results = [
        item
        async for item in pages(session.client.reports.ListSampleResults, request, "results", limit=limit)
    ]
    rows = []
    for item in results:
        word = enum_word(report_pb2.Verdict, item.verdict).lower()
        rows.append(
            (
                item.file,
                names.short(item.data_path),
                Text(word, style=_VERDICT_STYLE.get(word, "")),
                item.predicted_code,
                percent(item.confidence) if item.predicted_code else "",
                ", ".join(f"{score.code} {score.score:.2f}" for score in item.top[1:3]),
                item.message,
            )
        )
    columns = ("FILE", "PATH", "VERDICT", "PREDICTED", "CONFIDENCE", "NEXT", "")
    session.out.answer(
        {"report": found.name, "results": [message_json(item) for item in results]},
        table(*columns, rows=rows, right=["CONFIDENCE"]) if rows else "no such sample",
    )
