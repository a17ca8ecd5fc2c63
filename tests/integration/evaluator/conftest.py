"""An evaluator with its own database, and a client of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.evaluator.v1.comparison_service_pb2_grpc import ComparisonServiceStub
from loupe.evaluator.v1.report_service_pb2_grpc import ReportServiceStub
from loupe.rpc.channel import connect
from loupe.settings import load

import services.evaluator
from deploy.embedded.seaweed import ObjectStoreSettings
from services.evaluator.application.comparing import Comparisons
from services.evaluator.application.exporting import ReportExports
from services.evaluator.application.pictures import Pictures
from services.evaluator.application.reports import Reports
from services.evaluator.server import comparison
from services.evaluator.server import reports as server
from services.kit import object_store as kit_object_store
from services.kit.auth import Role
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer
from services.kit.object_store import ObjectStore
from services.vision.decoders import Decoders, DecoderSettings
from services.vision.pictures import PictureStore
from tests.support.tokens import only

TOKEN = "loupe_test_token"  # noqa: S105
CODES = ("TPFIP", "TSAGG", "TPDPS")


@dataclass(frozen=True)
class ReportServiceUnderTest:
    """The service over the wire, and its use cases beside it."""

    stub: Any
    comparisons: Any
    use_cases: Reports
    database: Database
    store: ObjectStore
    address: str

    async def create(  # noqa: D102
        self,
        results: Sequence[report_pb2.SampleResult],
        *,
        job: str = "jobs/1",
        fencing_token: int = 1,
        batch: int = 500,
        **fields: object,
    ) -> report_pb2.Report:
        known: dict[str, Any] = {
            "kind": report_pb2.REPORT_KIND_VALIDATION,
            "task": "tasks/1",
            "weights_sha256": "ab" * 32,
            "code_list": CODES,
            "num_of_classes": 2,
            **fields,
        }

        async def requests() -> AsyncIterator[report_service_pb2.CreateReportRequest]:
            header = report_service_pb2.CreateReportRequest.Header(
                job=job, fencing_token=fencing_token, report=report_pb2.Report(**known)
            )
            yield report_service_pb2.CreateReportRequest(header=header)
            for start in range(0, len(results), batch):
                part = report_service_pb2.CreateReportRequest.Batch(results=results[start : start + batch])
                yield report_service_pb2.CreateReportRequest(batch=part)

        report: report_pb2.Report = await self.stub.CreateReport(requests())
        return report

    async def samples(self, report: str, **wanted: object) -> list[report_pb2.SampleResult]:
        """All samples of a report that match, read page by page."""
        found: list[report_pb2.SampleResult] = []
        token = ""
        while True:
            request = report_service_pb2.ListSampleResultsRequest(parent=report, page_token=token, **wanted)
            page = await self.stub.ListSampleResults(request)
            found.extend(page.results)
            token = page.next_page_token
            if not token:
                return found


@pytest_asyncio.fixture(loop_scope="session")
async def reports(
    postgres_url: str, object_store_settings: ObjectStoreSettings
) -> AsyncIterator[ReportServiceUnderTest]:
    async with (
        Database(postgres_url, "evaluator") as database,
        _store(object_store_settings) as store,
        Decoders("services.evaluator.decoder", DecoderSettings()) as decoders,
    ):
        await database.migrate(Path(services.evaluator.__file__).with_name("migrations"))
        use_cases = Reports(database.sessions)
        verifier = only(TOKEN, "services/evaluator", Role.SERVICE)
        served = [
            server.service(
                use_cases, ReportExports(use_cases, Pictures(PictureStore(store, decoders)).thumbnail)
            ),
            comparison.service(Comparisons(database.sessions)),
        ]
        grpc_server = GrpcServer(served, verifier=verifier, address="127.0.0.1:0")
        async with grpc_server:
            address = f"127.0.0.1:{grpc_server.port}"
            async with connect(address, lambda: TOKEN, retries=False) as channel:
                yield ReportServiceUnderTest(
                    ReportServiceStub(channel),
                    ComparisonServiceStub(channel),
                    use_cases,
                    database,
                    store,
                    address,
                )


def _store(settings: ObjectStoreSettings) -> ObjectStore:
    return ObjectStore(load(kit_object_store.ObjectStoreSettings, settings.environment()))


def sample(
    number: int, true: str, predicted: str, confidence: float = 0.9, **fields: object
) -> report_pb2.SampleResult:
    """A predicted sample."""
    right = true == predicted
    known: dict[str, Any] = {
        "file": f"{true}/{number:06d}.jpg",
        "data_path": "datasets/d/paths/p",
        "sha256": f"{number:064x}",
        "true_code": true,
        "predicted_code": predicted,
        "verdict": report_pb2.VERDICT_CORRECT if right else report_pb2.VERDICT_MISJUDGED,
        "confidence": confidence,
        "top": [report_pb2.CodeScore(code=predicted, score=confidence)],
        "decided_by": report_pb2.DECIDED_BY_SOFTMAX,
        **fields,
    }
    return report_pb2.SampleResult(**known)


def set_aside(number: int, true: str) -> report_pb2.SampleResult:
    """A nonconforming sample."""
    return report_pb2.SampleResult(
        file=f"{true}/{number:06d}.jpg",
        data_path="datasets/d/paths/p",
        sha256=f"{number:064x}",
        true_code=true,
        verdict=report_pb2.VERDICT_NONCONFORMING,
        reason="RESOLUTION_TOO_LOW",
        message="16×16: the shorter side is under 32 px",
    )
