"""The samples of a report as CSV (RFC 4180, UTF-8): a header, then one row a sample."""

import csv
import io
from collections.abc import AsyncIterator

from loupe.spreadsheet import escape_formulas

from services.evaluator.domain.report import ANY_DEFECT, PixelCounts, StoredSample, Verdict

COLUMNS = (
    "sample_result",
    "data_path",
    "file",
    "sha256",
    "true_code",
    "verdict",
    "predicted_code",
    "confidence",
    "to_human",
    "decided_by",
    "top",
    "defect_pixels_in_both_masks",
    "defect_pixels_true",
    "defect_pixels_predicted",
    "reason",
    "message",
)
_CHUNK_CHARACTERS = 64 * 1024


async def csv_of(samples: AsyncIterator[StoredSample], threshold: float) -> AsyncIterator[bytes]:
    """The rows in chunks of about 64 KB; memory use does not grow with the number of samples."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    async for sample in samples:
        rows.writerow(escape_formulas(_cells(sample, threshold)))
        if text.tell() >= _CHUNK_CHARACTERS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cells(sample: StoredSample, threshold: float) -> tuple[object, ...]:
    result = sample.result
    judged = result.verdict is not Verdict.NONCONFORMING
    defect = next((pixels for pixels in result.pixels if pixels.code == ANY_DEFECT), None)
    return (
        sample.name,
        result.data_path,
        result.file,
        result.sha256,
        result.true_code,
        result.verdict.name,
        result.predicted_code,
        result.confidence if judged else "",
        int(result.confidence < threshold) if judged else "",
        result.decided_by.name if judged else "",
        " ".join(f"{score.code}:{score.score:.6f}" for score in result.top),
        *_pixels(defect),
        result.reason,
        result.message,
    )


def _pixels(defect: PixelCounts | None) -> tuple[object, object, object]:
    return ("", "", "") if defect is None else (defect.intersection, defect.truth, defect.predicted)
