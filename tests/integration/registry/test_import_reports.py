"""Reports of imports are kept with their data path (D7)."""

import secrets

import pytest
from loupe.access.v1 import access_pb2
from loupe.errors import InvalidArgument, NotFound, PermissionDenied
from loupe.registry.v1 import dataset_service_pb2 as rpc
from loupe.registry.v1 import import_report_pb2 as pb

from .conftest import Caller, Registry, new_path

LEFT_OUT, DOUBTFUL = pb.ImportReportLine.KIND_LEFT_OUT, pb.ImportReportLine.KIND_DOUBTFUL


def line(
    number: int, kind: pb.ImportReportLine.Kind.ValueType = LEFT_OUT, **changes: str
) -> pb.ImportReportLine:
    values = {"file": f"a{number}.gif", "reason": "OTHER_FORMAT", "message": "GIF", "message_zh": "不支持"}
    return pb.ImportReportLine(kind=kind, **{**values, **changes})


async def save(
    caller: Caller,
    path: str,
    report: str,
    lines: list[pb.ImportReportLine],
    first_line: int = 0,
    **facts: object,
) -> pb.ImportReport:
    answer: pb.ImportReport = await caller.data.SaveImportReport(
        rpc.SaveImportReportRequest(
            parent=path,
            import_report_id=report,
            import_report=pb.ImportReport(**facts),
            first_line=first_line,
            lines=lines,
        )
    )
    return answer


async def lines_of(caller: Caller, report: str, **filters: object) -> list[pb.ImportReportLine]:
    found: list[pb.ImportReportLine] = []
    request = rpc.ListImportReportLinesRequest(parent=report, page_size=2, **filters)
    while True:
        answer = await caller.data.ListImportReportLines(request)
        found.extend(answer.lines)
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            return found


async def test_a_report_is_there_after_the_import(engineer: Caller, viewer: Caller) -> None:
    """Whoever looks at the data later must see what was left out, and who imported it when."""
    path = await new_path(engineer)
    first = [line(number) for number in range(3)]
    second = [line(3, DOUBTFUL, reason="FEW_BITS", sample_file="TPFIP/a3.png"), line(4, file="100%_a.gif")]
    facts = {"folder": "line-3", "found_count": 9, "size_bytes": 2**40, "line_count": 5, "bits": 12}
    for _ in range(2):  # every call may be repeated
        await save(engineer, path, "r1", first, **facts)
        report = await save(engineer, path, "r1", second, 3, found_count=7)
    assert report.name == f"{path}/importReports/r1"
    assert (report.folder, report.found_count, report.size_bytes, report.bits) == ("line-3", 9, 2**40, 12)
    assert report.creator.startswith("users/")
    assert report.create_time.seconds
    assert [(one.kind, one.reason, one.count) for one in report.line_counts] == [
        (LEFT_OUT, "OTHER_FORMAT", 4),
        (DOUBTFUL, "FEW_BITS", 1),
    ]
    assert await viewer.data.GetImportReport(rpc.GetImportReportRequest(name=report.name)) == report
    assert await lines_of(viewer, report.name) == [*first, *second]
    assert await lines_of(viewer, report.name, kind=DOUBTFUL) == second[:1]
    assert await lines_of(viewer, report.name, reason="OTHER_FORMAT", file="%_A") == second[1:]


async def test_the_newest_reports_of_a_path_are_kept(engineer: Caller) -> None:
    """A path that is filled every hour must not keep reports for ever."""
    path = await new_path(engineer)
    for number in range(22):
        await save(engineer, path, f"r{number}", [line(0)])
    request = rpc.ListImportReportsRequest(parent=path, page_size=15)
    listed = await engineer.data.ListImportReports(request)
    request.page_token = listed.next_page_token
    rest = await engineer.data.ListImportReports(request)
    names = [one.name for one in [*listed.import_reports, *rest.import_reports]]
    assert names == [f"{path}/importReports/r{number}" for number in range(21, 1, -1)]
    with pytest.raises(NotFound, match="the last 20 of a path are kept"):
        await engineer.data.GetImportReport(rpc.GetImportReportRequest(name=f"{path}/importReports/r1"))
    with pytest.raises(NotFound):
        await lines_of(engineer, f"{path}/importReports/r1")


async def test_a_report_is_its_owners_and_within_bounds(registry: Registry, engineer: Caller) -> None:
    """A4: others do not write into a path. What cannot be kept is refused by name."""
    path = await new_path(engineer)
    other = await registry.with_role(access_pb2.ROLE_ENGINEER)
    with pytest.raises(PermissionDenied):
        await save(other, path, "r", [])
    refused = {
        "lines": [line(0)] * 1001,
        "lines[0].kind": [line(0, pb.ImportReportLine.KIND_UNSPECIFIED)],
        "lines[0].file": [line(0, file="a\x1bb")],
        "lines[0].message": [line(0, message="x" * 2001)],
    }
    for at, lines in refused.items():
        with pytest.raises(InvalidArgument) as caught:
            await save(engineer, path, "r", lines)
        assert [one.field for one in caught.value.violations] == [at]
    with pytest.raises(InvalidArgument, match="no count"):
        await save(engineer, path, "r", [], found_count=-1)
    with pytest.raises(InvalidArgument, match="the first 20000"):
        await save(engineer, path, "r", [line(0)], 20_000)


async def test_reports_go_with_their_path(registry: Registry, engineer: Caller) -> None:
    """D8: a purged path leaves nothing behind, and the next of its name begins without reports."""
    dataset = f"set-{secrets.token_hex(4)}"
    path = await new_path(engineer, dataset)
    await save(engineer, path, "r", [line(0)])
    deleted = await engineer.data.DeleteDataPath(rpc.DeleteDataPathRequest(name=path))
    with pytest.raises(NotFound):
        await engineer.data.GetImportReport(rpc.GetImportReportRequest(name=f"{path}/importReports/r"))
    await registry.admin.data.PurgeDataPath(rpc.PurgeDataPathRequest(name=deleted.name))
    await new_path(engineer, dataset)
    listed = await engineer.data.ListImportReports(rpc.ListImportReportsRequest(parent=path))
    assert not listed.import_reports
