"""`loupe banks`."""

from collections.abc import Sequence
from typing import Any

import click
from google.protobuf.field_mask_pb2 import FieldMask
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, limit_option, remote
from loupe.errors import LoupeError
from loupe.evaluator.v1 import leaderboard_pb2, leaderboard_service_pb2
from loupe.language import pick, translated
from loupe.registry.v1 import question_bank_pb2, question_bank_service_pb2
from loupe.rendering import enum_word, estimate, facts, figure, judged, local_time, message_json, table
from loupe.scheduler.v1 import bank_run_pb2, task_pb2, task_service_pb2
from rich.console import Group, RenderableType
from rich.text import Text

_SHOWN_REVISIONS = 20
_SHOWN_TRAININGS = 100

_datasets = click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME", help="All data paths of a dataset. Repeatable."
)
_paths = click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="[DATASET/]PATH",
    help="One data path; narrows a single --dataset. Repeatable.",
)


_resource = click.option(
    "--resource",
    default=None,
    metavar="NAME",
    help="Compute resource of its own runs. [default: the training's]",
)
_run_after_training = click.option(
    "--run-after-training/--no-run-after-training",
    default=None,
    help="Whether each training that is completed in the environment is tested at once (P8).",
)
_run_after_release = click.option(
    "--run-after-release/--no-run-after-release",
    default=None,
    help="Whether each version that is released in the environment is tested at once (P8).",
)


@click.group(short_help="Make, revise and look at question banks.")
def banks() -> None:
    """Question banks (P7): labelled data, frozen in revisions, that versions are tested with.

    A data path of a bank is offered to no training.
    """


@banks.command("create", short_help="Make a question bank of data paths.")
@click.argument("bank", metavar="BANK")
@click.option("--environment", required=True, metavar="NAME", help="Its production environment.")
@_datasets
@_paths
@click.option("--display-name", default="", help="How people call it.")
@click.option("--description", default="", help="What it is for.")
@_run_after_training
@_run_after_release
@_resource
@remote
async def create(  # noqa: PLR0913 -- what a bank is made of
    session: Session,
    *,
    bank: str,
    environment: str,
    datasets: tuple[str, ...],
    paths: tuple[str, ...],
    display_name: str,
    description: str,
    run_after_training: bool | None,
    run_after_release: bool | None,
    resource: str | None,
) -> None:
    """Make BANK of the present listings of data paths, as its revision 1.

    Data that versions were trained with is taken, and so is that of trainings that wait or run. They are
    named: the bank tests others.

    \b
    Examples:
      loupe banks create panels-june --environment fab-1 --dataset panels --path question-bank
      loupe banks create panels-june --environment fab-1 --path panels/question-bank --display-name "June"
    """
    if not datasets and not paths:
        raise click.UsageError("name the data of the bank: --dataset NAME or --path DATASET/PATH")
    made = await session.client.banks.CreateQuestionBank(
        question_bank_service_pb2.CreateQuestionBankRequest(
            question_bank_id=bank.removeprefix("questionBanks/"),
            question_bank=question_bank_pb2.QuestionBank(
                display_name=display_name,
                description=description,
                run_after_training=bool(run_after_training),
                run_after_release=bool(run_after_release),
                compute_resource=names.resource("computeResources", resource) if resource else "",
                production_environment=names.resource("productionEnvironments", environment),
                revision=question_bank_pb2.QuestionBankRevision(
                    data_paths=await session.client.data_paths(datasets, paths)
                ),
            ),
        )
    )
    await _answer(session, made)


@banks.command("revise", short_help="Freeze the present data as the next revision.")
@click.argument("bank", metavar="BANK")
@_datasets
@_paths
@remote
async def revise(session: Session, bank: str, datasets: tuple[str, ...], paths: tuple[str, ...]) -> None:
    """Freeze the present listings of the bank's data paths, or of other ones, as its next revision.

    If nothing has changed, the bank stays as it is. Earlier revisions and their reports stay too.

    \b
    Examples:
      loupe banks revise panels-june
      loupe banks revise panels-june --dataset panels --path question-bank --path question-bank-2
    """
    chosen = await session.client.data_paths(datasets, paths) if datasets or paths else []
    revised = await session.client.banks.CreateQuestionBankRevision(
        question_bank_service_pb2.CreateQuestionBankRevisionRequest(parent=_name(bank), data_paths=chosen)
    )
    await _answer(session, revised)


