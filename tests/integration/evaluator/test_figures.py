"""Figures, thresholds, definitions and exported files of a report (E1, E2)."""

import csv
import hashlib
import io
import json
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from google.protobuf import json_format
from loupe.errors import InvalidArgument, NotFound
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.registry.v1 import model_pb2

from services.evaluator.application.exporting import MAX_PICTURES_OF_CODE
from tests.integration.evaluator.conftest import CODES, ReportServiceUnderTest, sample, set_aside

A, B, SPECIAL = CODES


def pixels(code: str, intersection: int, truth: int, predicted: int) -> report_pb2.PixelCounts:
    return report_pb2.PixelCounts(code=code, intersection=intersection, truth=truth, predicted=predicted)


async def test_iou_is_of_all_pixels_and_absent_where_none_are_known(reports: ReportServiceUnderTest) -> None:
    """E1: samples without a mask do not count; a code in no mask has no IoU, a missed one has 0."""
    plain = await reports.create([sample(1, A, A)])
    assert not plain.HasField("segmentation")
    assert not plain.codes[0].HasField("iou")
    report = await reports.create(
        [
            sample(1, A, A, pixels=[pixels("", 60, 100, 80), pixels(A, 60, 100, 80)]),
            sample(2, A, B, pixels=[pixels("", 20, 100, 20), pixels(A, 0, 100, 0), pixels(B, 0, 0, 20)]),
            sample(3, B, B),
        ],
        job="jobs/2",
    )
    assert report.segmentation.sample_count == 2
    assert report.segmentation.defect.value == pytest.approx(80 / 220)
    assert report.codes[0].iou.value == pytest.approx(60 / 220)
    assert report.codes[1].iou.value == 0.0
    assert not report.codes[2].iou.HasField("value")
    assert report.segmentation.mean_iou == pytest.approx(30 / 220)
    assert await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=report.name)) == report


async def test_definitions_come_with_the_report(reports: ReportServiceUnderTest) -> None:
    """E1: the source's 准确率 means two things; the definitions say which one, in both languages."""
    report = await reports.create([sample(1, A, A)])
    defined = {item.id: item for item in report.definitions}
    assert "准确率" in defined["accuracy"].meaning
    assert all(item.term and item.term_zh and item.meaning and item.meaning_zh for item in report.definitions)
    listed = await reports.stub.ListReports(report_service_pb2.ListReportsRequest())
    assert not listed.reports[0].definitions


async def test_the_database_counts_what_each_threshold_leaves(reports: ReportServiceUnderTest) -> None:
    """E2: confidence at the threshold is kept, below goes to a human; nonconforming samples do not count."""
    report = await reports.create(
        [
            sample(1, A, A, 0.9),
            sample(2, A, A, 0.5),
            sample(3, A, B, 0.8),
            sample(4, B, B, 0.95),
            set_aside(5, A),
        ]
    )
    request = report_service_pb2.GetThresholdCurvesRequest(name=report.name, thresholds=[0.9, 0.0, 0.5])
    curves = await reports.stub.GetThresholdCurves(request)
    assert list(curves.thresholds) == [0.0, 0.5, 0.9]
    assert [item.precision for item in curves.overall.points] == pytest.approx([0.75, 0.75, 1.0])
    assert [item.to_human for item in curves.overall.points] == pytest.approx([0, 0, 0.5])
    of_a = curves.codes[0].points
    assert [item.recall for item in of_a] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert [item.to_human for item in of_a] == pytest.approx([0, 0, 2 / 3])
    assert not curves.codes[2].points[0].HasField("recall")
    by_default = await reports.stub.GetThresholdCurves(
        report_service_pb2.GetThresholdCurvesRequest(name=report.name)
    )
    assert len(by_default.thresholds) == 101
    assert len(by_default.codes) == len(CODES)


