"""`loupe report`."""

import click
from loupe.commands.session import Session, remote
from loupe.rendering import message_json
from loupe.rendering import report as report_page


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
