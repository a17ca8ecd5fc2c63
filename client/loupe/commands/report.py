"""`loupe report`."""

from pathlib import Path

import click
from loupe.commands.session import Session, remote
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.language import in_chinese, translated
from loupe.rendering import message_json, threshold_curves
from loupe.rendering import report as report_page
from loupe.saving import save

_FORMATS = {
    ".json": report_service_pb2.REPORT_FORMAT_JSON,
    ".csv": report_service_pb2.REPORT_FORMAT_CSV,
    ".html": report_service_pb2.REPORT_FORMAT_HTML,
}


@click.command(short_help="Show an evaluation report.")
@click.argument("of", metavar="TASK|REPORT|MODEL@VERSION")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    type=click.FloatRange(0, 1),
    metavar="T",
    help="Show what this confidence threshold would leave to the model instead (E2). Repeatable.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report to FILE.json, FILE.csv (one line a sample) or FILE.html (one page with pictures).",
)
@remote
async def report(session: Session, of: str, *, thresholds: tuple[float, ...], output: Path | None) -> None:
    """Show a report: accuracy, per code with 95 % intervals, confusion matrix, definitions (E1, P3).

    A version's report is its official one: that of its latest question-bank prediction over data that it was
    not trained with. Without one it is that of its validation split, and that is said (P2, P7).

    \b
    Examples:
      loupe report 0197
      loupe report panel-adc@v3.01 --json | jq .overall.accuracy.value
      loupe report panel-adc@v3.01 --threshold 0.8 --threshold 0.95
      loupe report panel-adc@v3.01 --output report.html
    """
    if output is not None and output.suffix not in _FORMATS:
        raise click.UsageError(f"--output {output}: a report can be had as {', '.join(_FORMATS)}")
    found = await session.client.find_report(of)
    if output is not None:
        await _export(session, found.name, output)
        return
    if thresholds:
        request = report_service_pb2.GetThresholdCurvesRequest(name=found.name, thresholds=thresholds)
        curves = await session.client.reports.GetThresholdCurves(request)
        session.out.answer(message_json(curves), threshold_curves(curves))
        return
    if "@" in of and found.kind == report_pb2.REPORT_KIND_VALIDATION:
        session.out.say(
            translated(
                "{of} has no official report: no prediction over data that it was not trained "
                "with has ended; this is the report of its validation split",
                of=of,
            )
        )
    session.out.answer(message_json(found), report_page(found))
    session.out.hint(f"next: loupe samples {found.name} --verdict misjudged")


async def _export(session: Session, name: str, output: Path) -> None:
    request = report_service_pb2.ExportReportRequest(
        name=name, format=_FORMATS[output.suffix], language="zh" if in_chinese() else "en"
    )
    size = await save(output, session.client.reports.ExportReport(request))
    session.out.answer({"report": name, "file": str(output), "sizeBytes": size}, f"{output}: {size} bytes")
