"""Labels that may be wrong."""

import enum
from dataclasses import dataclass

from services.evaluator.domain.report import PERCEPTUAL_HASH_BYTES, StoredSample


class Suspicion(enum.IntEnum):
    """Why. Stored by number."""

    CONFIDENTLY_WRONG = 1
    NEAR_DUPLICATE = 2


@dataclass(frozen=True, slots=True)
class SuspectFilter:
    """Keeps the suspects that have all of what is set."""

    true_code: str = ""
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class SuspectKey:
    """A suspect's place in the listing: the most suspect first."""

    score: float
    ordinal: int
    suspicion: Suspicion


@dataclass(frozen=True, slots=True)
class SuspectedLabel:
    """A sample whose label may be wrong."""

    sample: StoredSample
    suspicion: Suspicion
    score: float
    usual_confidence: float
    twin: StoredSample | None
    """The nearest sample under another code, of a NEAR_DUPLICATE."""
    distance: int

    @property
    def key(self) -> SuspectKey:
        """Its place."""
        return SuspectKey(self.score, self.sample.ordinal, self.suspicion)

    @property
    def suggested_code(self) -> str:
        """What its label may have to be."""
        return self.sample.result.predicted_code if self.twin is None else self.twin.result.true_code

    @property
    def told(self) -> tuple[str, str]:
        """Why it is suspect, in English and Chinese."""
        result, code = self.sample.result, self.suggested_code
        if self.twin is None:
            usual = f"{self.usual_confidence:.3f}"
            english = (
                f"labelled {result.true_code}, predicted {code} with {result.confidence:.3f}; "
                f"samples labelled {code} get {usual} on average"
            )
            chinese = (
                f"标注为 {result.true_code}，预测为 {code}，置信度 {result.confidence:.3f}；"
                f"标注为 {code} 的样本平均为 {usual}"
            )
            return english, chinese
        of_bits, twin = f"{self.distance}/{8 * PERCEPTUAL_HASH_BYTES}", self.twin.result.file
        return (
            f"labelled {result.true_code}; {twin}, labelled {code}, looks the same but for {of_bits} bits",
            f"标注为 {result.true_code}；标注为 {code} 的 {twin} 图片几乎相同（{of_bits} 位）",
        )
