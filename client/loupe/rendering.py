"""What people see: tables, durations, sparklines and reports. Nothing here talks to a server."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from loupe import names
from loupe.evaluator.v1 import comparison_pb2, report_pb2
from loupe.language import pick, translated
from loupe.looks import described
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import bank_run_pb2, task_pb2
from loupe.text import encodable, human_bytes, visible
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"

STATE_STYLE = {
    "WAITING": "yellow",
    "TRAINING": "cyan",
    "PREDICTING": "cyan",
    "PACKAGING": "cyan",
    "TERMINATED": "magenta",
    "COMPLETED": "green",
    "FAILED": "red",
    "RELEASED": "bold green",
}


def message_json(message: Message) -> dict[str, Any]:
    """A message as JSON, the same as the gateway's: lowerCamelCase, fields without a value included."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def json_text(value: object) -> str:
    """A value as one line of JSON, which has no Infinity and no NaN: those are texts, as in messages.

    It can always be written as UTF-8.
    """
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)


def _finite(value: object) -> object:
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case str():
            return encodable(value)
        case Mapping():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
        case _:
            return value


def enum_word(enum: Any, value: int) -> str:  # noqa: ANN401 -- any generated enum
    """`TRAINING` of TASK_STATE_TRAINING."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return str(enum.Name(value)).removeprefix(prefix)


def state_of(task: task_pb2.Task) -> str:
    """The state's word; TERMINATING while the worker has not confirmed (T2)."""
    return "TERMINATING" if task.terminating else enum_word(task_pb2.TaskState, task.state)


def state_text(task: task_pb2.Task) -> Text:
    """The state, coloured."""
    word = state_of(task)
    return Text(word, style=STATE_STYLE.get(word, "yellow"))


def model_of(task: task_pb2.Task) -> str:
    """The model's name, or the version that a prediction tests or an export packages."""
    match task.WhichOneof("spec"):
        case "prediction":
            return judged(task.prediction)
        case "export":
            return names.short(task.export.model_version)
        case _:
            return task.training.model_name


def judged(value: task_pb2.PredictionSpec | bank_run_pb2.BankRun) -> str:
    """The version, or the model and the training that had none: `panel-adc, training 01jx4k`."""
    version = names.short(value.model_version) if value.model_version else ""
    if not value.training_task:
        return version
    return f"{version or value.model}, training {names.short(value.training_task)}"


def version_of(task: task_pb2.Task) -> str:
    """The released version; before that the target's major (T3)."""
    if task.model_version:
        return names.short(task.model_version).partition("@")[2]
    if task.WhichOneof("spec") == "training" and task.training.target_major:
        return f"v{task.training.target_major}"
    return ""


def duration_s(duration: Duration) -> float:
    """A duration message in seconds."""
    return duration.seconds + duration.nanos / 1e9


def human_duration(seconds: float) -> str:
    """`4.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def amounts(value: Any) -> str:  # noqa: ANN401 -- Amounts
    """`2 GPU, 8 CPU, 34.4 GB`; GPUs only where there are any."""
    gpus = f"{value.gpus} GPU, " if value.gpus else ""
    return f"{gpus}{value.cpus} CPU, {human_bytes(value.memory_bytes)}"


def local_time(timestamp: Timestamp) -> str:
    """A timestamp in the reader's time zone; empty where it is not set."""
    if not timestamp.seconds:
        return ""
    return timestamp.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def elapsed_s(task: task_pb2.Task, now: datetime) -> float | None:
    """How long the present attempt has run, or ran."""
    if not task.HasField("start_time"):
        return None
    end = task.end_time.ToDatetime(UTC) if task.HasField("end_time") else now
    return max((end - task.start_time.ToDatetime(UTC)).total_seconds(), 0.0)


def remaining(progress: task_pb2.Progress) -> str:
    """`about 2 min 05 s (1 min 40 s – 3 min)`; the range where it is known, and empty where nothing is."""
    if not progress.HasField("remaining"):
        return ""
    text = f"about {human_duration(duration_s(progress.remaining))}"
    if progress.HasField("remaining_low") and progress.HasField("remaining_high"):
        low, high = (human_duration(duration_s(d)) for d in (progress.remaining_low, progress.remaining_high))
        text += f" ({low} – {high})"
    return text