@banks.command("list", short_help="List question banks.")
@click.option("--environment", default="", help="Only banks of this production environment.")
@click.option("--archived", is_flag=True, help="Archived banks too.")
@remote
async def list_(session: Session, environment: str, *, archived: bool) -> None:
    """List question banks.

    \b
    Example:
      loupe banks list --environment fab-1 --json | jq .questionBanks[].name
    """
    request = question_bank_service_pb2.ListQuestionBanksRequest(
        page_size=500,
        production_environment=names.resource("productionEnvironments", environment) if environment else "",
        show_archived=archived,
    )
    found = [item async for item in pages(session.client.banks.ListQuestionBanks, request, "question_banks")]
    rows = [
        (
            names.short(bank.name) + (" (archived)" if bank.archived else ""),
            bank.display_name,
            names.short(bank.production_environment),
            str(bank.revision.number),
            str(len(bank.revision.data_paths)),
            str(bank.revision.sample_count),
            local_time(bank.revision.create_time),
        )
        for bank in found
    ]
    columns = ("BANK", "NAME", "ENVIRONMENT", "REVISION", "PATHS", "SAMPLES", "REVISED")
    session.out.answer(
        {"questionBanks": [message_json(bank) for bank in found]},
        table(*columns, rows=rows, right=("REVISION", "PATHS", "SAMPLES"))
        if rows
        else "no question bank; `loupe banks create` makes one",
    )


@banks.command("show", short_help="Show a question bank with its revisions.")
@click.argument("bank", metavar="BANK")
@remote
async def show(session: Session, bank: str) -> None:
    """Show a bank, what its current revision holds, and its revisions.

    \b
    Example:
      loupe banks show panels-june
    """
    found = await session.client.banks.GetQuestionBank(
        question_bank_service_pb2.GetQuestionBankRequest(name=_name(bank))
    )
    request = question_bank_service_pb2.ListQuestionBankRevisionsRequest(
        parent=found.name, page_size=_SHOWN_REVISIONS
    )
    listing = session.client.banks.ListQuestionBankRevisions
    revisions = [item async for item in pages(listing, request, "revisions", limit=_SHOWN_REVISIONS)]
    trainings = await _trainings(session, found)
    rows = [
        (
            str(revision.number),
            str(revision.sample_count),
            ", ".join(names.short(path) for path in revision.data_paths),
            names.short(revision.creator),
            local_time(revision.create_time),
        )
        for revision in revisions
    ]
    columns = ("REVISION", "SAMPLES", "DATA PATHS", "BY", "MADE")
    session.out.answer(
        {
            "questionBank": message_json(found),
            "revisions": [message_json(one) for one in revisions],
            "trainings": _names(trainings),
        },
        Group(_facts(found, trainings), "", table(*columns, rows=rows, right=("REVISION", "SAMPLES"))),
    )


@banks.command("update", short_help="Change what is said of a question bank.")
@click.argument("bank", metavar="BANK")
@click.option("--display-name", default=None, help="How people call it.")
@click.option("--description", default=None, help="What it is for.")
@_run_after_training
@_run_after_release
@_resource
@remote
async def update(session: Session, /, bank: str, **options: Any) -> None:  # noqa: ANN401 -- the fields of a bank
    """Change what is said of a bank, and whether it runs by itself; its data changes by `loupe banks revise`.

    \b
    Example:
      loupe banks update panels-june --description "since June 2026, line 3"
      loupe banks update panels-june --run-after-training --run-after-release --resource gpu-1
    """
    resource = options.pop("resource")
    given = {field: value for field, value in options.items() if value is not None}
    if resource is not None:
        given["compute_resource"] = names.resource("computeResources", resource) if resource else ""
    if not given:
        raise click.UsageError(
            "say what to change: --display-name, --description, --run-after-training, --run-after-release "
            "or --resource"
        )
    updated = await session.client.banks.UpdateQuestionBank(
        question_bank_service_pb2.UpdateQuestionBankRequest(
            question_bank=question_bank_pb2.QuestionBank(name=_name(bank), **given),
            update_mask=FieldMask(paths=sorted(given)),
        )
    )
    await _answer(session, updated)