@pytest.mark.parametrize("thresholds", [[1.5], [n / 200 for n in range(102)], [float("nan")]])
async def test_invalid_thresholds_are_refused(
    reports: ReportServiceUnderTest, thresholds: list[float]
) -> None:
    """The number of thresholds is limited, and each is a share."""
    report = await reports.create([sample(1, A, A)])
    request = report_service_pb2.GetThresholdCurvesRequest(name=report.name, thresholds=thresholds)
    with pytest.raises(InvalidArgument, match="thresholds"):
        await reports.stub.GetThresholdCurves(request)


async def exported(
    reports: ReportServiceUnderTest,
    name: str,
    kind: report_service_pb2.ReportFormat.ValueType,
    language: str = "",
) -> tuple[str, bytes]:
    """Content type and bytes."""
    request = report_service_pb2.ExportReportRequest(name=name, format=kind, language=language)
    chunks = [chunk async for chunk in reports.stub.ExportReport(request)]
    assert len({chunk.content_type for chunk in chunks}) == 1
    return chunks[0].content_type, b"".join(chunk.data for chunk in chunks)


async def test_the_json_export_is_the_report_whole(reports: ReportServiceUnderTest) -> None:
    """It has the JSON form of the gateway, so that one reader can read both."""
    results = [sample(n, A, A if n % 2 else B) for n in range(1200)]
    report = await reports.create([*results, set_aside(2000, B)])
    kind, data = await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_JSON)
    document = json.loads(data)
    listed = await reports.samples(report.name, order_by="file", page_size=500)
    written = [json_format.ParseDict(item, report_pb2.SampleResult()) for item in document["sampleResults"]]
    assert written == listed
    assert document["sampleResults"][-1]["confidence"] == 0, "what is zero is written too"
    assert kind == "application/json"
    assert document["report"]["overall"]["accuracy"]["value"] == 0.5
    assert document["report"]["definitions"]
    assert len(document["thresholdCurves"]["thresholds"]) == 101


async def test_the_csv_export_has_one_line_a_sample_and_comes_in_pieces(
    reports: ReportServiceUnderTest,
) -> None:
    """Other programs read it: quotes, commas and line breaks in names must be kept."""
    odd = 'A, "quoted"\nname.jpg'
    results = [sample(n, A, A if n % 2 else B) for n in range(1200)]
    results += [set_aside(2000, B), sample(2001, B, B, 0.1, file=odd, pixels=[pixels("", 1, 2, 3)])]
    report = await reports.create(results, confidence_threshold=0.5)
    request = report_service_pb2.ExportReportRequest(
        name=report.name, format=report_service_pb2.REPORT_FORMAT_CSV
    )
    chunks = [chunk.data async for chunk in reports.stub.ExportReport(request)]
    assert len(chunks) > 1
    assert max(map(len, chunks)) < 128 * 1024
    rows = list(csv.DictReader(io.StringIO(b"".join(chunks).decode(), newline="")))
    assert len(rows) == len(results)
    by_file = {row["file"]: row for row in rows}
    assert by_file[odd]["to_human"] == "1"
    assert by_file[odd]["defect_pixels_true"] == "2"
    aside = by_file[f"{B}/002000.jpg"]
    assert (aside["verdict"], aside["reason"], aside["confidence"]) == (
        "NONCONFORMING",
        "RESOLUTION_TOO_LOW",
        "",
    )