def sparkline(values: Sequence[float], width: int) -> str:
    """The values' course in `width` characters, each the mean of its stretch; NaN leaves a gap."""
    if not values or width < 1:
        return ""
    stretches: list[float] = []
    columns = min(width, len(values))
    for column in range(columns):
        stretch = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        finite = [value for value in stretch if math.isfinite(value)]
        stretches.append(sum(finite) / len(finite) if finite else math.nan)
    finite = [value for value in stretches if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    top = len(_BARS) - 1
    return "".join(
        " " if not math.isfinite(value) else _BARS[round((value - low) / span * top) if span else 0]
        for value in stretches
    )


def percent(share: float) -> str:
    """`97.5 %`."""
    return f"{100 * share:.1f} %"


def share(message: Any, field: str) -> str:  # noqa: ANN401 -- any message with such a field
    """An optional share in percent, or a dash where it is undefined."""
    return percent(getattr(message, field)) if message.HasField(field) else "–"


def figure(message: Any, field: str) -> str:  # noqa: ANN401 -- any message with such a field
    """An optional figure from 0 to 1, or a dash where it is undefined."""
    return f"{getattr(message, field):.3f}" if message.HasField(field) else "–"


def estimate(value: report_pb2.Estimate) -> str:
    """`97.5 % [93.1–99.2]`, or a dash where it is undefined."""
    if not value.HasField("value"):
        return "–"
    return f"{percent(value.value)} [{100 * value.low:.1f}–{100 * value.high:.1f}]"


def table(*columns: str, rows: Iterable[Sequence[RenderableType]], right: Iterable[str] = ()) -> Table:
    """A plain table; the columns in `right` are aligned to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    to_the_right = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in to_the_right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(visible(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def facts(pairs: Mapping[str, RenderableType]) -> Table:
    """Names and values, one below the other; empty values are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if value != "":
            made.add_row(name, visible(value) if isinstance(value, str) else value)
    return made


def task_table(tasks: Sequence[task_pb2.Task], now: datetime) -> Table:
    """The list of T3."""
    rows = []
    for task in tasks:
        elapsed = elapsed_s(task, now)
        rows.append(
            (
                names.short(task.name),
                model_of(task),
                version_of(task),
                state_text(task),
                names.short(task.creator),
                "" if elapsed is None else human_duration(elapsed),
                f"{task.progress.overall_fraction:.0%}",
                local_time(task.create_time),
            )
        )
    return table(
        "TASK",
        "MODEL",
        "VERSION",
        "STATE",
        "CREATOR",
        "DURATION",
        "PROGRESS",
        "CREATED",
        rows=rows,
        right=["PROGRESS"],
    )


def stage_rows(task: task_pb2.Task) -> list[tuple[str, str, str, str]]:
    """Name, state, duration and finding of each preprocessing stage (M1)."""
    rows = []
    for stage in task.stages:
        state = enum_word(task_pb2.StageState, stage.state).lower()
        took = human_duration(duration_s(stage.duration)) if stage.HasField("duration") else ""
        finding = f"{stage.sample_count} samples" if stage.sample_count else ""
        if stage.name == task_pb2.STAGE_NAME_RESOLUTION_FILTER and stage.sample_count:
            finding += f", {stage.nonconforming_count} nonconforming"
        if stage.name == task_pb2.STAGE_NAME_SPLIT and state == "done":
            finding = f"{stage.train_count} to train with, {stage.validation_count} to validate with"
        name = enum_word(task_pb2.StageName, stage.name).lower().replace("_", " ")
        rows.append((name, state, took, finding.removeprefix(", ")))
    return rows


def task_details(task: task_pb2.Task, now: datetime) -> RenderableType:
    """Everything that a person asks of one task."""
    elapsed = elapsed_s(task, now)
    pairs: dict[str, RenderableType] = {
        "task": task.name,
        "model": f"{model_of(task)} {version_of(task)}",
        "state": state_text(task),
        "phase": enum_word(task_pb2.Phase, task.phase).lower() if task.phase else "",
        "waits": pick(task.wait.message, task.wait.message_zh) if task.wait.reason else "",
        "progress": f"{task.progress.overall_fraction:.0%}",
        "remaining": remaining(task.progress),
        "attempt": f"{task.attempt}"
        + (f", taken up again {task.recoveries} times" if task.recoveries else ""),
        "created": f"{local_time(task.create_time)} by {names.short(task.creator)}",
        "duration": "" if elapsed is None else human_duration(elapsed),
        "failure": failure(task.failure) if task.failure.code else "",
        "terminated": f"by {names.short(task.terminator)}" if task.terminator else "",
        "report": task.report,
        "weights": looks(task),
        "released": names.short(task.model_version) if task.model_version else "",
    }
    data_paths = task.training.data_paths or task.prediction.data_paths
    pairs["data"] = ", ".join(names.short(path) for path in data_paths)
    if task.WhichOneof("spec") == "prediction":
        pairs["bank"] = question_bank(task.prediction)
        pairs["left out"] = left_out(task.prediction)
        pairs["overlap"] = training_overlap(task.prediction)
    if task.WhichOneof("spec") == "training":
        pairs["image"] = names.short(task.training.algorithm_image_version)
        pairs["environment"] = names.short(task.training.production_environment)
        pairs["retrains"] = names.short(task.training.parent_version) if task.training.parent_version else ""
        if any(stage.contact_sheet_sha256 for stage in task.stages):
            pairs["augmentation"] = f"before and after: loupe contact-sheet {names.short(task.name)}"
    parts: list[RenderableType] = [facts(pairs)]
    if task.stages:
        parts += ["", table("STAGE", "STATE", "DURATION", "RESULT", rows=stage_rows(task))]
    if task.failure.log_tail:
        parts += ["", Text("end of the log", style="bold"), Text(task.failure.log_tail)]
    return Group(*parts)


def failure(value: task_pb2.Failure) -> str:
    """The cause of a failed task, with its code and what to do, in the reader's language (M6)."""
    parts = (pick(value.message, value.message_zh), pick(value.remedy, value.remedy_zh))
    return f"{value.code}: " + pick("; ", "；").join(part for part in parts if part)


def looks(value: task_pb2.Task | report_pb2.Report | model_pb2.ModelVersion) -> str:
    """Of which look at the validation split each network's weights are (E4); empty where it is not known."""
    return "\n".join(pick(*told) for told in described(value.looks))


def training_overlap(value: task_pb2.PredictionSpec | report_pb2.Report) -> RenderableType:
    """Whether the data of a prediction was trained with, and that its report is then not official (P7)."""
    if not value.HasField("training_overlap"):
        return Text(
            translated(
                "nobody looked whether the version was trained with this data: not official; predict again"
            ),
            style="yellow",
        )
    overlap = value.training_overlap
    if not overlap.affected_sample_count:
        return translated("none of the samples and groups was trained with")
    return Text(
        translated(
            "{trained_sample_count} of {sample_count} samples and {trained_group_count} "
            "groups were trained or validated with ({affected_sample_count} samples in "
            "all): not official",
            trained_sample_count=overlap.trained_sample_count,
            sample_count=overlap.sample_count,
            trained_group_count=overlap.trained_group_count,
            affected_sample_count=overlap.affected_sample_count,
        ),
        style="bold yellow",
    )


def question_bank(value: task_pb2.PredictionSpec | report_pb2.Report) -> str:
    """`panels-june, revision 2`; empty where data paths were named themselves."""
    bank, _, number = value.question_bank.partition("/revisions/")
    return f"{names.short(bank)}, revision {number}" if bank else ""


def left_out(value: task_pb2.PredictionSpec | report_pb2.Report) -> RenderableType:
    """How many samples a prediction left out because they were trained with (P7)."""
    if not value.excluded_sample_count:
        return ""
    return Text(
        translated(
            "{count} samples that were trained with or share a group with those; what is left was judged",
            count=value.excluded_sample_count,
        ),
        style="yellow",
    )


def report(value: report_pb2.Report) -> RenderableType:
    """A report whole: overall, per code, confusion matrix, and what the terms mean (E1, P3)."""
    overall = value.overall
    if value.kind == report_pb2.REPORT_KIND_VALIDATION:
        kind = "validation split"
    else:
        kind = "question bank" if value.question_bank else "prediction over data paths"
    head: dict[str, RenderableType] = {
        "report": f"{value.name} ({kind})",
        "task": value.task,
        "model": names.short(value.model_version) if value.model_version else "",
        "training": f"{value.training_task}, judged before its release" if value.training_task else "",
        "bank": question_bank(value),
        "data": ", ".join(names.short(path) for path in value.data_paths),
        "weights": looks(value),
        "left out": left_out(value),
        "overlap": training_overlap(value) if value.kind == report_pb2.REPORT_KIND_PREDICTION else "",
        "samples": f"{overall.sample_count}, {overall.correct_count} correct"
        + (f"; {value.nonconforming_count} nonconforming set aside" if value.nonconforming_count else ""),
        "accuracy": Text.assemble(
            (estimate(overall.accuracy), "bold"), f"   majority class {share(overall, 'majority_share')}"
        ),
        "macro": f"precision {share(overall, 'macro_precision')}, recall {share(overall, 'macro_recall')}, "
        f"F1 {share(overall, 'macro_f1')}",
        "IoU": _segmentation(value.segmentation) if value.HasField("segmentation") else "",
        "to a human": f"{value.below_threshold_count} below confidence {value.confidence_threshold:g}"
        if value.confidence_threshold
        else "",
        "speed": f"{value.images_per_s:.0f} images/s" if value.images_per_s else "",
    }
    rows: list[Sequence[RenderableType]] = [
        (
            Text(code.code + (" *" if code.special else "")),
            str(code.support),
            estimate(code.precision),
            estimate(code.recall),
            figure(code, "f1"),
            *([share(code.iou, "value")] if value.HasField("segmentation") else []),
            str(code.misjudged_count),
            str(code.nonconforming_count),
        )
        for code in value.codes
    ]
    iou = ["IOU"] if value.HasField("segmentation") else []
    columns = ("CODE", "SUPPORT", "PRECISION", "RECALL", "F1", *iou, "MISJUDGED", "NONCONFORMING")
    parts: list[RenderableType] = [facts(head), "", table(*columns, rows=rows, right=columns[1:])]
    if any(code.special for code in value.codes):
        parts.append(Text("* special defect: outside the classifier's classes", style="dim"))
    if value.confusion.size:
        parts += [
            "",
            Text("confusion matrix: a row is the true code, a column the predicted one", style="bold"),
        ]
        parts.append(confusion(value))
    defined = {pick(its.term, its.term_zh): pick(its.meaning, its.meaning_zh) for its in value.definitions}
    parts += ["", facts({term: Text(meaning, style="dim") for term, meaning in defined.items()})]
    return Group(*parts)


def _segmentation(value: report_pb2.Segmentation) -> str:
    defect, mean = share(value.defect, "value"), share(value, "mean_iou")
    return f"defect {defect}, mean over codes {mean}, of {value.sample_count} samples with masks"


def threshold_curves(value: report_pb2.ThresholdCurves) -> Table:
    """Precision, recall and share to a human at each threshold, overall first (E2)."""
    rows = [
        (
            f"{threshold:g}",
            curve.code or "all",
            *(share(curve.points[index], name) for name in ("precision", "recall", "to_human")),
        )
        for index, threshold in enumerate(value.thresholds)
        for curve in (value.overall, *value.codes)
    ]
    columns = ("THRESHOLD", "CODE", "PRECISION", "RECALL", "TO A HUMAN")
    return table(*columns, rows=rows, right=columns[2:])


def comparison(value: comparison_pb2.Comparison) -> RenderableType:
    """Two reports side by side: what changed, per code, and what it proves (P2)."""
    apart = {
        "only in base": value.base_only_count,
        "only in candidate": value.candidate_only_count,
        "nonconforming in one": value.not_judged_count,
        "under another true code": value.relabelled_count,
    }
    head: dict[str, RenderableType] = {
        "base": value.base,
        "candidate": value.candidate,
        "samples": f"{value.compared_count} judged by both",
        "left out": ", ".join(f"{count} {why}" for why, count in apart.items() if count),
        "codes of base alone": ", ".join(value.base_only_codes),
        "codes of candidate alone": ", ".join(value.candidate_only_codes),
    }
    rows = [
        _change_row(Text(code, style="bold" if code == "all" else ""), changes)
        for code, changes in (("all", value.overall), *((its.code, its.changes) for its in value.codes))
    ]
    columns = ("CODE", "FIXED", "REGRESSED", "STILL RIGHT", "STILL WRONG", "P", "")
    sentence = Text(pick(value.overall.message, value.overall.message_zh), style="bold")
    note = Text("P: McNemar's exact test; of a code corrected for having looked at all (Holm)", style="dim")
    return Group(facts(head), "", sentence, "", table(*columns, rows=rows, right=columns[1:6]), note)


_CONCLUSIONS = {
    comparison_pb2.CONCLUSION_CANDIDATE_BETTER: Text("better", style="green"),
    comparison_pb2.CONCLUSION_BASE_BETTER: Text("worse", style="red"),
}


def _change_row(name: Text, value: comparison_pb2.Changes) -> tuple[RenderableType, ...]:
    return (
        name,
        Text(str(value.fixed_count), style="green" if value.fixed_count else "dim"),
        Text(str(value.regressed_count), style="red" if value.regressed_count else "dim"),
        str(value.unchanged_right_count),
        str(value.unchanged_wrong_count),
        f"{value.adjusted_p_value:.2g}",
        _CONCLUSIONS.get(value.conclusion, Text("no difference shown", style="dim")),
    )


def confusion(value: report_pb2.Report) -> Table:
    """The confusion matrix, the diagonal in green, what is wrong in red."""
    size, codes = value.confusion.size, list(value.code_list)
    rows: list[list[RenderableType]] = []
    for true in range(size):
        counts = value.confusion.counts[true * size : (true + 1) * size]
        row: list[RenderableType] = [Text(codes[true], style="bold")]
        for predicted, count in enumerate(counts):
            style = "green" if predicted == true else "red" if count else "dim"
            row.append(Text(str(count) if count else "·", style=style))
        rows.append(row)
    return table("", *codes[:size], rows=rows, right=codes)


def is_for_people(console: Console) -> bool:
    """Whether a person looks at a terminal, and pictures that move may be drawn."""
    return console.is_terminal and not console.is_dumb_terminal
