"""Marks of wrong labels, from a report to a new revision of the data path (P6)."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from loupe.access.v1 import access_pb2
from loupe.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from loupe.evaluator.v1 import relabel_pb2
from loupe.evaluator.v1 import relabel_service_pb2 as rpc
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import dataset_service_pb2, identity_service_pb2
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import task_pb2

from services.evaluator.application.reports import Reports
from services.evaluator.consumers import DeletedTasks
from services.kit.database import Database
from services.kit.messaging import Message
from tests.integration.evaluator.conftest import CODES
from tests.integration.evaluator.installation import Installation, Person, run_installation, shown
from tests.integration.registry.conftest import Importer, png, sha256

A, B, _ = CODES
OPEN, APPLIED = relabel_pb2.RELABEL_STATE_OPEN, relabel_pb2.RELABEL_STATE_APPLIED
ONE, TWO = png(1), png(2)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loupe(module_service_environment: dict[str, str]) -> AsyncIterator[Installation]:
    async for running in run_installation(module_service_environment):
        yield running


async def judged(loupe: Installation) -> tuple[Importer, str]:
    """A data path with two samples of A, and a report that predicts both as B."""
    importer = await loupe.importer()
    await importer.import_files({f"{A}/1.png": ONE, f"{A}/2.png": TWO})
    created = await loupe.report(
        [shown(f"{A}/{n}.png", sha256(data), B, data_path=importer.path) for n, data in ((1, ONE), (2, TWO))],
        job=f"jobs/{importer.path}",
        task=f"tasks/{importer.path.replace('/', '-')}",
    )
    return importer, created.name


async def mark(loupe: Installation, report: str, ordinal: int, code: str = B, note: str = "") -> Any:  # noqa: ANN401 -- a message
    return await loupe.engineer.marks.CreateRelabelMark(
        rpc.CreateRelabelMarkRequest(
            sample_result=f"{report}/sampleResults/{ordinal}", right_code=code, note=note
        )
    )


async def listed(loupe: Installation, **wanted: Any) -> list[Any]:  # noqa: ANN401 -- messages
    answer = await loupe.viewer.marks.ListRelabelMarks(rpc.ListRelabelMarksRequest(**wanted))
    return list(answer.marks)


async def files(loupe: Installation, path: str) -> list[str]:
    answer = await loupe.data.data.ListSamples(dataset_service_pb2.ListSamplesRequest(parent=path))
    return [sample.file for sample in answer.samples]


async def test_p6_marks_become_a_revision_of_the_data_path(loupe: Installation) -> None:
    """From the report to the new revision; the audit log names the user."""
    importer, report = await judged(loupe)
    made = await mark(loupe, report, 0, note="spot, not scratch")
    assert (made.file, made.wrong_code, made.right_code, made.state) == (f"{A}/1.png", A, B, OPEN)
    assert (made.creator, made.sample_result) == (loupe.engineer_name, f"{report}/sampleResults/0")
    applied = await loupe.engineer.marks.ApplyRelabelMarks(
        rpc.ApplyRelabelMarksRequest(data_path=importer.path, revision=1)
    )
    assert applied.revision == 2
    (settled,) = applied.marks
    assert (settled.name, settled.state, settled.new_file) == (made.name, APPLIED, f"{B}/1.png")
    assert await loupe.viewer.marks.GetRelabelMark(rpc.GetRelabelMarkRequest(name=made.name)) == settled
    assert await files(loupe, importer.path) == [f"{A}/2.png", f"{B}/1.png"]
    audited = await loupe.registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(page_size=1000)
    )
    assert [
        (entry.principal, entry.resource, entry.result)
        for entry in audited.entries
        if entry.action.endswith("RelabelSamples") and entry.resource == importer.path
    ] == [(loupe.engineer_name, importer.path, "OK")]
    # An applied mark stays.
    again = await loupe.engineer.marks.ApplyRelabelMarks(
        rpc.ApplyRelabelMarksRequest(data_path=importer.path)
    )
    assert (list(again.marks), again.revision) == ([], 2)


async def test_a4_only_the_owner_of_a_data_path_applies_what_others_mark(loupe: Installation) -> None:
    """Anybody may say that a label is wrong; the truth of the path is its owner's."""
    importer, report = await judged(loupe)
    _, token = await loupe.registry.token_of_role(access_pb2.ROLE_ENGINEER)
    apply = rpc.ApplyRelabelMarksRequest(data_path=importer.path)
    async with connect(loupe.address, lambda: token, deadline_s=60) as channel:
        stranger = Person(channel)
        made = await stranger.marks.CreateRelabelMark(
            rpc.CreateRelabelMarkRequest(sample_result=f"{report}/sampleResults/0", right_code=B)
        )
        with pytest.raises(PermissionDenied) as refused:
            await stranger.marks.ApplyRelabelMarks(apply)
    assert refused.value.reason == "NOT_DATA_PATH_OWNER"
    assert refused.value.facts == {"path": importer.path, "owner": loupe.engineer_name}
    assert [item.state for item in await listed(loupe, data_path=importer.path)] == [OPEN]
    assert await files(loupe, importer.path) == [f"{A}/1.png", f"{A}/2.png"]
    (applied,) = (await loupe.engineer.marks.ApplyRelabelMarks(apply)).marks
    assert (applied.name, applied.state) == (made.name, APPLIED)


