"""The report of an import (D7): a line for every file that is not taken or doubtful, kept by the registry."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from loupe.errors import LoupeError
from loupe.folders import FolderListing
from loupe.importing import ImportOutcome, ImportResult, is_of_mask
from loupe.registry.v1 import dataset_service_pb2, import_report_pb2
from loupe.text import as_utf8, visible
from loupe.translation import Sentence, joined, sentence

Line = import_report_pb2.ImportReportLine
Kind = Line.Kind
MAX_LINES = 20_000
"""So many lines of a report are kept."""
_LINES_A_CALL = 1000
_MAX_CHARACTERS = 2000


def used_count(listing: FolderListing, result: ImportResult) -> int:
    """Files that were offered in samples. Masks that were not taken with their pictures are left out."""
    return len(listing.used) - len(result.left_out)


def report_lines(listing: FolderListing, result: ImportResult) -> list[Line]:
    """All lines, by kind and file: first what was offered and refused."""
    left_out = sorted(
        (*listing.left_out, *result.left_out), key=lambda item: (item.file, item.reason, item.message)
    )
    files = {sample.place: sample.file for sample in listing.samples}
    lines = [
        *_rejected(listing, result),
        *(
            _line(Line.KIND_DOUBTFUL, one.file, one.reason, _told(one), files.get(one.file, ""))
            for one in listing.remarks
        ),
        *(_line(Line.KIND_DOUBTFUL, one.file, one.reason, _told(one), one.file) for one in result.doubtful),
        *_duplicates(result),
    ]
    for is_part, kind in ((False, Line.KIND_LEFT_OUT), (True, Line.KIND_PART_LEFT_OUT)):
        lines += [_line(kind, one.file, one.reason, _told(one)) for one in left_out if one.is_part is is_part]
    return lines


async def keep_report(datasets: Any, listing: FolderListing, result: ImportResult) -> ImportResult:  # noqa: ANN401 -- a stub
    """Have the registry keep the report; the result with its lines, and its name or why it is not kept.

    The samples are in their path whether or not this succeeds.
    """
    lines = report_lines(listing, result)
    told = replace(result, lines=tuple(lines))
    request = dataset_service_pb2.SaveImportReportRequest(
        parent=result.data_path.name,
        import_report_id=secrets.token_hex(8),
        import_report=_facts(listing, result, len(lines)),
    )
    try:
        for first in range(0, max(1, min(len(lines), MAX_LINES)), _LINES_A_CALL):
            del request.lines[:]
            request.first_line = first
            request.lines.extend(_sent(line) for line in lines[first : first + _LINES_A_CALL])
            kept = await datasets.SaveImportReport(request)
    except LoupeError as error:
        return replace(told, report_fault=error.message)
    return replace(told, report=str(kept.name))


def _facts(listing: FolderListing, result: ImportResult, line_count: int) -> import_report_pb2.ImportReport:
    samples = listing.samples
    return import_report_pb2.ImportReport(
        folder=visible(as_utf8(listing.folder.absolute().name))[:_MAX_CHARACTERS],
        format=listing.format,
        found_count=listing.found,
        used_count=used_count(listing, result),
        sample_count=len(samples),
        added_count=result.count(ImportOutcome.OUTCOME_ADDED),
        unchanged_count=result.count(ImportOutcome.OUTCOME_UNCHANGED),
        replaced_count=result.count(ImportOutcome.OUTCOME_REPLACED),
        rejected_count=len(result.rejected),
        mask_count=sum(sample.mask is not None for sample in samples),
        group_count=len({sample.group for sample in samples if sample.group}),
        group_column=visible(listing.group_column)[:_MAX_CHARACTERS],
        size_bytes=result.size_bytes,
        uploaded_bytes=result.uploaded_bytes,
        bits=result.bits,
        line_count=line_count,
    )


def _rejected(listing: FolderListing, result: ImportResult) -> Iterator[Line]:
    """What was set aside, by the file at fault: the picture, or its mask."""
    masks = {sample.file: sample.mask for sample in listing.samples if isinstance(sample.mask, Path)}
    for item in result.rejected:
        mask = masks.get(item.file)
        why = Sentence(item.message, item.message_zh)
        name = item.file
        if mask is not None and is_of_mask(item):
            picture = PurePosixPath(item.file).name
            name = as_utf8(mask.relative_to(listing.folder).as_posix())
            why = sentence("{why}; {picture} is not taken without it", why=why, picture=picture)
        yield _line(Line.KIND_REJECTED, name, item.reason, why)


def _duplicates(result: ImportResult) -> Iterator[Line]:
    """The same picture under another code, in another path, or twice in the folder (D2)."""
    for item in result.outcomes:
        if item.same_pixels_under_other_codes:
            told = sentence(
                "the same picture lies under another code: {others}; one of the two is wrong",
                others=joined(item.same_pixels_under_other_codes),
            )
            yield _line(Line.KIND_DUPLICATE, item.file, "SAME_UNDER_OTHER_CODE", told, item.file)
        if item.same_pixels_in_other_paths:
            told = sentence(
                "the same picture lies in another data path: {others}",
                others=joined(item.same_pixels_in_other_paths),
            )
            yield _line(Line.KIND_DUPLICATE, item.file, "SAME_IN_OTHER_PATH", told, item.file)
    for files in result.identical:
        for file in files:
            told = sentence(
                "the same file is there as {others} too, under the same code; put them into one group, or "
                "remove all but one",
                others=joined(one for one in files[:4] if one != file),
            )
            yield _line(Line.KIND_DUPLICATE, file, "SAME_FILE", told, file)
    for file, others in result.in_other_bytes.items():
        told = sentence(
            "the same picture is there as {others} too, in other bytes, under the same code; the split takes "
            "them for one group: remove all but one",
            others=joined(others[:3]),
        )
        yield _line(Line.KIND_DUPLICATE, file, "SAME_PIXELS", told, file)


def _told(item: Any) -> Sentence:  # noqa: ANN401 -- what has a message in both languages
    return Sentence(item.message, item.message_zh)


def _line(kind: Kind.ValueType, file: str, reason: str, told: Sentence, sample_file: str = "") -> Line:
    return Line(
        kind=kind,
        file=file,
        reason=reason,
        message=told.english,
        message_zh=told.chinese,
        sample_file=sample_file,
    )


def _sent(line: Line) -> Line:
    """The line as the registry keeps it: names may hold what no text may, and messages be long."""
    texts = {"file": line.file, "message": line.message, "message_zh": line.message_zh}
    shown = {name: visible(text)[:_MAX_CHARACTERS] for name, text in texts.items()}
    return Line(kind=line.kind, reason=line.reason, sample_file=visible(line.sample_file), **shown)
