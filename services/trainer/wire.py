"""TrainWork of the contract as the order that `services.trainer.child` documents."""

from typing import Any

from google.protobuf import json_format
from loupe.scheduler.v1 import job_pb2, task_pb2

from services.worker.values import Network

_AUGMENTATIONS = {
    task_pb2.AUGMENTATION_COLOUR: "colour",
    task_pb2.AUGMENTATION_SCALE: "scale",
    task_pb2.AUGMENTATION_FLIP: "flip",
    task_pb2.AUGMENTATION_RANDOM: "random",
}
_DEFAULT_TRAIN_FRACTION = 0.8


def train_work(message: job_pb2.TrainWork) -> dict[str, Any]:
    """What is to be trained, without the names of task and job."""
    resume = message.resume if message.HasField("resume") else None
    warm_start = message.warm_start_weights_sha256
    return {
        "manifests": [manifest.sha256 for manifest in message.manifests],
        "codes": list(message.code_list),
        "num_of_classes": message.num_of_classes,
        "network": message.classification_network,
        "input_specification": _input(message.input),
        "training_parameters": json_format.MessageToDict(message.training_params),
        "train_segmentation": message.train_segmentation,
        "preprocessing": {
            "train_fraction": message.preprocessing.train_fraction or _DEFAULT_TRAIN_FRACTION,
            "filter_resolution": message.preprocessing.filter_resolution,
            "augmentations": [_AUGMENTATIONS[value] for value in message.preprocessing.augmentations],
        },
        "seed": message.seed,
        "resume": None
        if resume is None
        else {
            "checkpoint_key": f"checkpoints/{resume.sha256}.safetensors",
            "iteration": resume.next_iteration,
        },
        "warm_start_weights_key": f"weights/{warm_start}.safetensors" if warm_start else None,
        "prior_split_key": f"splits/{message.prior_split_sha256}.jsonl"
        if message.prior_split_sha256
        else None,
        "certificate": dict(message.origin),
    }


def data_paths(message: job_pb2.TrainWork) -> dict[str, str]:
    """Names of data paths by their manifests."""
    return {manifest.sha256: manifest.data_path for manifest in message.manifests}


def max_iterations(message: job_pb2.TrainWork) -> dict[Network, int]:
    """How many iterations each network is trained for."""
    parameters = json_format.MessageToDict(message.training_params)
    trained = Network if message.train_segmentation else (Network.CLASSIFICATION,)
    return {network: int(parameters.get(network, {}).get("max_iter", 0)) for network in trained}


def _input(message: job_pb2.WorkInput) -> dict[str, Any]:
    # 0 and empty mean "as the rule has it": the child's defaults.
    resolution = {"min_side_px": message.min_side, "max_aspect_ratio": message.max_aspect_ratio}
    return {
        "width": message.width,
        "height": message.height,
        "channels": message.channels or None,
        "mean": [_shortest(value) for value in message.mean] or None,
        "std": [_shortest(value) for value in message.std] or None,
        "normalisation": "per_image" if message.per_image_normalisation else "fixed",
        "detail": message.detail or None,
        "resolution": {name: value for name, value in resolution.items() if value},
    }


def _shortest(value: float) -> float:
    """0.485 for the float32 next to it: the weights' certificate shows what the image version says."""
    return float(f"{value:.7g}")
