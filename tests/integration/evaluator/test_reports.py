"""ReportService over gRPC on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from loupe.errors import Aborted, InvalidArgument, NotFound
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import task_pb2

from services.evaluator.consumers import DeletedTasks, Releases
from services.evaluator.domain.report import SampleResult
from services.evaluator.wire.reports import header_from
from services.evaluator.wire.sample_results import result_from
from services.kit.messaging import Message
from tests.integration.evaluator.conftest import CODES, ReportServiceUnderTest, sample, set_aside
from tests.support.waiting import eventually

A, B, SPECIAL = CODES


async def test_a_report_has_the_figures_of_its_samples(reports: ReportServiceUnderTest) -> None:
    """Every figure follows from the samples (E1), and is the same when read again."""
    created = await reports.create(
        [
            sample(1, A, A, 0.9),
            sample(2, A, A, 0.4),
            sample(3, A, B, 0.8),
            sample(4, B, B, 0.95),
            sample(5, SPECIAL, SPECIAL, 0.7, decided_by=report_pb2.DECIDED_BY_FEATURE_DISTANCE),
            set_aside(6, B),
        ],
        confidence_threshold=0.5,
        data_paths=["datasets/d/paths/p"],
        images_per_s=12.5,
    )
    assert created.overall.sample_count == 5
    assert created.overall.accuracy.value == pytest.approx(0.8)
    # Wilson's interval of 4 of 5, from the published formula.
    assert created.overall.accuracy.low == pytest.approx(0.3755, abs=1e-4)
    assert created.overall.accuracy.high == pytest.approx(0.9638, abs=1e-4)
    assert created.overall.majority_share == pytest.approx(0.6)
    assert list(created.confusion.counts) == [2, 1, 0, 0, 1, 0, 0, 0, 1]
    by_code = {code.code: code for code in created.codes}
    assert by_code[A].support == 3
    assert by_code[A].recall.value == pytest.approx(2 / 3)
    assert by_code[A].misjudged_count == 1
    assert by_code[B].precision.value == pytest.approx(0.5)
    assert by_code[B].nonconforming_count == 1
    assert [code.special for code in created.codes] == [False, False, True]
    assert created.below_threshold_count == 1
    assert created.nonconforming_count == 1
    read = await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=created.name))
    assert read == created


def bank(version: str, job: str, trained: int | None) -> dict[str, object]:
    """A prediction of a version, over 4 samples, `trained` of which were trained with; None: not measured."""
    overlap = model_pb2.TrainingOverlap(
        sample_count=4, trained_sample_count=trained or 0, affected_sample_count=trained or 0
    )
    return {
        "job": f"jobs/{job}",
        "kind": report_pb2.REPORT_KIND_PREDICTION,
        "model_version": version,
        "training_overlap": None if trained is None else overlap,
    }


async def test_p7_the_official_report_is_the_newest_without_training_overlap(
    reports: ReportServiceUnderTest,
) -> None:
    """P2, P7: a report over data that the version was trained with, or may have been, proves nothing."""
    version, other = "models/m/versions/v3.01", "models/m/versions/v3.02"

    async def official(version: str = "") -> list[str]:
        request = report_service_pb2.ListReportsRequest(model_version=version, official=True)
        return [report.name for report in (await reports.stub.ListReports(request)).reports]

    await reports.create([sample(1, A, A)], job="jobs/validation", kind=report_pb2.REPORT_KIND_VALIDATION)
    unknown = await reports.create([sample(1, A, A)], **bank(version, "unknown", None))
    assert not unknown.HasField("training_overlap")
    assert await official(version) == []
    first, second = [await reports.create([sample(1, A, B)], **bank(version, job, 0)) for job in "12"]
    flattering = await reports.create([sample(1, A, A)], **bank(version, "flattering", 1))
    assert flattering.training_overlap.trained_sample_count == 1
    assert await official(version) == [second.name]
    await reports.create([sample(1, A, A)], **bank(other, "other", 4))
    assert await official(other) == []
    theirs = await reports.create([sample(1, A, A)], **bank(other, "theirs", 0))
    assert await official() == [theirs.name, second.name]
    everything = await reports.stub.ListReports(report_service_pb2.ListReportsRequest(model_version=version))
    assert [item.name for item in everything.reports] == [
        flattering.name,
        second.name,
        first.name,
        unknown.name,
    ]


async def test_p7_a_contradictory_overlap_is_refused(reports: ReportServiceUnderTest) -> None:
    """More samples trained with than there are: users would believe the report."""
    with pytest.raises(InvalidArgument, match="trained with"):
        await reports.create([sample(1, A, A)], **bank("models/m/versions/v3.01", "1", 5))


async def test_p7_a_report_says_which_bank_it_is_over(reports: ReportServiceUnderTest) -> None:
    """Reports over one revision are compared; what was left out of one is told with its figures."""
    june, version = "questionBanks/june", "models/m/versions/v3.01"
    made = {
        revision: await reports.create(
            [sample(1, A, A)],
            **bank(version, revision, 0),
            question_bank=f"{june}/revisions/{revision}",
            excluded_sample_count=int(revision),
        )
        for revision in ("1", "2")
    }
    plain = await reports.create([sample(1, A, A)], **bank(version, "plain", 0))
    assert (plain.question_bank, plain.excluded_sample_count) == ("", 0)
    assert (made["2"].question_bank, made["2"].excluded_sample_count) == (f"{june}/revisions/2", 2)

    async def over(name: str) -> list[str]:
        request = report_service_pb2.ListReportsRequest(question_bank=name)
        return [report.name for report in (await reports.stub.ListReports(request)).reports]

    assert await over(june) == [made["2"].name, made["1"].name]
    assert await over(f"{june}/revisions/1") == [made["1"].name]
    assert await over("questionBanks/jun") == []
    with pytest.raises(InvalidArgument):
        await over("datasets/d/paths/p")
    with pytest.raises(InvalidArgument, match="revisions"):
        await reports.create([sample(1, A, A)], **bank(version, "wrong", 0), question_bank=june)


async def test_masks_and_pixel_counts_of_samples_are_stored(reports: ReportServiceUnderTest) -> None:
    """S1, E1: the drill-down shows both masks, and IoU is summed from every sample's pixels."""
    pixels = [
        report_pb2.PixelCounts(intersection=6, truth=10, predicted=8),
        report_pb2.PixelCounts(code=A, intersection=5, truth=10, predicted=6),
        report_pb2.PixelCounts(code=B, predicted=2),
    ]
    masks = {"mask_sha256": "cd" * 32, "predicted_mask_sha256": "ef" * 32}
    sent = [sample(1, A, A, **masks, pixels=pixels), sample(2, A, A)]
    created = await reports.create(sent)
    for number, result in enumerate(sent):
        result.name = f"{created.name}/sampleResults/{number}"
    assert await reports.samples(created.name) == sent


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"pixels": [report_pb2.PixelCounts(code=A)]}, "any defect"),
        ({"pixels": [report_pb2.PixelCounts(), report_pb2.PixelCounts(code="NEW")]}, "not in code_list"),
        ({"pixels": [report_pb2.PixelCounts(intersection=3, truth=2, predicted=9)]}, "cannot be in both"),
        (
            {"verdict": report_pb2.VERDICT_NONCONFORMING, "pixels": [report_pb2.PixelCounts()]},
            "NONCONFORMING",
        ),
    ],
)
async def test_contradictory_pixel_counts_are_refused(
    reports: ReportServiceUnderTest, fields: dict[str, object], fault: str
) -> None:
    """IoU would be above 1."""
    with pytest.raises(InvalidArgument, match=fault):
        await reports.create([sample(1, A, A, **fields)])


