"""`loupe compare`."""

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.evaluator.v1 import comparison_pb2, comparison_service_pb2, report_pb2, report_service_pb2
from loupe.rendering import comparison, enum_word, local_time, message_json, percent, table
from rich.text import Text

_CHANGES = ("regressed", "fixed", "unchanged-wrong", "unchanged-right")
_STYLE = {"regressed": "red", "fixed": "green"}


@click.command(short_help="Compare two reports sample by sample.")
@click.argument("base", metavar="BASE")
@click.argument("candidate", metavar="[CANDIDATE]", required=False)
@click.option("--changed", type=click.Choice(_CHANGES), help="List the samples of which this became instead.")
@click.option("--code", default="", help="With --changed: only samples that truly have this code.")
@limit_option()
@remote
async def compare(  # noqa: PLR0913 -- P2's filters
    session: Session, base: str, candidate: str | None, *, changed: str | None, code: str, limit: int
) -> None:
    """Compare two versions or runs on the same bank: fixed, regressed, unchanged, per code (P2).

    BASE and CANDIDATE, released or not, are each a TASK, a REPORT or MODEL@VERSION, which means its official
    report. Without CANDIDATE: list what BASE can be compared with. Samples are the same where data
    path, file and content are. McNemar's test says whether the difference is more than chance.

    \b
    Examples:
      loupe compare panel-adc@v3.01
      loupe compare panel-adc@v3.01 panel-adc@v3.02
      loupe compare panel-adc@v3.01 panel-adc@v3.02 --changed regressed --code TTMUD
    """
    if candidate is None:
        await _offer(session, base, limit)
        return
    compared = await session.client.compare(base, candidate)
    if changed is None:
        session.out.answer(message_json(compared), comparison(compared))
        session.out.hint(f"next: loupe compare {base} {candidate} --changed regressed")
        return
    request = comparison_service_pb2.ListComparedSamplesRequest(
        base=compared.base,
        candidate=compared.candidate,
        page_size=min(limit, 500),
        true_code=code,
        change=comparison_pb2.Change.Value(f"CHANGE_{changed.upper().replace('-', '_')}"),
    )
    listing = session.client.comparisons.ListComparedSamples
    found = [item async for item in pages(listing, request, "samples", limit=limit)]
    rows = [
        (
            item.candidate.file,
            Text(
                enum_word(comparison_pb2.Change, item.change).lower().replace("_", " "),
                style=_STYLE.get(changed, ""),
            ),
            f"{item.base.predicted_code} {percent(item.base.confidence)}",
            f"{item.candidate.predicted_code} {percent(item.candidate.confidence)}",
        )
        for item in found
    ]
    session.out.answer(
        {
            "base": compared.base,
            "candidate": compared.candidate,
            "samples": [message_json(item) for item in found],
        },
        table("FILE", "CHANGE", "BASE SAYS", "CANDIDATE SAYS", rows=rows) if rows else "no such sample",
    )


async def _offer(session: Session, base: str, limit: int) -> None:
    """List the reports over the same data."""
    found = await session.client.find_report(base)
    request = report_service_pb2.ListReportsRequest(comparable_with=found.name, page_size=min(limit, 500))
    listing = session.client.reports.ListReports
    others = [item async for item in pages(listing, request, "reports", limit=limit)]
    rows = [
        (
            names.short(other.name),
            enum_word(report_pb2.ReportKind, other.kind).lower(),
            names.short(other.model_version) or names.short(other.task),
            ", ".join(names.short(path) for path in other.data_paths),
            str(other.overall.sample_count),
            percent(other.overall.accuracy.value),
            local_time(other.create_time),
        )
        for other in others
    ]
    columns = ("REPORT", "KIND", "OF", "DATA PATHS", "SAMPLES", "ACCURACY", "CREATED")
    session.out.answer(
        {"base": found.name, "reports": [message_json(other) for other in others]},
        table(*columns, rows=rows, right=("SAMPLES", "ACCURACY"))
        if rows
        else f"no other report has a data path and a code in common with {found.name}; "
        "`loupe predict` runs another version over the same question bank",
    )
    if rows:
        session.out.hint(f"next: loupe compare {base} {names.short(others[0].name)}")
