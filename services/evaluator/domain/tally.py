"""Counts the samples of a report while they arrive, and refuses those that contradict themselves."""

from dataclasses import dataclass, field

from loupe.errors import Violation
from loupe.translation import Sentence

from services.evaluator.domain.errors import ReportInvalid
from services.evaluator.domain.report import (
    ANY_DEFECT,
    PERCEPTUAL_HASH_BYTES,
    Counts,
    PixelCounts,
    SampleResult,
    Verdict,
)


@dataclass(slots=True)
class Tally:
    """Counts samples one by one; memory grows with the number of codes, not of samples."""

    code_list: tuple[str, ...]
    confidence_threshold: float
    _index: dict[str, int] = field(init=False)
    _confusion: list[int] = field(init=False)
    _nonconforming: list[int] = field(init=False)
    _nonconforming_count: int = 0
    _below_threshold: int = 0
    _pixels: dict[str, tuple[int, int, int]] = field(init=False)
    _pixel_sample_count: int = 0

    def __post_init__(self) -> None:
        """Start with all counts at 0."""
        self._pixels = dict.fromkeys((ANY_DEFECT, *self.code_list), (0, 0, 0))
        self._index = {code: index for index, code in enumerate(self.code_list)}
        self._confusion = [0] * len(self.code_list) ** 2
        self._nonconforming = [0] * len(self.code_list)

    def add(self, result: SampleResult) -> None:
        """Count one sample; ReportInvalid if it contradicts itself or names a code outside `code_list`."""
        true = self._index.get(result.true_code)
        if len(result.perceptual_hash) not in {0, PERCEPTUAL_HASH_BYTES}:
            raise _invalid(result, f"perceptual_hash must have {PERCEPTUAL_HASH_BYTES} bytes, or none")
        if result.verdict is Verdict.NONCONFORMING:
            if result.pixels:
                raise _invalid(result, "NONCONFORMING, but with pixels of a predicted mask")
            self._nonconforming_count += 1
            if true is not None:
                self._nonconforming[true] += 1
            return
        predicted = self._index.get(result.predicted_code)
        if true is None or predicted is None:
            code = result.true_code if true is None else result.predicted_code
            raise _invalid(result, f"code {code!r} is not in code_list")
        if (true == predicted) is not (result.verdict is Verdict.CORRECT):
            raise _invalid(
                result, f"{result.verdict.name} contradicts {result.true_code} → {result.predicted_code}"
            )
        if not 0.0 <= result.confidence <= 1.0:
            raise _invalid(result, f"confidence {result.confidence} is not in [0, 1]")
        self._confusion[true * len(self.code_list) + predicted] += 1
        self._below_threshold += result.confidence < self.confidence_threshold
        self._add_pixels(result)

    def _add_pixels(self, result: SampleResult) -> None:
        if not result.pixels:
            return
        counted = {pixels.code: pixels for pixels in result.pixels}
        if len(counted) != len(result.pixels) or ANY_DEFECT not in counted:
            raise _invalid(result, "pixels must name any defect (no code), and each code once")
        for code, pixels in counted.items():
            if code not in self._pixels:
                raise _invalid(result, f"code {code!r} of its pixels is not in code_list")
            if not 0 <= pixels.intersection <= min(pixels.truth, pixels.predicted):
                raise _invalid(
                    result,
                    f"{pixels.intersection} pixels of {code or 'any defect'} cannot be in both masks of "
                    f"{pixels.truth} and {pixels.predicted}",
                )
            both, truth, predicted = self._pixels[code]
            self._pixels[code] = (
                both + pixels.intersection,
                truth + pixels.truth,
                predicted + pixels.predicted,
            )
        self._pixel_sample_count += 1

    def counts(self) -> Counts:
        """The counts of all samples so far."""
        return Counts(
            confusion=tuple(self._confusion),
            nonconforming_by_code=tuple(self._nonconforming),
            nonconforming_count=self._nonconforming_count,
            below_threshold_count=self._below_threshold,
            pixels=tuple(PixelCounts(code, *summed) for code, summed in self._pixels.items()),
            pixel_sample_count=self._pixel_sample_count,
        )


def _invalid(result: SampleResult, fault: str) -> ReportInvalid:
    return ReportInvalid.of(Violation("batch.results", "INVALID", Sentence(f"{result.file}: {fault}", "")))
