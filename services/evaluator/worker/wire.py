"""EvaluateWork, PredictWork, PackageWork and what the child says of samples, between contracts and JSON."""

from collections.abc import Iterable, Mapping
from typing import Any

from loupe.evaluator.v1 import report_pb2
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import job_pb2

_DECIDED_BY = {
    "softmax": report_pb2.DECIDED_BY_SOFTMAX,
    "feature_distance": report_pb2.DECIDED_BY_FEATURE_DISTANCE,
    "region": report_pb2.DECIDED_BY_REGION,
}


def evaluate_work(message: job_pb2.EvaluateWork) -> dict[str, Any]:
    """The order's work for the validation side of a split."""
    return {
        "weights_key": f"weights/{message.weights_sha256}.safetensors",
        "split_key": f"splits/{message.split_sha256}.jsonl",
        "manifests": [manifest.sha256 for manifest in message.manifests],
        "batch_size": message.batch_size or None,
    }


def predict_work(message: job_pb2.PredictWork) -> dict[str, Any]:
    """The order's work for a question bank."""
    return {
        "weights_key": f"weights/{message.weights_sha256}.safetensors",
        "manifests": [manifest.sha256 for manifest in message.manifests],
        "batch_size": message.batch_size or None,
        "filter_resolution": message.filter_resolution,
        "confidence_threshold": message.confidence_threshold,
        "classification_only": message.classification_only,
    }


def package_work(message: job_pb2.PackageWork) -> dict[str, Any]:
    """The order's work for a package."""
    _, model, _, version = message.model_version.split("/")
    return {
        "weights_key": f"weights/{message.weights_sha256}.safetensors",
        "model": model,
        "version": version,
        "format": model_pb2.PackageFormat.Name(message.format).removeprefix("PACKAGE_FORMAT_"),
    }


def data_paths(manifests: Iterable[job_pb2.Manifest]) -> dict[str, str]:
    """Names of data paths by their manifests."""
    return {manifest.sha256: manifest.data_path for manifest in manifests}


def sample_result(row: Mapping[str, Any], paths: Mapping[str, str]) -> report_pb2.SampleResult:
    """One row of a `samples` event. KeyError, TypeError or ValueError if it is none."""
    result = report_pb2.SampleResult(
        file=row["name"],
        data_path=paths.get(row["manifest"], ""),
        sha256=row["sha256"],
        true_code=row["code"],
        mask_sha256=row.get("mask_sha256") or "",
    )
    if row["outcome"] != "PREDICTED":
        result.verdict = report_pb2.VERDICT_NONCONFORMING
        result.reason = row["reason"]
        result.message = row["message"]
        return result
    right = row["predicted"] == row["code"]
    result.verdict = report_pb2.VERDICT_CORRECT if right else report_pb2.VERDICT_MISJUDGED
    result.predicted_code = row["predicted"]
    result.confidence = row["confidence"]
    result.top.extend(report_pb2.CodeScore(code=code, score=score) for code, score in row["top"])
    result.decided_by = _DECIDED_BY[row["decided_by"]]
    result.perceptual_hash = bytes.fromhex(row.get("perceptual_hash", ""))
    result.predicted_mask_sha256 = row.get("predicted_mask_sha256") or ""
    result.pixels.extend(
        report_pb2.PixelCounts(code=code, intersection=both, truth=truth, predicted=predicted)
        for code, both, truth, predicted in row.get("pixels") or ()
    )
    return result