async def test_e1_a_code_that_no_sample_has_is_without_figures_and_in_no_mean(
    reports: ReportServiceUnderTest,
) -> None:
    """E1: 0 of nothing is not 0. The data had no sample of the code, so also its predictions say nothing."""
    created = await reports.create([sample(1, A, A), sample(2, A, B)])
    absent = created.codes[1]
    assert (absent.support, absent.precision.denominator) == (0, 1)
    assert not any(found.HasField("value") for found in (absent.precision, absent.recall))
    assert not absent.HasField("f1")
    assert (absent.precision.low, absent.precision.high) == (0.0, 1.0)
    overall = created.overall
    assert (overall.macro_precision, overall.macro_recall) == (1.0, 0.5)
    assert overall.macro_f1 == pytest.approx(2 / 3)


async def test_e1_a_report_without_a_judged_sample_has_no_figures(reports: ReportServiceUnderTest) -> None:
    """E1: 0.0 % would read as a model that is always wrong."""
    created = await reports.create([set_aside(1, A)])
    figures = ("macro_precision", "macro_recall", "macro_f1", "majority_share")
    assert not any(created.overall.HasField(name) for name in figures)


async def test_a_model_that_is_always_wrong_has_an_accuracy_of_0_with_room_for_doubt(
    reports: ReportServiceUnderTest,
) -> None:
    """Few samples prove little, even if all are misjudged."""
    created = await reports.create([sample(n, A, B) for n in range(4)])
    assert created.overall.accuracy.value == 0.0
    assert created.overall.accuracy.low == 0.0
    assert 0.4 < created.overall.accuracy.high < 0.6
    assert created.codes[1].precision.value == 0.0


