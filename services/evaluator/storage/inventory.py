"""What the evaluator's rows name in the object store. Samples and weights are the registry's."""

from loupe.translation import sentence

from services.kit.checking import NamedObjects


def objects() -> list[NamedObjects]:
    """Predicted masks."""
    return [
        NamedObjects(
            folder="masks",
            suffix=".png",
            rows="SELECT DISTINCT predicted_mask_sha256, CAST(NULL AS bigint), true FROM sample_result "
            "WHERE predicted_mask_sha256 <> ''",
            named_by="SELECT predicted_mask_sha256, min('reports/' || report_id) FROM sample_result "
            "WHERE predicted_mask_sha256 = ANY(:hashes) AND predicted_mask_sha256 <> '' GROUP BY 1",
            cure=sentence("predict the version again: the new report has its masks"),
        )
    ]
