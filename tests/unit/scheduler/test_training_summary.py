"""What a training resolves to before it is submitted (W14)."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.input_specification import InputSpecification
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind, Network
from services.scheduler.domain.queue import WaitCause, Worker
from services.scheduler.domain.spec import Preprocessing, TrainingSpec
from services.scheduler.domain.throughput import InputSize, MeasuredThroughput, nearest_size
from services.scheduler.domain.wizard.registry_data import CodeCount, CodeParts, DataPathFacts, RegistryData
from services.scheduler.domain.wizard.run_length import expected_sides
from services.scheduler.domain.wizard.training_summary import (
    TrainingSummary,
    code_samples,
    network_plans,
    workers_there,
)
from services.scheduler.domain.workers import KnownWorker, Presence, WorkerLease
from services.vision.sides import decide

PATH, CPU = "datasets/d/paths/p", "computeResources/cpu"
PARAMS = {
    "base_lr": 0.01, "batch_size": 10, "max_iter": 100, "weight_decay": 0.0, "momentum": 0.9,
    "lr_policy": "fixed", "power": 0.9, "gamma": 0.1,
}  # fmt: skip
FACTS = RegistryData(
    paths={
        PATH: DataPathFacts(
            valid=True,
            codes={"A": CodeCount(50, 50), "B": CodeCount(10), "S": CodeCount(5, 5), "X": CodeCount(3)},
        )
    },
    parts={"A": CodeParts(20), "B": CodeParts(10)},
)
SPEC = TrainingSpec(
    model_name="m",
    algorithm_image_version="algorithmImages/i/versions/v3.0",
    production_environment="productionEnvironments/e",
    data_paths=(PATH,),
    compute_resource=CPU,
    model_params_json="",
    training_params_json="",
    preprocessing=Preprocessing(0.8),
    train_segmentation=True,
    seed=7,
    parent_version="",
    warm_start=False,
    acknowledge_missing_training_paths=False,
    segmentation_image=True,
    target_major=3,
    input=InputSpecification(64, 64),
    classification_network="ResNet18",
    code_list=("A", "B", "S"),
    num_of_classes=2,
    training_params={"classification": PARAMS, "segmentation": {**PARAMS, "max_iter": 50}},
)


@given(samples=st.integers(0, 300), fraction=st.floats(0.01, 0.99))
def test_the_expected_sides_are_the_trainers_own(samples: int, fraction: float) -> None:
    """Where every sample is a part of its own, the number on the last page is the number that is trained."""
    sizes = {str(number): Counter(A=1) for number in range(samples)}
    sides = Counter(decide(sizes, 1 - fraction).side.values())
    assert expected_sides(samples, fraction) == (sides["train"], sides["validation"])


def test_each_code_has_its_samples_parts_and_sides() -> None:
    told = [
        (c.code, c.special, c.samples, c.parts, c.train, c.validation, c.masks)
        for c in code_samples(SPEC, FACTS)
    ]
    assert told == [
        ("A", False, 50, 20, 40, 10, 50),
        ("B", False, 10, 10, 8, 2, 0),
        # Nobody counted its parts.
        ("S", True, 5, 5, 4, 1, 5),
    ]


SIZE = InputSize.of(SPEC.input)


def summary(measured: dict[Network, tuple[float, ...]], size: InputSize = SIZE) -> TrainingSummary:
    return TrainingSummary(
        spec=SPEC,
        codes=(),
        unlisted=3,
        paths=(),
        networks=network_plans(
            SPEC,
            FACTS,
            {network: MeasuredThroughput(network, size, paces) for network, paces in measured.items()},
        ),
        takes=Amounts(),
        nodes=1,
        workers=(),
        waiting=0,
    )


def test_the_networks_are_told_with_their_epochs() -> None:
    """The classifier sees its classes; segmentation what has a mask, and the one code without any."""
    classifier, segmentation = summary({}).networks
    assert (classifier.name, classifier.train, classifier.epochs) == (
        "ResNet18",
        48,
        pytest.approx(1000 / 48),
    )
    assert (segmentation.name, segmentation.train) == ("", 40 + 8 + 4)
    assert segmentation.epochs == pytest.approx(500 / 52)


def test_a_duration_is_estimated_from_what_was_measured_of_every_network() -> None:
    """An outlier, such as a training beside another one, does not decide."""
    measured = {Network.CLASSIFICATION: (100.0, 1.0, 100.0), Network.SEGMENTATION: (10.0,)}
    assert summary(measured).estimated_s == pytest.approx(1000 / 100 + 500 / 10)
    assert [plan.measured for plan in summary(measured).networks] == [3, 1]
    assert [plan.scaled_from for plan in summary(measured).networks] == [None, None]


def test_what_another_input_was_measured_with_is_scaled_by_its_pixels_and_told() -> None:
    """W14: four times the pixels take four times as long; the page says where the number is from."""
    size = InputSize(128, 128, 1)
    told = summary({Network.CLASSIFICATION: (100.0,), Network.SEGMENTATION: (10.0,)}, size)
    assert told.estimated_s == pytest.approx(1000 / 400 + 500 / 40)
    assert [(plan.images_per_s, plan.scaled_from) for plan in told.networks] == [(400, size), (40, size)]


def test_detail_counts_where_a_network_is_trained_on_larger_windows() -> None:
    """The classifier's windows have the input's size; segmentation's are half of the magnified image."""
    size = InputSize(64, 64, 4)
    measured = {Network.CLASSIFICATION: (100.0,), Network.SEGMENTATION: (10.0,)}
    assert [plan.images_per_s for plan in summary(measured, size).networks] == [100, 40]