@banks.command("archive", short_help="Hide a question bank, or bring it back.")
@click.argument("bank", metavar="BANK")
@click.option("--restore", is_flag=True, help="Take it out of the archive again.")
@remote
async def archive(session: Session, bank: str, *, restore: bool) -> None:
    """Hide a bank and give its data paths back to training. Its reports stay; nothing is deleted.

    \b
    Example:
      loupe banks archive panels-june
    """
    found = await session.client.banks.ArchiveQuestionBank(
        question_bank_service_pb2.ArchiveQuestionBankRequest(name=_name(bank), restore=restore)
    )
    state = "archived" if found.archived else "in use"
    session.out.answer(message_json(found), f"{names.short(found.name)} is {state}")


@banks.command("leaderboard", short_help="Rank the versions that were tested with a question bank.")
@click.argument("bank", metavar="BANK[@REVISION]")
@remote
async def leaderboard(session: Session, bank: str) -> None:
    """Rank versions by accuracy over one revision of a bank, and compare them with that in production (P8).

    Each has its newest report over the revision, with 95 % intervals (Wilson). McNemar's exact test,
    corrected for the number of versions (Holm), says whether a difference to the version in production is
    more than chance.

    Only clean reports rank: no sample has the pixels, or the group, of one that the version was trained or
    validated with. A near-duplicate (a pixel changed, saved again as JPEG, mirrored) counts as clean; only
    groups tell it.

    \b
    Examples:
      loupe banks leaderboard panels-june
      loupe banks leaderboard panels-june@1 --json | jq '.entries[0]'
    """
    name, _, number = names.question_bank(bank).partition("/revisions/")
    found = await session.client.leaderboards.GetLeaderboard(
        leaderboard_service_pb2.GetLeaderboardRequest(question_bank=name, revision=int(number or 0))
    )
    session.out.answer(message_json(found), _ranking(found) if found.entries else _nobody(found))
    if found.left_out_count:
        session.out.say(f"{found.left_out_count} versions with older reports are not listed")


@banks.command("runs", short_help="Show what became of the tests after trainings and releases.")
@click.argument("bank", metavar="[BANK]", default="")
@limit_option("How many, newest first.")
@remote
async def runs(session: Session, bank: str, limit: int) -> None:
    """Show what became of the tests that BANK, or all banks, made of trainings and versions (P8).

    Each has its task, with the state that this has now, or the reasons why none was submitted.

    \b
    Examples:
      loupe banks runs panels-june
      loupe banks runs --json | jq '.runs[] | select(.task == "")'
    """
    request = task_service_pb2.ListBankRunsRequest(
        page_size=min(limit, 500), question_bank=_name(bank) if bank else ""
    )
    found = [item async for item in pages(session.client.tasks.ListBankRuns, request, "runs", limit=limit)]
    rows = [
        (
            local_time(run.time),
            names.short(run.question_bank.partition("/revisions/")[0]),
            run.question_bank.rpartition("/")[2],
            judged(run),
            _outcome(run),
        )
        for run in found
    ]
    columns = ("TIME", "BANK", "REVISION", "TESTED", "OUTCOME")
    session.out.answer(
        {"runs": [message_json(run) for run in found]},
        table(*columns, rows=rows, right=("REVISION",))
        if rows
        else "no test; `loupe banks update BANK --run-after-training --run-after-release` has them made",
    )


def _outcome(run: bank_run_pb2.BankRun) -> RenderableType:
    if run.refusals:
        told = (f"refused, {one.reason}: {pick(one.message, one.message_zh)}" for one in run.refusals)
        return Text("\n".join(told), style="red")
    state = enum_word(task_pb2.TaskState, run.task_state) if run.task_state else "deleted"
    return f"{names.short(run.task)} {state}"


def _nobody(found: leaderboard_pb2.Leaderboard) -> str:
    bank, _, number = found.question_bank.partition("/revisions/")
    return (
        f"no version was tested with revision {number}; "
        f"`loupe predict MODEL@VERSION --bank {names.short(bank)}` does it"
    )


