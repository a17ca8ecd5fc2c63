"""The definition of every figure of a report (E1). `metrics.py` computes them.

RPCs, exports and the command line print these definitions; there are no others.
"""

from dataclasses import dataclass

from loupe.translation import sentence


@dataclass(frozen=True, slots=True)
class Definition:
    """A term and its meaning."""

    id: str
    term: str
    term_zh: str
    meaning: str
    meaning_zh: str


DEFINITIONS = (
    Definition(
        "accuracy",
        *sentence("accuracy"),
        *sentence(
            "correct samples / all samples. The 准确率 overall is this; that of a code is its precision."
        ),
    ),
    Definition(
        "precision",
        *sentence("precision of a code"),
        *sentence(
            "of the samples predicted as the code, the share that truly is; undefined (–) for a code that "
            "was never predicted (0 of 0), and for one that no sample truly has: its predictions are all "
            "wrong, and count against the codes that those samples have."
        ),
    ),
    Definition(
        "recall",
        *sentence("recall of a code"),
        *sentence(
            "of the samples that truly have the code, the share predicted so; undefined (–) where there "
            "is none."
        ),
    ),
    Definition(
        "f1",
        "F1",
        "F1",
        *sentence(
            "harmonic mean of precision and recall; 0 for a code that has samples and was never "
            "predicted, undefined (–) for a code that no sample truly has."
        ),
    ),
    Definition(
        "macro",
        *sentence("macro"),
        *sentence(
            "mean over the codes that occur among the samples, each code counting the same "
            "however rare it is; a code that no sample truly has is left out. The precision "
            "of a code that occurs and was never predicted counts as 0, as in scikit-learn "
            "(zero_division=0)."
        ),
    ),
    Definition(
        "support",
        *sentence("support"),
        *sentence("samples that truly have the code."),
    ),
    Definition(
        "interval",
        *sentence("[low–high]"),
        *sentence("95 % Wilson score interval: with few samples a share proves little."),
    ),
    Definition(
        "majority_share",
        *sentence("majority class"),
        *sentence("accuracy of always naming the commonest code: what any model must beat."),
    ),
    Definition(
        "confusion",
        *sentence("confusion matrix"),
        *sentence("a row is the true code, a column the predicted one, a cell the number of samples."),
    ),
    Definition(
        "confidence",
        *sentence("confidence"),
        *sentence("how sure the model is of its prediction, from 0 to 1."),
    ),
    Definition(
        "to_human",
        *sentence("to a human"),
        *sentence(
            "share of the samples whose confidence is below the threshold. Precision and "
            "recall at a threshold take such predictions as not made; the accuracy there "
            "is that of the samples kept."
        ),
    ),
    Definition(
        "iou",
        *sentence("IoU"),
        *sentence(
            "pixels of a code in both the true and the predicted mask / pixels in either, "
            "summed over samples whose truth is known pixel by pixel. Defect: any code "
            "against the background."
        ),
    ),
    Definition(
        "mean_iou",
        *sentence("mean IoU"),
        *sentence("mean IoU over the codes that occur in any mask, without the background."),
    ),
    Definition(
        "best_look",
        *sentence("best look"),
        *sentence(
            "a training looks at its validation split now and then; the weights are those of the "
            "look with the best accuracy (segmentation: IoU of any defect), of equal ones the "
            "first. The report over this split is therefore a little optimistic. A look counts "
            "only samples of the classifier's classes; the report counts special codes too."
        ),
    ),
    Definition(
        "misjudged",
        *sentence("misjudged"),
        *sentence("predicted as another code than the true one."),
    ),
    Definition(
        "nonconforming",
        *sentence("nonconforming"),
        *sentence("set aside by the resolution filter, or unreadable; in no other number."),
    ),
    Definition(
        "special",
        *sentence("special defect"),
        *sentence(
            "a rare code outside the classifier's classes, found by a region of the "
            "segmentation network or by the distance of features; counted like any other."
        ),
    ),
)