class Page(HTMLParser):
    """The sources, scripts and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        self.scripts += [tag] if tag == "script" or any(name.startswith("on") for name, _ in attrs) else []

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.texts.append(data)


async def test_the_html_export_needs_no_other_file_and_no_script(reports: ReportServiceUnderTest) -> None:
    """It is sent by mail and opened years later; file names come from users and must not become markup."""
    picture = cv2.imencode(".png", np.full((40, 60, 3), 90, np.uint8))[1].tobytes()
    sha256 = hashlib.sha256(picture).hexdigest()
    await reports.store.put_bytes(f"samples/{sha256}", picture)
    hostile = f"{A}/<script>alert(1)</script>.png"
    results = [sample(n, B, A, 0.5 + n / 100, sha256="0" * 64) for n in range(MAX_PICTURES_OF_CODE + 5)]
    results += [sample(100, A, B, file=hostile, sha256=sha256), sample(101, A, A)]
    report = await reports.create(results)
    kind, data = await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_HTML, "zh")
    page = Page(data.decode())
    text = "".join(page.texts)
    assert kind == "text/html; charset=utf-8"
    assert page.scripts == []
    assert [source[:23] for source in page.sources] == ["data:image/jpeg;base64,"]
    assert hostile in text
    assert "5 not shown here" in text
    assert "5 个未在此显示" in text
    # Samples without a thumbnail say so.
    assert text.count("no picture") == MAX_PICTURES_OF_CODE
    assert b'id="zh" checked' in data
    for definition in report.definitions:
        assert definition.meaning in text
        assert definition.meaning_zh in text


@pytest.mark.parametrize(
    ("overlap", "sentences"),
    [
        (None, ("it was not checked", "不是正式的模型评估报告")),
        (
            model_pb2.TrainingOverlap(
                sample_count=400, trained_sample_count=312, trained_group_count=9, affected_sample_count=330
            ),
            ("312 of 400 samples and 9 groups", "no official report", "不是正式的模型评估报告"),
        ),
        (model_pb2.TrainingOverlap(sample_count=400), ("none of the samples", "均未参与训练")),
    ],
)
async def test_p7_the_page_says_whether_its_data_was_trained_with(
    reports: ReportServiceUnderTest, overlap: model_pb2.TrainingOverlap | None, sentences: tuple[str, ...]
) -> None:
    """P7: a page that is sent by mail must not be mistaken for the official report."""
    report = await reports.create(
        [sample(1, A, A)], kind=report_pb2.REPORT_KIND_PREDICTION, training_overlap=overlap
    )
    _, data = await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_HTML)
    assert [sentence for sentence in sentences if sentence not in data.decode()] == []


async def test_e4_the_page_says_of_which_look_the_weights_are(reports: ReportServiceUnderTest) -> None:
    """E4: accuracy over the split that chose the weights is a little optimistic; both scores are shown."""
    looks = model_pb2.TrainingLooks(
        classification=model_pb2.NetworkLooks(
            max_iteration=400,
            look_count=16,
            best_iteration=300,
            best_score=0.972,
            last_iteration=320,
            last_score=0.951,
            looks_since_best=1,
        )
    )
    report = await reports.create([sample(1, A, A)], looks=looks)
    assert report.looks == looks
    read = await reports.stub.GetReport(report_service_pb2.GetReportRequest(name=report.name))
    assert read.looks == looks
    _, data = await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_HTML)
    page = data.decode()
    assert "weights of iteration 300 of 400: validation accuracy 97.2 %" in page
    assert "last 95.1 %; ended early after iteration 320" in page
    assert "采用第 300 次迭代（共 400 次）的权重：验证准确率 97.2 %" in page
    assert not (await reports.create([sample(1, A, A)], job="jobs/2")).HasField("looks")


async def test_a_report_of_nothing_is_a_page_too(reports: ReportServiceUnderTest) -> None:
    """If no sample could be read, the page says so."""
    report = await reports.create([set_aside(n, A) for n in range(3)])
    _, data = await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_HTML)
    assert "3 nonconforming set aside" in data.decode()
    empty = await reports.create([], job="jobs/2")
    _, data = await exported(reports, empty.name, report_service_pb2.REPORT_FORMAT_JSON)
    assert json.loads(data)["sampleResults"] == []


async def test_what_cannot_be_exported_is_refused_before_the_first_byte(
    reports: ReportServiceUnderTest,
) -> None:
    """A failed download must not look like a file."""
    report = await reports.create([sample(1, A, A)])
    with pytest.raises(InvalidArgument, match="language"):
        await exported(reports, report.name, report_service_pb2.REPORT_FORMAT_HTML, "fr")
    for kind in (report_service_pb2.REPORT_FORMAT_CSV, report_service_pb2.REPORT_FORMAT_HTML):
        with pytest.raises(NotFound):
            await exported(reports, "reports/00000000-0000-0000-0000-000000000000", kind)