async def test_p6_a_second_mark_of_a_sample_replaces_the_first(loupe: Installation) -> None:
    """Two users mark one sample: the later mark replaces the earlier one."""
    _, report = await judged(loupe)
    first = await mark(loupe, report, 0)
    second = await mark(loupe, report, 0, code="OTHER")
    assert (second.name, second.right_code) == (first.name, "OTHER")
    assert [item.right_code for item in await listed(loupe, report=report)] == ["OTHER"]
    await loupe.engineer.marks.DeleteRelabelMark(rpc.DeleteRelabelMarkRequest(name=first.name))
    assert await listed(loupe, report=report) == []
    with pytest.raises(NotFound):
        await loupe.engineer.marks.DeleteRelabelMark(rpc.DeleteRelabelMarkRequest(name=first.name))


async def test_p6_a_mark_that_cannot_be_applied_stays_open_and_says_why(loupe: Installation) -> None:
    """The picture was replaced after it was marked, so the mark is not applied."""
    importer, report = await judged(loupe)
    await mark(loupe, report, 0)
    await mark(loupe, report, 1)
    await importer.import_files({f"{A}/1.png": png(99)})
    with pytest.raises(Aborted):
        await loupe.engineer.marks.ApplyRelabelMarks(
            rpc.ApplyRelabelMarksRequest(data_path=importer.path, revision=1)
        )
    applied = await loupe.engineer.marks.ApplyRelabelMarks(
        rpc.ApplyRelabelMarksRequest(data_path=importer.path)
    )
    by_file = {item.file: item for item in applied.marks}
    assert by_file[f"{A}/1.png"].state == OPEN
    assert "another picture" in by_file[f"{A}/1.png"].message
    assert by_file[f"{A}/2.png"].state == APPLIED
    with pytest.raises(FailedPrecondition) as refused:
        await loupe.engineer.marks.DeleteRelabelMark(
            rpc.DeleteRelabelMarkRequest(name=by_file[f"{A}/2.png"].name)
        )
    assert refused.value.reason == "RELABEL_MARK_APPLIED"


async def test_p6_an_outcome_that_was_not_stored_is_stored_by_a_repeated_call(
    loupe: Installation,
) -> None:
    """The evaluator died after the registry had answered and before the outcome was committed."""
    importer, report = await judged(loupe)
    await mark(loupe, report, 0)
    await loupe.data.data.RelabelSamples(
        dataset_service_pb2.RelabelSamplesRequest(
            parent=importer.path, relabels=[{"file": f"{A}/1.png", "sha256": sha256(ONE), "code": B}]
        )
    )
    applied = await loupe.engineer.marks.ApplyRelabelMarks(
        rpc.ApplyRelabelMarksRequest(data_path=importer.path)
    )
    assert [(item.state, item.new_file) for item in applied.marks] == [(APPLIED, f"{B}/1.png")]
    assert applied.revision == 2