def _ranking(found: leaderboard_pb2.Leaderboard) -> RenderableType:
    rows: list[Sequence[RenderableType]] = [
        (
            str(entry.rank),
            names.short(entry.model_version) + (" *" if entry.in_production else ""),
            estimate(entry.overall.accuracy),
            figure(entry.overall, "macro_f1"),
            str(entry.overall.sample_count),
            str(entry.excluded_sample_count or ""),
            _against(entry),
            names.short(entry.report),
        )
        for entry in found.entries
    ]
    columns = (
        "RANK",
        "VERSION",
        "ACCURACY",
        "MACRO F1",
        "SAMPLES",
        "LEFT OUT",
        "TO PRODUCTION",
        "REPORT",
    )
    bank, _, number = found.question_bank.partition("/revisions/")
    return Group(
        facts(
            {
                "bank": f"{names.short(bank)}, revision {number}",
                "environment": names.short(found.production_environment),
            }
        ),
        "",
        table(*columns, rows=rows, right=("RANK", "MACRO F1", "SAMPLES", "LEFT OUT")),
        Text("* in production", style="dim"),
    )


def _against(entry: leaderboard_pb2.LeaderboardEntry) -> str:
    if entry.not_compared:
        return pick(entry.not_compared, entry.not_compared_zh)
    if not entry.HasField("changes"):
        return ""
    message = pick(entry.changes.message, entry.changes.message_zh)
    return f"{names.short(entry.compared_with)}: {message} (p = {entry.changes.adjusted_p_value:.3g})"


def _name(bank: str) -> str:
    return names.resource("questionBanks", bank)


def _runs(bank: question_bank_pb2.QuestionBank) -> str:
    when = [
        f"after each {event}"
        for event, wanted in (("training", bank.run_after_training), ("release", bank.run_after_release))
        if wanted
    ]
    if not when:
        return ""
    return f"{' and '.join(when)}, on {names.short(bank.compute_resource) or 'the resource of the training'}"


async def _trainings(session: Session, bank: question_bank_pb2.QuestionBank) -> list[task_pb2.Task] | None:
    """The newest trainings that wait or run with data paths of the bank; None where nobody answers that."""
    request = task_service_pb2.ListTasksRequest(page_size=_SHOWN_TRAININGS, training_with_bank=bank.name)
    try:
        return list((await session.client.tasks.ListTasks(request)).tasks)
    except LoupeError as error:
        # The bank is made or changed all the same.
        why = error.message
        session.out.say(
            translated("trainings under way with data paths of the bank are unknown: {why}", why=why)
        )
        return None


async def _answer(session: Session, bank: question_bank_pb2.QuestionBank) -> None:
    trainings = await _trainings(session, bank)
    session.out.answer({**message_json(bank), "trainings": _names(trainings)}, _facts(bank, trainings))


def _names(trainings: Sequence[task_pb2.Task] | None) -> list[str] | None:
    return None if trainings is None else [task.name for task in trainings]


def _facts(bank: question_bank_pb2.QuestionBank, trainings: Sequence[task_pb2.Task] | None) -> RenderableType:
    revision = bank.revision
    told = facts(
        {
            "bank": names.short(bank.name) + (" (archived)" if bank.archived else ""),
            "name": bank.display_name,
            "description": bank.description,
            "environment": names.short(bank.production_environment),
            "revision": f"{revision.number}, {local_time(revision.create_time)} "
            f"by {names.short(revision.creator)}",
            "samples": str(revision.sample_count),
            "runs": _runs(bank),
            "data": "\n".join(revision.snapshots),
        }
    )
    versions = ", ".join(names.short(version) for version in bank.trained_versions)
    tasks = ", ".join(f"{names.short(task.name)} ({task.training.model_name})" for task in trainings or ())
    warnings = []
    if versions:
        warnings.append(translated("trained with data paths of the bank: {versions}", versions=versions))
    if tasks:
        warnings.append(translated("trainings under way with data paths of the bank: {tasks}", tasks=tasks))
    return Group(told, *(Text(warning, style="yellow") for warning in warnings))
