"""A question bank as a leaderboard: a registry, an evaluator and the gateway together (P8)."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from loupe.errors import NotFound
from loupe.evaluator.v1 import leaderboard_pb2, leaderboard_service_pb2, report_pb2, report_service_pb2
from loupe.evaluator.v1.leaderboard_service_pb2_grpc import LeaderboardServiceStub
from loupe.registry.v1 import (
    model_pb2,
    model_service_pb2,
    question_bank_pb2,
    question_bank_service_pb2,
)

from tests.integration.evaluator.conftest import sample
from tests.integration.evaluator.installation import Installation, run_installation
from tests.integration.registry.conftest import png, version_of
from tests.support.waiting import eventually

ENVIRONMENT = "productionEnvironments/demo-fab-cell-array"
A, B = "TPFIP", "TSAGG"
SAMPLES = 20


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(module_service_environment: dict[str, str]) -> AsyncIterator[Installation]:
    async for running in run_installation(module_service_environment):
        yield running


class Bank:
    """A bank, and versions that were tested with it."""

    def __init__(self, installation: Installation, bank: question_bank_pb2.QuestionBank) -> None:
        self.installation = installation
        self.bank = bank
        self.model = f"models/m-{secrets.token_hex(4)}"

    async def revise(self) -> None:
        """The next revision, with another data path."""
        importer = await self.installation.importer()
        await importer.import_files({f"{A}/2.png": png(2)})
        self.bank = await self.installation.data.banks.CreateQuestionBankRevision(
            question_bank_service_pb2.CreateQuestionBankRevisionRequest(
                parent=self.bank.name, data_paths=[importer.path]
            )
        )

    async def version(self, task: str = "") -> str:
        """The next version of the model, released from `task`."""
        request = model_service_pb2.CreateModelVersionRequest(
            parent=self.model, version=version_of(task or f"tasks/{secrets.token_hex(8)}")
        )
        return str((await self.installation.registry.service.models.CreateModelVersion(request)).name)

    async def report(self, version: str, wrong: int, **fields: Any) -> report_pb2.Report:  # noqa: ANN401 -- of a message
        """A report of a version over the current revision, with so many misjudged samples."""
        return await self.installation.report(
            [sample(number, A, B if number < wrong else A) for number in range(SAMPLES)],
            **{
                "job": f"jobs/{secrets.token_hex(8)}",
                "kind": report_pb2.REPORT_KIND_PREDICTION,
                "model_version": version,
                "question_bank": self.bank.revision.name,
                "training_overlap": model_pb2.TrainingOverlap(sample_count=SAMPLES),
                **fields,
            },
        )

    async def leaderboard(self, revision: int = 0) -> leaderboard_pb2.Leaderboard:
        """As a viewer gets it."""
        stub: Any = LeaderboardServiceStub(self.installation.viewer.channel)
        answer: leaderboard_pb2.Leaderboard = await stub.GetLeaderboard(
            leaderboard_service_pb2.GetLeaderboardRequest(question_bank=self.bank.name, revision=revision)
        )
        return answer


@pytest_asyncio.fixture(loop_scope="session")
async def tested(installation: Installation) -> Bank:
    importer = await installation.importer()
    await importer.import_files({f"{A}/1.png": png(1)})
    bank = await installation.data.banks.CreateQuestionBank(
        question_bank_service_pb2.CreateQuestionBankRequest(
            question_bank_id=f"b-{secrets.token_hex(4)}",
            question_bank=question_bank_pb2.QuestionBank(
                production_environment=ENVIRONMENT,
                revision=question_bank_pb2.QuestionBankRevision(data_paths=[importer.path]),
            ),
        )
    )
    return Bank(installation, bank)


async def test_p8_versions_are_ranked_and_compared_with_the_one_in_production(
    installation: Installation, tested: Bank
) -> None:
    """P8: accuracy with its interval, macro F1, and whether the difference is more than chance."""
    running, better, same, alone = [await tested.version() for _ in range(4)]
    await installation.registry.admin.models.SetAlias(
        model_service_pb2.SetAliasRequest(name=running, alias="production")
    )
    await tested.report(running, 12)
    # The newest report of a version counts, and reports over other data do not.
    await tested.report(better, 20)
    newest = await tested.report(better, 1, excluded_sample_count=7)
    await tested.report(same, 11)
    await tested.report(same, 0, question_bank="")
    found = await tested.leaderboard()
    assert found.question_bank == tested.bank.revision.name
    assert found.production_environment == ENVIRONMENT
    assert [(one.rank, one.model_version) for one in found.entries] == [(1, better), (2, same), (3, running)]
    first, second, last = found.entries
    assert (first.report, first.excluded_sample_count) == (newest.name, 7)
    assert first.overall == newest.overall
    assert 0 < first.overall.accuracy.low < first.overall.accuracy.value < first.overall.accuracy.high <= 1
    assert first.compared_with == second.compared_with == running
    assert (first.changes.fixed_count, first.changes.regressed_count) == (11, 0)
    assert first.changes.adjusted_p_value == pytest.approx(2 * 2 * 0.5**11)
    assert first.changes.conclusion == 2
    assert (second.changes.fixed_count, second.changes.conclusion) == (1, 1)
    assert last.in_production
    assert not last.HasField("changes")
    assert not last.not_compared
    answer = await installation.http.get(f"/v1/{tested.bank.name}:leaderboard")
    assert answer.status_code == 200
    assert [one["modelVersion"] for one in answer.json()["entries"]] == [better, same, running]
    assert alone not in answer.text


async def test_p8_only_reports_over_one_revision_stand_side_by_side(
    installation: Installation, tested: Bank
) -> None:
    """P8: a bank that got harder would make every newer version look worse."""
    first, second = await tested.version(), await tested.version()
    await tested.report(first, 3)
    await tested.revise()
    await tested.report(second, 5)
    await installation.registry.admin.models.SetAlias(
        model_service_pb2.SetAliasRequest(name=first, alias="production")
    )
    (entry,) = (await tested.leaderboard()).entries
    assert entry.model_version == second
    assert entry.compared_with == first
    assert "no report over this revision" in entry.not_compared
    assert entry.not_compared_zh
    (entry,) = (await tested.leaderboard(1)).entries
    assert (entry.model_version, entry.in_production) == (first, True)
    with pytest.raises(NotFound):
        await tested.leaderboard(3)
    tested.bank.name = "questionBanks/nowhere"
    with pytest.raises(NotFound, match="nowhere"):
        await tested.leaderboard()


async def test_p8_the_report_of_a_training_is_its_versions_once_it_is_released(
    installation: Installation, tested: Bank
) -> None:
    """P2, P8: a version is not judged a second time by the bank that judged its training."""
    training, other = f"tasks/{secrets.token_hex(8)}", f"tasks/{secrets.token_hex(8)}"
    judged = await tested.report("", 3, training_task=training)
    await tested.report("", 5, training_task=other)
    assert not (await tested.leaderboard()).entries
    official = report_service_pb2.ListReportsRequest(official=True, question_bank=tested.bank.name)
    assert not (await installation.viewer.stub.ListReports(official)).reports
    version = await tested.version(training)

    async def listed() -> bool:
        return bool((await tested.leaderboard()).entries)

    await eventually(listed)
    (entry,) = (await tested.leaderboard()).entries
    assert (entry.model_version, entry.report) == (version, judged.name)
    (official_report,) = (await installation.viewer.stub.ListReports(official)).reports
    assert (official_report.model_version, official_report.training_task) == (version, training)
    # A prediction that was submitted before the release may end after it.
    late = await tested.report("", 1, training_task=training)
    assert late.model_version == version
    assert [one.report for one in (await tested.leaderboard()).entries] == [late.name]
