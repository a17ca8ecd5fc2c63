"""`loupe train --check`: what would be trained, before it is submitted (W14)."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from loupe.registry.v1 import algorithm_image_pb2
from loupe.scheduler.v1 import job_pb2, summary_pb2, task_pb2
from loupe.training_summary import training_summary
from rich.console import Console


def summary() -> summary_pb2.TrainingSummary:
    params = Struct()
    params.update(
        {"classification": {"base_lr": 0.02, "batch_size": 16, "max_iter": 40, "lr_policy": "poly"}}
    )
    return summary_pb2.TrainingSummary(
        training=task_pb2.TrainingSpec(
            model_name="panel-adc",
            target_major=3,
            compute_resource="computeResources/cpu",
            preprocessing=task_pb2.PreprocessingParams(
                train_fraction=0.8, augmentations=[task_pb2.AUGMENTATION_FLIP]
            ),
            seed=4711,
            training_params=params,
        ),
        input=algorithm_image_pb2.InputSpecification(width=64, height=64, channels=3),
        codes=[
            summary_pb2.CodeSamples(
                code="TPFIP", sample_count=18, part_count=17, train_count=14, validation_count=4
            ),
            summary_pb2.CodeSamples(
                code="TSFAS", special=True, sample_count=2, train_count=1, validation_count=1
            ),
        ],
        unlisted_sample_count=5,
        data_paths=[summary_pb2.PathSamples(data_path="datasets/panels/paths/main", sample_count=25)],
        networks=[
            summary_pb2.NetworkPlan(
                network=task_pb2.NETWORK_CLASSIFICATION,
                name="ResNet18",
                max_iter=40,
                batch_size=16,
                epochs=45.7,
            )
        ],
        takes=job_pb2.Amounts(cpus=2, memory_bytes=2 * 10**9),
        workers=[
            summary_pb2.WorkersThere(kind=job_pb2.JOB_KIND_TRAIN, worker_count=2, free_count=1),
            summary_pb2.WorkersThere(
                kind=job_pb2.JOB_KIND_EVALUATE,
                reason="NO_WORKER_WITH_RESOURCE",
                message="nobody is there",
                message_zh="没有节点",
            ),
        ],
    )


def shown(value: summary_pb2.TrainingSummary, *, seed_is_given: bool = False) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(training_summary(value, seed_is_given=seed_is_given))
    return captured.get()


def test_everything_is_shown_as_it_would_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who submits by the command sees what the console shows on its last page."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    text = shown(summary())
    for part in ("panel-adc v3", "64 × 64 × 3", "flip", "none: from scratch", "cpu: 0 GPUs, 2 CPUs, 2.0 GB",
                 "train: 1 of 2 are free", "evaluate: nobody is there", "base_lr=0.02, lr_policy=poly",
                 "datasets/panels/paths/main"):  # fmt: skip
        assert part in text
    (first,) = [line.split() for line in text.splitlines() if line.startswith("TPFIP")]
    assert first == ["TPFIP", "class", "18", "17", "14", "4", "0"]
    assert "(left out)" in text


def test_hosts_that_train_together_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight GPUs of one host are not two hosts of eight."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    spread = summary()
    spread.nodes = 2
    assert "cpu: 2 hosts, each with 0 GPUs, 2 CPUs, 2.0 GB" in shown(spread)


def test_no_duration_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert "was measured yet" in shown(summary())
    measured = summary()
    measured.estimated_duration.CopyFrom(Duration(seconds=3600))
    assert "about 1 h 00 min of training, as measured with this resource and input" in shown(measured)


def test_an_estimate_from_another_input_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that nobody measured must not look like one that was."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    scaled = summary()
    scaled.estimated_duration.CopyFrom(Duration(seconds=3600))
    (network,) = scaled.networks
    network.images_per_s, network.measured_count = 12.5, 2
    network.scaled_from.CopyFrom(summary_pb2.InputSize(width=128, height=96, detail=2))
    text = " ".join(shown(scaled).split())
    assert "an estimate from trainings with another input (128 × 96 (detail 2))" in text
    assert "as measured with" not in text
    assert "about 12.5 images/s, from 128 × 96 (detail 2) (2×)" in text


def test_a_seed_that_a_submission_would_not_have_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check draws one of its own where none was given."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "4711" not in shown(summary())
    assert "提交时随机产生" in shown(summary())
    assert "4711" in shown(summary(), seed_is_given=True)