def test_the_nearest_input_is_taken_and_a_far_one_says_nothing() -> None:
    """Work that does not grow with the pixels would decide an estimate from afar."""
    wanted, network = InputSize(256, 256, 1), Network.CLASSIFICATION
    sizes = [InputSize(64, 64, 1), InputSize(224, 224, 1), InputSize(1024, 1024, 1)]
    assert nearest_size(sizes, wanted, network) == InputSize(224, 224, 1)
    # As near: the larger one, of which less is overhead.
    sizes = [InputSize(128, 128, 1), InputSize(512, 512, 1)]
    assert nearest_size(sizes, wanted, network) == InputSize(512, 512, 1)
    assert nearest_size([InputSize(64, 64, 1)], wanted, network) == InputSize(64, 64, 1)
    assert nearest_size([InputSize(63, 64, 1), InputSize(1032, 1024, 1)], wanted, network) is None
    assert nearest_size([], wanted, network) is None


@pytest.mark.parametrize("measured", [{}, {Network.CLASSIFICATION: (100.0,)}])
def test_without_a_measurement_no_number_is_made_up(measured: dict[Network, tuple[float, ...]]) -> None:
    assert summary(measured).estimated_s is None


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def worker(*kinds: JobKind, cpus: int = 4, taken: int = 0, presence: Presence = Presence.IDLE) -> Any:
    announced = Worker("workers/w", kinds, (CPU,), Amounts(cpus=cpus), NOW)
    lease = WorkerLease("j", "t", 1, kinds[0], CPU, Amounts(cpus=taken), NOW, NOW + timedelta(seconds=9))
    return KnownWorker(announced, NOW, (lease,) if taken else ()), presence


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        ([], (0, 0, WaitCause.NO_WORKER_WITH_RESOURCE)),
        ([worker(JobKind.EVALUATE)], (0, 0, WaitCause.NO_WORKER_WITH_RESOURCE)),
        ([worker(JobKind.TRAIN, presence=Presence.GONE)], (0, 0, WaitCause.NO_WORKER_WITH_RESOURCE)),
        ([worker(JobKind.TRAIN, cpus=1)], (1, 0, WaitCause.WORKERS_TOO_SMALL)),
        ([worker(JobKind.TRAIN, taken=3)], (1, 0, WaitCause.ALL_WORKERS_BUSY)),
        ([worker(JobKind.TRAIN, taken=3), worker(JobKind.TRAIN)], (2, 1, None)),
    ],
)
def test_who_could_do_it_now_is_told_as_a_waiting_task_would_tell_it(
    workers: list[Any], told: object
) -> None:
    """T4: an hour's wait for a worker that nobody started is avoided before the submission."""
    there = workers_there(CPU, JobKind.TRAIN, Amounts(cpus=2), workers)
    assert (there.present, there.free, there.cause) == told
    assert workers_there("computeResources/other", JobKind.TRAIN, Amounts(), workers).present == 0
