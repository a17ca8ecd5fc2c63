"""Labels that may be wrong: the model contradicts them with confidence, or a near-duplicate does (P4)."""

import enum
from dataclasses import dataclass

from loupe.translation import Sentence, sentence

from services.evaluator.domain.report import PERCEPTUAL_HASH_BYTES, StoredSample


class Suspicion(enum.IntEnum):
    """Why a label is suspected. Stored by number."""

    CONFIDENTLY_WRONG = 1
    NEAR_DUPLICATE = 2


@dataclass(frozen=True, slots=True)
class SuspectFilter:
    """Keeps the suspected labels that match all fields that are set."""

    true_code: str = ""
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class SuspectKey:
    """The key of a suspected label in the list, highest score first."""

    score: float
    ordinal: int
    suspicion: Suspicion


@dataclass(frozen=True, slots=True)
class HashedSample:
    """A sample whose picture was hashed."""

    ordinal: int
    perceptual_hash: bytes
    """PERCEPTUAL_HASH_BYTES long."""
    true_code: str


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A sample and the most similar one under another code, by their ordinals in the report."""

    ordinal: int
    twin_ordinal: int
    distance: int
    """Bits in which the perceptual hashes differ."""


@dataclass(frozen=True, slots=True)
class SuspectedLabel:
    """A sample whose label may be wrong."""

    sample: StoredSample
    suspicion: Suspicion
    score: float
    """In [0, 1]; the higher, the more probably the label is wrong."""
    usual_confidence: float
    """Mean confidence in the suggested code over the samples that are labelled with it."""
    twin: StoredSample | None
    """The most similar sample under another code; None unless NEAR_DUPLICATE."""
    distance: int
    """Bits in which the perceptual hashes differ."""

    @property
    def key(self) -> SuspectKey:
        """The key in the list."""
        return SuspectKey(self.score, self.sample.ordinal, self.suspicion)

    @property
    def suggested_code(self) -> str:
        """The code that the sample may really have."""
        return self.sample.result.predicted_code if self.twin is None else self.twin.result.true_code

    @property
    def explanation(self) -> Sentence:
        """Why the label is suspected, in English and Chinese."""
        result, code = self.sample.result, self.suggested_code
        if self.twin is None:
            return sentence(
                "labelled {true_code}, predicted {code} with {confidence:.3f}; "
                "samples labelled {code} get {usual_confidence:.3f} on average",
                true_code=result.true_code,
                code=code,
                confidence=result.confidence,
                usual_confidence=self.usual_confidence,
            )
        of_bits, twin = f"{self.distance}/{8 * PERCEPTUAL_HASH_BYTES}", self.twin.result.file
        return sentence(
            "labelled {true_code}; {twin_file}, labelled {twin_code}, looks the same but for {bits} bits",
            true_code=result.true_code,
            twin_file=twin,
            twin_code=code,
            bits=of_bits,
        )
