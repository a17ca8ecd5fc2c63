"""Import reports as messages."""

from loupe.registry.v1 import import_report_pb2 as pb

from services.registry.domain.import_reports import FACTS, ImportReport, LineKind, ReportFacts, ReportLine
from services.registry.wire import names
from services.registry.wire.values import timestamp

_LINE = ("file", "reason", "message", "message_zh", "sample_file")


def report_out(value: ImportReport) -> pb.ImportReport:
    """As a message."""
    return pb.ImportReport(
        name=names.IMPORT_REPORT.make(value.dataset, value.path, value.id),
        creator=value.creator,
        create_time=timestamp(value.create_time),
        line_counts=[
            pb.ImportReport.LineCount(kind=_kind_out(one.kind), reason=one.reason, count=one.count)
            for one in value.line_counts
        ],
        **{name: getattr(value.facts, name) for name in FACTS},
    )


def facts_in(message: pb.ImportReport) -> ReportFacts:
    """What an importer tells of an import as a whole."""
    return ReportFacts(**{name: getattr(message, name) for name in FACTS})


def line_out(value: ReportLine) -> pb.ImportReportLine:
    """As a message."""
    kind = _kind_out(value.kind) if value.kind else pb.ImportReportLine.KIND_UNSPECIFIED
    return pb.ImportReportLine(kind=kind, **{name: getattr(value, name) for name in _LINE})


def line_in(message: pb.ImportReportLine) -> ReportLine:
    """What an importer tells of a file."""
    return ReportLine(kind_in(message.kind), *(getattr(message, name) for name in _LINE))


def kind_in(kind: int) -> LineKind | None:
    """None where it is not said, or is of a later version."""
    if kind not in pb.ImportReportLine.Kind.values() or not kind:
        return None
    return LineKind(pb.ImportReportLine.Kind.Name(kind).removeprefix("KIND_"))  # type: ignore[arg-type]


def _kind_out(kind: LineKind) -> pb.ImportReportLine.Kind.ValueType:
    return pb.ImportReportLine.Kind.Value(f"KIND_{kind}")