async def test_a_report_of_nothing_but_nonconforming_samples_has_no_accuracy(
    reports: ReportServiceUnderTest,
) -> None:
    """A question bank without a readable sample gives a report, not a failure (P5)."""
    created = await reports.create([set_aside(n, A) for n in range(3)])
    assert not created.overall.accuracy.HasField("value")
    assert created.overall.sample_count == 0
    assert created.nonconforming_count == 3
    assert created.codes[0].nonconforming_count == 3
    assert len(await reports.samples(created.name)) == 3


async def test_the_same_lease_gives_the_same_report(reports: ReportServiceUnderTest) -> None:
    """A worker that did not receive the answer sends again; there must not be two reports."""
    results = [sample(n, A, A) for n in range(10)]
    first = await reports.create(results)
    again = await reports.create(results)
    assert again == first
    listed = await reports.stub.ListReports(report_service_pb2.ListReportsRequest(task="tasks/1"))
    assert [report.name for report in listed.reports] == [first.name]
    assert len(await reports.samples(first.name)) == 10


async def test_two_calls_at_once_for_one_lease_make_one_report(reports: ReportServiceUnderTest) -> None:
    """A retry may arrive before the call that it repeats."""
    results = [sample(n, A, A) for n in range(2000)]
    made = await asyncio.gather(*(reports.create(results, batch=100) for _ in range(4)))
    assert len({report.name for report in made}) == 1
    assert len(await reports.samples(made[0].name, page_size=1000)) == 2000


async def test_a_worker_that_lost_its_lease_cannot_replace_the_report(
    reports: ReportServiceUnderTest,
) -> None:
    """T6: a paused machine's late result must not replace the new one; the new one replaces the late one."""
    await reports.create([sample(1, A, B)], fencing_token=5)
    later = await reports.create([sample(1, A, A)], fencing_token=6)
    with pytest.raises(Aborted) as refused:
        await reports.create([sample(1, A, B)], fencing_token=5)
    assert refused.value.reason == "LEASE_LOST"
    listed = await reports.stub.ListReports(report_service_pb2.ListReportsRequest())
    assert [report.name for report in listed.reports] == [later.name]


async def test_a_report_that_breaks_off_leaves_nothing(reports: ReportServiceUnderTest) -> None:
    """A report is stored whole or not at all: figures over a part of the samples would be wrong."""
    wrong = [*(sample(n, A, A) for n in range(1000)), sample(1000, "UNKNOWN", A)]
    with pytest.raises(InvalidArgument) as refused:
        await reports.create(wrong)
    assert refused.value.reason == "REPORT_INVALID"
    assert "UNKNOWN" in refused.value.message
    listed = await reports.stub.ListReports(report_service_pb2.ListReportsRequest())
    assert not listed.reports
    # The job can still get its report.
    assert (await reports.create([sample(1, A, A)])).overall.sample_count == 1


@pytest.mark.parametrize(
    "wrong",
    [
        sample(1, A, B, verdict=report_pb2.VERDICT_CORRECT),
        sample(1, A, A, verdict=report_pb2.VERDICT_MISJUDGED),
        sample(1, A, A, confidence=1.5),
        sample(1, A, A, verdict=report_pb2.VERDICT_UNSPECIFIED),
    ],
)
async def test_a_sample_that_contradicts_itself_is_refused(
    reports: ReportServiceUnderTest, wrong: report_pb2.SampleResult
) -> None:
    """The figures and the samples of a report must agree."""
    with pytest.raises(InvalidArgument):
        await reports.create([wrong])


