"""`loupe samples` and `suspects`."""

from pathlib import Path
from typing import Any

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.evaluator.v1 import (
    report_pb2,
    report_service_pb2,
    sample_result_service_pb2,
)
from loupe.language import pick
from loupe.rendering import enum_word, message_json, percent, table
from loupe.saving import save
from loupe.text import human_bytes
from rich.text import Text

VERDICTS = ("correct", "misjudged", "nonconforming")
_VERDICT_STYLE = {"correct": "green", "misjudged": "red", "nonconforming": "yellow"}


@click.command(short_help="List or download the samples behind a report's numbers.")
@click.argument("of", metavar="REPORT|TASK|MODEL@VERSION")
@click.option("--code", default="", help="Samples that truly have this code.")
@click.option("--predicted", default="", help="Samples that were predicted as this code.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Default: all.")
@click.option("--misjudged", is_flag=True, help="As --verdict misjudged.")
@click.option("--below-threshold", is_flag=True, help="Samples that would go to a human.")
@click.option(
    "--order",
    type=click.Choice(("confidence", "confidence desc", "file")),
    help="Default: what most deserves a look first.",
)
@limit_option()
@click.option(
    "--download",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.zip",
    help="Save the pictures of all of them instead.",
)
@remote
async def samples(  # noqa: PLR0913 -- P4's filters
    session: Session,
    of: str,
    *,
    code: str,
    predicted: str,
    verdict: str | None,
    misjudged: bool,
    below_threshold: bool,
    order: str | None,
    limit: int,
    download: Path | None,
) -> None:
    """List the samples of a report (P4): misjudged ones most confident first, correct ones least.

    \b
    Examples:
      loupe samples panel-adc@v3.01 --code TTMUD --misjudged
      loupe samples panel-adc@v3.01 --misjudged --download misjudged.zip
    """
    if misjudged and verdict not in {None, "misjudged"}:
        raise click.UsageError(f"--misjudged contradicts --verdict {verdict}")
    verdict = "misjudged" if misjudged else verdict
    found = await session.client.find_report(of)
    kept: dict[str, Any] = {
        "parent": found.name,
        "true_code": code,
        "predicted_code": predicted,
        "verdict": report_pb2.Verdict.Value(f"VERDICT_{verdict.upper() if verdict else 'UNSPECIFIED'}"),
        "below_threshold": below_threshold,
    }
    if download is not None:
        await _download(session, found.name, kept, download)
        return
    request = report_service_pb2.ListSampleResultsRequest(
        page_size=min(limit, 500), order_by=order or "", **kept
    )
    results = [
        item
        async for item in pages(session.client.reports.ListSampleResults, request, "results", limit=limit)
    ]
    rows = [_row(item) for item in results]
    columns = ("NO", "FILE", "PATH", "VERDICT", "PREDICTED", "CONFIDENCE", "NEXT", "")
    session.out.answer(
        {"report": found.name, "results": [message_json(item) for item in results]},
        table(*columns, rows=rows, right=["NO", "CONFIDENCE"]) if rows else "no such sample",
    )


def _row(sample: report_pb2.SampleResult) -> tuple[str | Text, ...]:
    word = enum_word(report_pb2.Verdict, sample.verdict).lower()
    return (
        _number(sample),
        sample.file,
        names.short(sample.data_path),
        Text(word, style=_VERDICT_STYLE.get(word, "")),
        sample.predicted_code,
        percent(sample.confidence) if sample.predicted_code else "",
        ", ".join(f"{score.code} {score.score:.2f}" for score in sample.top[1:3]),
        sample.message,
    )


def _number(sample: report_pb2.SampleResult) -> str:
    """By which `loupe relabel mark` knows it."""
    return sample.name.rpartition("/")[2]


async def _download(session: Session, report: str, kept: dict[str, Any], file: Path) -> None:
    request = sample_result_service_pb2.DownloadSampleResultsRequest(**kept)
    size = await save(file, session.client.samples.DownloadSampleResults(request))
    session.out.answer(
        {"report": report, "file": str(file), "sizeBytes": size},
        f"{file}: {human_bytes(size)}, index.csv within",
    )


@click.command(short_help="List samples whose label may be wrong.")
@click.argument("of", metavar="REPORT|TASK|MODEL@VERSION")
@click.option("--code", default="", help="Samples that are labelled with this code.")
@limit_option()
@remote
async def suspects(session: Session, of: str, *, code: str, limit: int) -> None:
    """List samples whose label may be wrong (P4): confidently predicted as another code, or almost the same
    picture as a sample under another code.

    \b
    Example:
      loupe suspects panel-adc@v3.01
    """  # noqa: D205 -- click shows it as one paragraph
    found = await session.client.find_report(of)
    request = sample_result_service_pb2.ListSuspectedLabelsRequest(
        parent=found.name, page_size=min(limit, 500), true_code=code
    )
    labels = [
        item
        async for item in pages(session.client.samples.ListSuspectedLabels, request, "labels", limit=limit)
    ]
    rows = [
        (
            _number(item.sample),
            item.sample.file,
            item.suggested_code,
            f"{item.score:.3f}",
            pick(item.message, item.message_zh),
        )
        for item in labels
    ]
    session.out.answer(
        {"report": found.name, "labels": [message_json(item) for item in labels]},
        table("NO", "FILE", "PERHAPS", "SCORE", "WHY", rows=rows, right=["NO", "SCORE"])
        if rows
        else "no label is suspect",
    )
    if rows:
        session.out.hint(f"next: loupe relabel mark {found.name} NO --code CODE")
