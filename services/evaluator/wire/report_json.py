"""A report as one JSON document, in the field names of the gateway."""

import json
from collections.abc import Sequence

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.evaluator.domain.metrics import MeasuredReport, ThresholdView
from services.evaluator.domain.report import StoredSample
from services.evaluator.wire.reports import report, threshold_curves
from services.evaluator.wire.sample_results import stored_sample

END = b"]}"


def beginning(measured: MeasuredReport, view: ThresholdView) -> bytes:
    """The report and its curves. Samples follow, as `samples` writes them, then END."""
    messages = {
        "report": report(measured),
        "thresholdCurves": threshold_curves(view, measured.report.header.code_list),
    }
    members = [f'"{name}": {_json(message)}' for name, message in messages.items()]
    return ("{" + ",\n".join([*members, '"sampleResults": ['])).encode()


def samples(batch: Sequence[StoredSample], *, is_first: bool) -> bytes:
    """The next samples of the document, one a line."""
    lines = ",\n".join(_json(stored_sample(sample)) for sample in batch)
    return (("\n" if is_first else ",\n") + lines).encode()


def _json(message: Message) -> str:
    return json.dumps(MessageToDict(message, always_print_fields_with_no_presence=True), ensure_ascii=False)