async def test_reports_are_listed_newest_first_page_by_page(reports: ReportServiceUnderTest) -> None:
    """P2: the report of a version is its latest; older ones stay reachable."""
    version = "models/m/versions/v3.01"
    made = [
        await reports.create(
            [sample(1, A, A)],
            job=f"jobs/{n}",
            task=f"tasks/{n}",
            kind=report_pb2.REPORT_KIND_PREDICTION,
            model_version=version,
        )
        for n in range(5)
    ]
    await reports.create([sample(1, A, A)], job="jobs/other")
    seen: list[str] = []
    token = ""
    while True:
        page = await reports.stub.ListReports(
            report_service_pb2.ListReportsRequest(
                model_version=version,
                kind=report_pb2.REPORT_KIND_PREDICTION,
                page_size=2,
                page_token=token,
            )
        )
        seen.extend(report.name for report in page.reports)
        token = page.next_page_token
        if not token:
            break
    assert seen == [report.name for report in reversed(made)]
    of_task = await reports.stub.ListReports(report_service_pb2.ListReportsRequest(task="tasks/3"))
    assert [report.name for report in of_task.reports] == [made[3].name]


async def test_samples_are_listed_in_the_order_of_review(reports: ReportServiceUnderTest) -> None:
    """P4: correct samples ascend by confidence, misjudged ones descend, nonconforming ones are by file."""
    created = await reports.create(
        [
            sample(1, A, A, 0.9),
            sample(2, A, A, 0.3),
            sample(3, A, A, 0.6),
            sample(4, A, B, 0.55),
            sample(5, B, A, 0.99),
            sample(6, B, A, 0.7),
            set_aside(9, B),
            set_aside(8, B),
        ]
    )

    async def confidences(**wanted: object) -> list[float]:
        return [result.confidence for result in await reports.samples(created.name, page_size=2, **wanted)]

    assert await confidences(verdict=report_pb2.VERDICT_CORRECT) == [0.3, 0.6, 0.9]
    assert await confidences(verdict=report_pb2.VERDICT_MISJUDGED) == [0.99, 0.7, 0.55]
    assert await confidences(verdict=report_pb2.VERDICT_MISJUDGED, true_code=B) == [0.99, 0.7]
    assert await confidences(true_code=A, predicted_code=B) == [0.55]
    assert await confidences(predicted_code=A, verdict=report_pb2.VERDICT_CORRECT) == [0.3, 0.6, 0.9]
    aside = await reports.samples(created.name, verdict=report_pb2.VERDICT_NONCONFORMING)
    assert [result.file for result in aside] == [f"{B}/000008.jpg", f"{B}/000009.jpg"]
    everything = await reports.samples(created.name, page_size=3)
    assert len({result.sha256 for result in everything}) == 8


async def test_a_page_token_of_another_listing_is_refused(reports: ReportServiceUnderTest) -> None:
    """A wrong page without an error would not be noticed."""
    created = await reports.create([sample(n, A, A) for n in range(4)])
    page = await reports.stub.ListSampleResults(
        report_service_pb2.ListSampleResultsRequest(parent=created.name, page_size=1)
    )
    for token in (page.next_page_token, "nonsense", "e30", "bnVsbA"):
        with pytest.raises(InvalidArgument) as refused:
            await reports.stub.ListSampleResults(
                report_service_pb2.ListSampleResultsRequest(
                    parent=created.name, page_size=1, page_token=token, true_code=A
                )
            )
        assert [one.reason for one in refused.value.violations] == ["BAD_PAGE_TOKEN"]


async def test_a_kind_that_does_not_exist_is_refused(reports: ReportServiceUnderTest) -> None:
    """A wrong filter is the caller's fault, not a failure of the service."""
    with pytest.raises(InvalidArgument) as refused:
        await reports.stub.ListReports(report_service_pb2.ListReportsRequest(kind=9))  # type: ignore[arg-type]
    assert [violation.field for violation in refused.value.violations] == ["kind"]


@pytest.mark.parametrize("name", ["reports/none", "tasks/1", "reports/0195d1a0-0000-7000-8000-000000000000"])
async def test_a_report_that_is_not_there_is_not_found(reports: ReportServiceUnderTest, name: str) -> None:
    with pytest.raises(NotFound):
        await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=name))
    with pytest.raises(NotFound):
        await reports.stub.ListSampleResults(report_service_pb2.ListSampleResultsRequest(parent=name))


