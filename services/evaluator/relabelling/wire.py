"""Marks between their values and `loupe.evaluator.v1`, and as lists for other programs."""

import contextlib
import csv
import io
import json
from collections.abc import Sequence
from uuid import UUID

from loupe.errors import Violation
from loupe.evaluator.v1 import relabel_pb2
from loupe.evaluator.v1 import relabel_service_pb2 as rpc

from services.evaluator import wire
from services.evaluator.cells import inert
from services.evaluator.domain.errors import FilterInvalid
from services.evaluator.relabelling.domain import Mark, MarkFilter, MarkNotFound, MarkState

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


def mark_id(name: str) -> UUID:
    """The id in `relabelMarks/{mark}`."""
    collection, _, text = name.partition("/")
    if collection == "relabelMarks":
        with contextlib.suppress(ValueError):
            return UUID(text)
    raise MarkNotFound(f"there is no mark {name!r}; names are relabelMarks/{{mark}}", mark=name)


def mark_filter(request: rpc.ListRelabelMarksRequest | rpc.ExportRelabelMarksRequest) -> MarkFilter:
    """Which marks a listing keeps."""
    try:
        state = MarkState(request.state) if request.state else None
    except ValueError as error:
        raise FilterInvalid.of(
            Violation("state", "INVALID", f"{error}; take one of the contract's")
        ) from error
    return MarkFilter(request.data_path, state, wire.report_id(request.report) if request.report else None)


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
    """The first line of a list."""
    return (",".join(_COLUMNS) + "\r\n").encode()


def csv_lines(marks: Sequence[Mark]) -> bytes:
    """A line a mark."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerows(inert(_line(value).values()) for value in marks)
    return lines.getvalue().encode()


def json_lines(marks: Sequence[Mark]) -> bytes:
    """An object a mark."""
    return "".join(json.dumps(_line(value), ensure_ascii=False) + "\n" for value in marks).encode()


def _line(value: Mark) -> dict[str, str]:
    known = {"state": value.state.name, "create_time": value.create_time.isoformat()}
    return {column: known.get(column) or str(getattr(value, column)) for column in _COLUMNS}