async def test_p6_marks_are_exported_as_a_list(loupe: Installation) -> None:
    """For labelling tools: CSV and JSON lines have the same content."""
    importer, report = await judged(loupe)
    await mark(loupe, report, 0, note='says "no", twice,\nreally')
    await mark(loupe, report, 1)
    answered = await loupe.http.get("/v1/relabelMarks:export", params={"dataPath": importer.path})
    assert answered.status_code == 200
    assert answered.headers["content-disposition"] == 'attachment; filename="relabelMarks.csv"'
    lines = list(csv.DictReader(io.StringIO(answered.text, newline="")))
    assert [(line["file"], line["right_code"]) for line in lines] == [(f"{A}/2.png", B), (f"{A}/1.png", B)]
    assert lines[1]["note"] == 'says "no", twice,\nreally'
    as_json = await loupe.http.get(
        "/v1/relabelMarks:export",
        params={"dataPath": importer.path, "format": "RELABEL_FORMAT_JSON_LINES"},
    )
    assert [json.loads(line) for line in as_json.text.splitlines()] == lines


async def test_p6_marks_stay_when_their_report_goes(loupe: Installation) -> None:
    """Marks are about samples: deleting a training must not delete the work of users."""
    importer, report = await judged(loupe)
    made = await mark(loupe, report, 0)
    task = f"tasks/{importer.path.replace('/', '-')}"
    event = events_pb2.TaskStateChanged(transition=task_pb2.TaskTransition(task=task), deleted=True)
    async with Database(loupe.registry.environment["LOUPE_DATABASE_URL"], "evaluator") as database:
        reports = Reports(database.sessions)
        async with database.sessions.begin() as session:
            message = Message(subject="loupe.tasks.gone.state", payload=event.SerializeToString())
            await DeletedTasks(reports)(session, message)
    with pytest.raises(NotFound):
        await mark(loupe, report, 1)
    assert await listed(loupe, data_path=importer.path) == [made]
    applied = await loupe.engineer.marks.ApplyRelabelMarks(
        rpc.ApplyRelabelMarksRequest(data_path=importer.path)
    )
    assert [item.state for item in applied.marks] == [APPLIED]


async def test_p6_marks_are_paged_and_filtered(loupe: Installation) -> None:
    importer, report = await judged(loupe)
    made = [await mark(loupe, report, ordinal) for ordinal in (0, 1)]
    first = await loupe.viewer.marks.ListRelabelMarks(
        rpc.ListRelabelMarksRequest(data_path=importer.path, page_size=1)
    )
    second = await loupe.viewer.marks.ListRelabelMarks(
        rpc.ListRelabelMarksRequest(data_path=importer.path, page_size=1, page_token=first.next_page_token)
    )
    assert [*second.marks, *first.marks] == made
    assert not second.next_page_token
    assert await listed(loupe, data_path=importer.path, state=APPLIED) == []
    with pytest.raises(InvalidArgument):
        await listed(loupe, data_path=importer.path, page_token="e30")  # noqa: S106
    with pytest.raises(InvalidArgument):
        await listed(loupe, state=9)


@pytest.mark.parametrize(
    ("code", "note", "field"),
    [("", "", "right_code"), ("a b", "", "right_code"), (A, "", "right_code"), (B, "x" * 1001, "note")],
)
async def test_p6_a_wrong_mark_names_its_field(loupe: Installation, code: str, note: str, field: str) -> None:
    _, report = await judged(loupe)
    with pytest.raises(InvalidArgument) as refused:
        await mark(loupe, report, 0, code, note)
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_p6_marks_need_a_sample_a_path_and_an_engineer(loupe: Installation) -> None:
    importer, report = await judged(loupe)
    with pytest.raises(NotFound):
        await mark(loupe, report, 9)
    with pytest.raises(NotFound):
        await loupe.viewer.marks.GetRelabelMark(rpc.GetRelabelMarkRequest(name="relabelMarks/none"))
    with pytest.raises(NotFound):
        await loupe.engineer.marks.ApplyRelabelMarks(
            rpc.ApplyRelabelMarksRequest(data_path="datasets/none/paths/none")
        )
    for call, request in (
        (loupe.viewer.marks.CreateRelabelMark, rpc.CreateRelabelMarkRequest()),
        (loupe.viewer.marks.DeleteRelabelMark, rpc.DeleteRelabelMarkRequest()),
        (loupe.viewer.marks.ApplyRelabelMarks, rpc.ApplyRelabelMarksRequest(data_path=importer.path)),
    ):
        with pytest.raises(PermissionDenied):
            await call(request)