async def test_reports_go_with_their_task_and_late_ones_are_refused(reports: ReportServiceUnderTest) -> None:
    """T7: deleting a task deletes its reports, and one that a worker sends later is refused."""
    kept = await reports.create([sample(1, A, A)], job="jobs/kept", task="tasks/kept")
    gone = await reports.create([sample(1, A, A)], job="jobs/gone", task="tasks/gone")
    transition = task_pb2.TaskTransition(task="tasks/gone")
    event = events_pb2.TaskStateChanged(transition=transition, deleted=True)
    other = events_pb2.TaskStateChanged(transition=task_pb2.TaskTransition(task="tasks/kept"))
    for change in (event, other, event):
        async with reports.database.sessions.begin() as session:
            message = Message(subject="loupe.tasks.gone.state", payload=change.SerializeToString())
            await DeletedTasks(reports.use_cases)(session, message)
    with pytest.raises(NotFound):
        await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=gone.name))
    assert await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=kept.name)) == kept
    with pytest.raises(Aborted):
        await reports.create([sample(1, A, A)], job="jobs/late", task="tasks/gone")


async def test_p8_a_release_waits_for_a_report_that_replaces_another(reports: ReportServiceUnderTest) -> None:
    """T6, P8: whoever replaces a report and whoever names it lock the training before its reports."""
    fields = {"task": "tasks/test", "job": "jobs/replaced"}
    judged = {"kind": report_pb2.REPORT_KIND_PREDICTION, "training_task": "tasks/training"}
    await reports.create([sample(1, A, A)], fencing_token=1, **fields, **judged)
    arriving, named = asyncio.Event(), asyncio.Event()

    async def batches() -> AsyncIterator[list[SampleResult]]:
        # The earlier report is deleted and its transaction is open.
        arriving.set()
        await named.wait()
        yield [result_from(sample(1, A, B))]

    header = report_service_pb2.CreateReportRequest.Header(
        job=fields["job"],
        fencing_token=2,
        report=report_pb2.Report(
            task=fields["task"], weights_sha256="ab" * 32, code_list=CODES, num_of_classes=2, **judged
        ),
    )
    replacing = asyncio.ensure_future(reports.use_cases.create(header_from(header), batches()))
    await arriving.wait()
    releasing = asyncio.ensure_future(_release(reports, "tasks/training", "models/m/versions/v3.01"))
    await eventually(lambda: _anybody_waits(reports))
    named.set()
    replaced, _ = await asyncio.gather(replacing, releasing)
    report = await reports.stub.GetReport(
        report_service_pb2.GetReportRequest(name=f"reports/{replaced.report.id}")
    )
    assert report.model_version == "models/m/versions/v3.01"


async def _release(reports: ReportServiceUnderTest, training: str, version: str) -> None:
    event = events_pb2.ModelVersionReleased(version=model_pb2.ModelVersion(name=version, task=training))
    async with reports.database.sessions.begin() as session:
        message = Message(subject="loupe.models.m.released", payload=event.SerializeToString())
        await Releases(reports.use_cases)(session, message)


async def _anybody_waits(reports: ReportServiceUnderTest) -> bool:
    async with reports.database.sessions.begin() as session:
        waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
        return bool(await session.scalar(sa.text(f"{waits} current_database())")))


async def test_the_pages_of_a_long_listing_give_each_sample_once(reports: ReportServiceUnderTest) -> None:
    """P4, P5: thousands of images are a normal question bank. `tests.bench` measures the time of a page."""
    codes = [f"CODE{n:02d}" for n in range(20)]
    results = [
        sample(n, codes[n % 20], codes[n % 20 if n % 7 else (n + 1) % 20], (n % 100) / 100)
        for n in range(2_000)
    ]
    created = await reports.create(results, code_list=codes, num_of_classes=20)
    assert created.overall.sample_count == len(results)
    for true_code, verdict in (
        ("", report_pb2.VERDICT_UNSPECIFIED),
        (codes[3], report_pb2.VERDICT_MISJUDGED),
    ):
        wanted = {
            result.file
            for result in results
            if true_code in {"", result.true_code} and verdict in {0, result.verdict}
        }
        request = report_service_pb2.ListSampleResultsRequest(
            parent=created.name, page_size=97, true_code=true_code, verdict=verdict
        )
        found: list[str] = []
        while not found or request.page_token:
            page = await reports.stub.ListSampleResults(request)
            found += [result.file for result in page.results]
            request.page_token = page.next_page_token
        assert len(found) == len(wanted)
        assert set(found) == wanted
