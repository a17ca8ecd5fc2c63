"""Marks between their values and `loupe.evaluator.v1`, and as CSV and JSON lines."""

import csv
import io
import json
from collections.abc import Sequence

from loupe.evaluator.v1 import relabel_pb2
from loupe.evaluator.v1 import relabel_service_pb2 as rpc
from loupe.spreadsheet import escape_formulas

from services.evaluator.domain.relabelling import Mark, MarkFilter, MarkState
from services.evaluator.wire.names import report_id
from services.evaluator.wire.values import optional_enum

_COLUMNS = (
    "data_path",
    "file",
    "sha256",
    "wrong_code",
    "right_code",
    "state",
    "new_file",
    "note",
    "creator",
    "create_time",
    "name",
)


def mark_filter(request: rpc.ListRelabelMarksRequest | rpc.ExportRelabelMarksRequest) -> MarkFilter:
    """The marks that a request asks for."""
    return MarkFilter(
        data_path=request.data_path,
        state=optional_enum(MarkState, request.state, "state"),
        report_id=report_id(request.report) if request.report else None,
    )


def mark(value: Mark) -> relabel_pb2.RelabelMark:
    """One mark."""
    message = relabel_pb2.RelabelMark(
        name=value.name,
        data_path=value.data_path,
        file=value.file,
        sha256=value.sha256,
        wrong_code=value.wrong_code,
        right_code=value.right_code,
        note=value.note,
        sample_result=value.sample_result,
        creator=value.creator,
        state=relabel_pb2.RelabelState.ValueType(value.state),
        new_file=value.new_file,
        message=value.message,
    )
    message.create_time.FromDatetime(value.create_time)
    if value.apply_time is not None:
        message.apply_time.FromDatetime(value.apply_time)
    return message


def csv_head() -> bytes:
    """The header of the CSV file."""
    return (",".join(_COLUMNS) + "\r\n").encode()


def csv_lines(marks: Sequence[Mark]) -> bytes:
    """Rows of the CSV file, one a mark."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerows(escape_formulas(_fields(value).values()) for value in marks)
    return lines.getvalue().encode()


def json_lines(marks: Sequence[Mark]) -> bytes:
    """JSON objects, one a line and a mark."""
    return "".join(json.dumps(_fields(value), ensure_ascii=False) + "\n" for value in marks).encode()


def _fields(value: Mark) -> dict[str, str]:
    formatted = {"state": value.state.name, "create_time": value.create_time.isoformat()}
    return {column: formatted.get(column) or str(getattr(value, column)) for column in _COLUMNS}
