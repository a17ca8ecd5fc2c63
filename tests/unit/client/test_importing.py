import io
import os
import socket
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3
from loupe.commands.data import import_json, import_summary
from loupe.errors import Unavailable
from loupe.folders import FolderUnreadable, read_folder
from loupe.import_report import keep_report, report_lines
from loupe.importing import ImportOutcome, ImportResult, SampleImport, _Content, _hash, _masks_left_out
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, import_report_pb2
from rich.console import Console


def test_an_object_store_that_is_away_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback says nothing to who imports, and the link in it is a credential."""
    nobody: Any = None
    importing = SampleImport(nobody, lambda _: None)
    monkeypatch.setattr(importing, "_http", urllib3.PoolManager(retries=False))
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    with socket.socket() as unheard:
        # Bound and not listening: nobody else gets the port meanwhile.
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/loupe/a?X-Amz-Signature=secret"
        with file.open("rb") as body, pytest.raises(Unavailable, match="does not answer") as caught:
            importing._send(url, body, [[_Content(file, "", 1)]])
    assert "secret" not in caught.value.message


class _NoRoom(BaseHTTPRequestHandler):
    """An object store whose disk is full."""

    def do_PUT(self) -> None:
        """Answer as it does."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_object_store_without_room_is_told_with_the_operators_remedy(tmp_path: Path) -> None:
    """What it answers last, not the exception of a library; and what the operator should look at."""
    nobody: Any = None
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoRoom) as store:
        Thread(target=store.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{store.server_address[1]}/loupe/a?X-Amz-Signature=secret"
        with file.open("rb") as body, pytest.raises(Unavailable, match="answered 500") as caught:
            SampleImport(nobody, lambda _: None)._send(url, body, [[_Content(file, "", 1)]])
        store.shutdown()
    assert "disk is full" in caught.value.message
    assert "secret" not in caught.value.message
    assert "磁盘" in caught.value.facts["message_zh"]


@pytest.mark.parametrize(
    ("files", "refused", "left_out"),
    [
        ("a.jpg a.png", {"a.jpg": "EMPTY"}, {"a.png": "PICTURE_REFUSED"}),
        ("a.jpg a.png", {"a.jpg": "TRUNCATED"}, {"a.png": "PICTURE_REFUSED"}),
        ("a.jpg a.png", {"a.jpg": "BAD_NAME"}, {"a.png": "PICTURE_REFUSED"}),
        ("b.png b_mask.png", {"b.png": "NOT_AN_IMAGE"}, {"b_mask.png": "PICTURE_REFUSED"}),
        ("c.png c.mask.png", {"c.png": "EMPTY"}, {"c.mask.png": "PICTURE_REFUSED"}),
        ("c.png c.mask.png", {"c.png": "BAD_MASK"}, {}),
        ("a.jpg a.png", {}, {"a.png": "BAD_MASK"}),
        ("c.png c.mask.png", {}, {}),
    ],
)
def test_the_mask_of_a_refused_picture_gets_a_line(
    tmp_path: Path, files: str, refused: dict[str, str], left_out: dict[str, str]
) -> None:
    """D7: a good photo whose name makes it the mask of a broken one would vanish without a word."""
    folder = tmp_path / "T"
    folder.mkdir()
    for name in files.split():
        (folder / name).write_bytes(b"x")
    outcomes = [
        dataset_pb2.SampleOutcome(file=f"T/{name}", outcome=ImportOutcome.OUTCOME_REJECTED, reason=reason)
        for name, reason in refused.items()
    ]
    # What the registry says of a guess before its picture is offered alone.
    no_masks = {"T/a.jpg": "it shows colours"}
    told = list(_masks_left_out(read_folder(tmp_path).samples, outcomes, no_masks))
    assert {item.file: item.reason for item in told} == {f"T/{name}": why for name, why in left_out.items()}
    assert all(name in item.message for item in told for name in refused)


@pytest.mark.parametrize("file", ["T/a.png", "groups.csv"])
def test_a_file_that_may_be_a_hole_of_terabytes_is_not_read(tmp_path: Path, file: str) -> None:
    """D7: a sparse file takes no room on disk, and would hold up the import for hours."""
    (tmp_path / "T").mkdir()
    (tmp_path / "T" / "a.png").touch()
    (tmp_path / file).touch()
    os.truncate(tmp_path / file, 2**40)
    if file == "groups.csv":
        with pytest.raises(FolderUnreadable, match="larger than"):
            read_folder(tmp_path)
        return
    (sample,) = read_folder(tmp_path).samples
    outcome = _hash(sample)
    assert isinstance(outcome, dataset_pb2.SampleOutcome)
    assert (outcome.reason, outcome.message_zh[:4]) == ("TOO_LARGE", "文件过大")


def test_what_the_registry_refused_is_told_in_the_language_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry says each reason in both; scripts read the English one in every language."""
    (tmp_path / "T").mkdir()
    for name in ("a.jpg", "b.png", "b.mask.png"):
        (tmp_path / "T" / name).write_bytes(b"x")
    refused = ImportOutcome.OUTCOME_REJECTED
    result = ImportResult(
        dataset_pb2.DataPath(name="datasets/d/paths/main"),
        (
            dataset_pb2.SampleOutcome(
                file="T/a.jpg", outcome=refused, reason="EMPTY", message="it is empty", message_zh="文件为空"
            ),
            dataset_pb2.SampleOutcome(
                file="T/b.png",
                outcome=refused,
                reason="BAD_MASK",
                message="it shows colours",
                message_zh="掩膜含有彩色",
            ),
        ),
        0,
        0,
    )
    listing = read_folder(tmp_path)
    result = replace(result, lines=tuple(report_lines(listing, result)))
    told = {}
    for language in ("en_US.UTF-8", "zh_CN.UTF-8"):
        monkeypatch.setenv("LC_ALL", language)
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(import_summary(listing, result))
        told[language] = console.export_text()
        assert [row["message"] for row in import_json(listing, result)["rejected"]] == [
            "it is empty",
            "it shows colours; b.png is not taken without it",
        ]
    assert "it is empty" in told["en_US.UTF-8"]
    assert "b.png is not taken without it" in told["en_US.UTF-8"]
    assert "文件为空" in told["zh_CN.UTF-8"]
    assert "掩膜含有彩色；没有它，b.png 也未导入" in told["zh_CN.UTF-8"]
    assert "it is empty" not in told["zh_CN.UTF-8"]


def test_what_is_taken_and_doubtful_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D6: a picture that is dark by its camera's depth is taken, and the report says so."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    (tmp_path / "T").mkdir()
    (tmp_path / "T/a.png").write_bytes(b"x")
    doubt = dataset_pb2.SampleOutcome(
        file="T/a.png",
        outcome=ImportOutcome.OUTCOME_UNCHANGED,
        reason="FEW_BITS",
        message="it is dark",
        message_zh="图片很暗",
    )
    result = ImportResult(dataset_pb2.DataPath(name="datasets/d/paths/main"), (doubt,), 0, 0)
    listing = read_folder(tmp_path)
    result = replace(result, lines=tuple(report_lines(listing, result)))
    assert result.rejected == ()
    assert import_json(listing, result)["doubtful"] == [
        {"file": "T/a.png", "reason": "FEW_BITS", "message": "it is dark", "messageZh": "图片很暗"}
    ]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(import_summary(listing, result))
    assert "图片很暗" in console.export_text()


class Registry:
    """Keeps the lines of one report, or is away."""

    def __init__(self, fault: Unavailable | None = None) -> None:
        self.lines: list[Any] = []
        self._fault = fault

    async def SaveImportReport(  # noqa: N802 -- as the stub has it
        self, request: dataset_service_pb2.SaveImportReportRequest
    ) -> import_report_pb2.ImportReport:
        """Takes the lines in order."""
        if self._fault:
            raise self._fault
        assert request.first_line == len(self.lines)
        self.lines += request.lines
        return import_report_pb2.ImportReport(name=f"{request.parent}/importReports/r")


async def test_the_lines_that_are_shown_are_those_that_the_registry_keeps(tmp_path: Path) -> None:
    """D7: they are made once, so that they cannot differ; they are shown where the registry is away too."""
    (tmp_path / "T").mkdir()
    (tmp_path / "T/a.txt").write_bytes(b"x")
    outcome = dataset_pb2.SampleOutcome(
        file="T/b.jpg", outcome=ImportOutcome.OUTCOME_REJECTED, reason="EMPTY", message="it is empty"
    )
    result = ImportResult(dataset_pb2.DataPath(name="datasets/d/paths/main"), (outcome,), 0, 0)
    listing, registry = read_folder(tmp_path), Registry()
    kept = await keep_report(registry, listing, result)
    assert kept.report == "datasets/d/paths/main/importReports/r"
    assert [line.file for line in kept.lines] == ["T/b.jpg", "T/a.txt"]
    assert list(kept.lines) == registry.lines
    away = await keep_report(Registry(Unavailable("it is away")), listing, result)
    assert (away.report, away.report_fault, away.lines) == ("", "it is away", kept.lines)
