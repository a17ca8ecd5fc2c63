"""Scheduler, both workers with their torch children, and the evaluator, as they run in production."""

import asyncio
import hashlib
import io
import signal
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
import pytest
import pytest_asyncio
from loupe.artifact import Artifact
from loupe.errors import LoupeError
from loupe.evaluator.v1 import report_pb2, report_service_pb2, sample_result_service_pb2
from loupe.exporting import export_version
from loupe.folders import read_folder
from loupe.registry.v1 import (
    model_pb2,
    model_service_pb2,
    question_bank_pb2,
    question_bank_service_pb2,
)
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.settings import load
from PIL import Image

from deploy.embedded import service_tokens
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings, content_key
from services.service_tokens import ROLES
from tests.integration.worker.installation import Installation, installed
from tests.support.tokens import token_of
from tests.support.waiting import DEADLINE_S, eventually

CSOT = model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT
COMPLETED, TRAINING = task_pb2.TASK_STATE_COMPLETED, task_pb2.TASK_STATE_TRAINING
CLASSIFICATION, SEGMENTATION = task_pb2.NETWORK_CLASSIFICATION, task_pb2.NETWORK_SEGMENTATION
SPECIAL = "TTMUD"
"""A wide stain, which a segmentation network sees soon."""
TRUTH_COLOUR, PREDICTION_COLOUR = (0, 200, 60), (235, 40, 220)

# One installation, so one process of pytest-xdist.
pytestmark = pytest.mark.xdist_group("installation")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(
    module_service_environment: dict[str, str], tmp_path_factory: object
) -> AsyncIterator[Installation]:
    """One for all tests here: starting it takes longer than they do."""
    folder: Path = tmp_path_factory.mktemp("installation")  # type: ignore[attr-defined]
    # Tokens of its own: a test rotates them.
    service_tokens.create(folder / "service-tokens")
    environment = {**module_service_environment, "LOUPE_SERVICE_TOKENS_DIR": str(folder / "service-tokens")}
    async with installed(environment, folder) as running:
        write_sample(folder / "images", per_code=8, seed=1)
        write_sample(folder / "more", per_code=4, seed=2)
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                for dataset, images in (("panels", "images"), ("more-panels", "more")):
                    listing = read_folder(folder / images)
                    await running.client.import_folder(listing, dataset=dataset, path="main")
                break
            except LoupeError:
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.2)
        yield running


async def curve(
    installation: Installation, task: str, network: task_pb2.Network.ValueType = CLASSIFICATION
) -> task_service_pb2.LossCurve:
    return await installation.client.tasks.GetLossCurve(
        task_service_pb2.GetLossCurveRequest(name=task, network=network)
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def completed(installation: Installation) -> task_pb2.Task:
    """A training of both networks that went through."""
    image = await installation.tiny_image(20, minor=20, segmentation_iterations=150)
    task = await installation.train("tiny", image, "panels", special=[SPECIAL])
    return await installation.until(task, COMPLETED)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def released(installation: Installation, completed: task_pb2.Task) -> task_pb2.Task:
    """It, released."""
    await installation.client.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=completed.name))
    return await installation.until(completed.name, task_pb2.TASK_STATE_RELEASED)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def predicted(installation: Installation, released: task_pb2.Task) -> report_pb2.Report:
    """Its report of a question bank that has masks."""
    prediction = task_pb2.PredictionSpec(
        model_version=released.model_version,
        data_paths=await installation.client.data_paths(["panels"], []),
        compute_resource="computeResources/cpu",
        confidence_threshold=0.5,
        acknowledge_training_overlap=True,
    )
    bank = await installation.client.submit(task_pb2.Task(prediction=prediction))
    return await report_of(installation, (await installation.until(bank.name, COMPLETED)).report)


async def report_of(installation: Installation, name: str) -> report_pb2.Report:
    report: report_pb2.Report = await installation.client.reports.GetReport(
        report_service_pb2.GetReportRequest(name=name)
    )
    return report


async def samples_of(installation: Installation, report: str) -> list[report_pb2.SampleResult]:
    answer = await installation.client.reports.ListSampleResults(
        report_service_pb2.ListSampleResultsRequest(parent=report, page_size=1000)
    )
    return list(answer.results)


async def test_a_training_ends_with_a_report_and_a_version_that_predicts(
    installation: Installation,
    completed: task_pb2.Task,
    released: task_pb2.Task,
    predicted: report_pb2.Report,
) -> None:
    """The main job through every process: train, evaluate, release, predict (M, E1, R1, P1)."""
    done, task = completed, completed.name
    assert (await curve(installation, task)).iterations == list(range(20))
    assert [stage.state for stage in done.stages] == [task_pb2.STAGE_STATE_DONE] * 3
    link = await installation.client.tasks.LinkContactSheet(
        task_service_pb2.LinkContactSheetRequest(name=task)
    )
    async with httpx.AsyncClient() as http:
        assert (await http.get(link.url)).headers["content-type"] == "image/jpeg"
    picture = await installation.client.contact_sheet(task)
    assert hashlib.sha256(picture).hexdigest() == done.stages[2].contact_sheet_sha256
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[1] <= 1200
    split = done.stages[1]
    report = await report_of(installation, done.report)
    assert report.kind == report_pb2.REPORT_KIND_VALIDATION
    assert report.task == task
    assert report.overall.sample_count == split.validation_count
    assert report.weights_sha256 == done.weights_sha256
    # E4.
    assert done.looks.classification.last_iteration == 20
    assert done.looks.segmentation.last_iteration == 150
    assert report.looks == done.looks
    assert sum(report.confusion.counts) == report.overall.sample_count

    assert predicted.kind == report_pb2.REPORT_KIND_PREDICTION
    # P7: all of it was trained or validated with, and the report says so.
    count = predicted.overall.sample_count + predicted.nonconforming_count
    assert predicted.training_overlap.sample_count == predicted.training_overlap.trained_sample_count == count
    assert predicted.training_overlap.trained_group_count > 0
    assert predicted.model_version == released.model_version
    samples = await samples_of(installation, predicted.name)
    assert len(samples) == predicted.overall.sample_count + predicted.nonconforming_count
    assert all(result.data_path.startswith("datasets/panels/") for result in samples)


async def test_w11_s1_a_segmentation_is_trained_measured_and_shown_beside_the_truth(
    installation: Installation, completed: task_pb2.Task, predicted: report_pb2.Report
) -> None:
    """The second network through every process: its curve, IoU in both reports (E1, P3), special codes by
    their regions (S3), and both masks over a picture (P4).
    """  # noqa: D205 -- one sentence
    assert (await curve(installation, completed.name, SEGMENTATION)).iterations == list(range(150))
    validation = await report_of(installation, completed.report)
    for report in (validation, predicted):
        assert report.code_list[report.num_of_classes :] == [SPECIAL]
        its = report.segmentation.defect
        assert its.value == its.intersection / (its.truth + its.predicted - its.intersection) > 0
        assert sum(code.iou.truth for code in report.codes) == its.truth
    samples = await samples_of(installation, predicted.name)
    assert predicted.segmentation.sample_count == sum(bool(its.mask_sha256) for its in samples) > 0
    # Ordinary codes may be told by regions, special ones must be (S1, S3).
    assert {its.decided_by for its in samples if its.predicted_code == SPECIAL} == {
        report_pb2.DECIDED_BY_REGION
    }
    assert {its.decided_by for its in samples} <= {
        report_pb2.DECIDED_BY_REGION,
        report_pb2.DECIDED_BY_SOFTMAX,
    }
    found = [its for its in samples if its.true_code == its.predicted_code == SPECIAL]
    assert found, "a region tells a stain that was trained with"
    store = BlockingObjectStore(load(ObjectStoreSettings, installation.environ))
    mask = store.get_bytes(content_key("masks", found[0].predicted_mask_sha256, ".png"), max_bytes=2**20)
    labels = np.asarray(Image.open(io.BytesIO(mask)))  # OpenCV would read the palette's greys
    assert labels.shape == (32, 32)
    counts = {counted.code: counted for counted in found[0].pixels}
    assert (labels == list(predicted.code_list).index(SPECIAL) + 1).sum() == counts[SPECIAL].predicted > 0
    link = await installation.client.samples.LinkSamplePicture(
        sample_result_service_pb2.LinkSamplePictureRequest(
            name=found[0].name, picture=sample_result_service_pb2.SAMPLE_PICTURE_OVERLAY
        )
    )
    async with httpx.AsyncClient() as http:
        picture = (await http.get(link.url)).content
    drawn = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    for colour in (TRUTH_COLOUR, PREDICTION_COLOUR):
        assert (drawn == colour).all(axis=2).any()


async def export_of(installation: Installation, version: str, *, again: bool = False) -> Path:
    """The package of a version, saved by the client; the task that makes it is waited for."""
    file = installation.folder / ("again.zip" if again else "package.zip")
    await export_version(installation.client, version, file, CSOT, follow=installation.client.completed)
    return file


async def test_x1_x3_a_version_is_exported_once_and_its_package_says_what_the_version_says(
    installation: Installation, released: task_pb2.Task, predicted: report_pb2.Report
) -> None:
    """Through every process; the worker that has the job is killed, the next one makes the package (T5)."""
    client, version = installation.client, released.model_version
    task = await client.tasks.ExportModelVersion(
        task_service_pb2.ExportModelVersionRequest(model_version=version)
    )
    # Tracing a network takes longer than seeing that it began.
    await installation.until(task.name, task_pb2.TASK_STATE_PACKAGING)
    await installation.stop(installation.worker("evaluator-worker"), signal.SIGKILL)
    await installation.start_worker("evaluator-worker-2", "services.evaluator.worker")
    done = await installation.until(task.name, COMPLETED, task_pb2.TASK_STATE_FAILED)
    assert (done.state, done.attempt, done.recoveries) == (COMPLETED, 1, 1), done.failure
    first, second = [await export_of(installation, version, again=again) for again in (False, True)]
    assert first.read_bytes() == second.read_bytes()
    listed = await client.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(kind=task_service_pb2.TASK_KIND_EXPORT)
    )
    assert [one.name for one in listed.tasks] == [task.name]
    found = await client.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=version))
    (record,) = found.packages
    assert hashlib.sha256(first.read_bytes()).hexdigest() == record.sha256
    assert (first.stat().st_size, record.abi_version, record.format_version) == (record.size_bytes, 1, 1)
    with zipfile.ZipFile(first) as zipped:
        assert sorted(zipped.namelist()) == ["config.yaml", "libCsotArtifact.so", "models.xbin"]
    told = {its.file: its for its in await samples_of(installation, predicted.name)}
    with Artifact(first) as artifact:
        assert artifact.description.version == "v3.01"
        for file, its in list(told.items())[:8]:
            if its.predicted_code:
                assert artifact.predict(installation.folder / "images" / file).code == its.predicted_code


async def test_d9_a_code_that_the_filter_leaves_on_one_side_fails_the_training(
    installation: Installation, tmp_path: Path
) -> None:
    """The wizard counts groups of what is listed; what is set aside is known to the trainer alone."""
    write_sample(tmp_path / "images", per_code=4, seed=5)
    first, *others = sorted((tmp_path / "images" / SPECIAL).glob("*.jpg"))
    strip = cv2.imencode(".jpg", np.zeros((8, 200, 3), np.uint8))[1].tobytes()
    for number, file in enumerate([*others, first.with_name("more.jpg")]):
        # Pictures of their own, each of a panel of its own.
        file.with_suffix(".mask.png").unlink(missing_ok=True)
        file.write_bytes(strip + bytes([number]))
    await installation.client.import_folder(read_folder(tmp_path / "images"), dataset="strips", path="main")
    image = await installation.tiny_image(20, minor=24)
    task = await installation.train("one-sided", image, "strips")
    failed = await installation.until(task, COMPLETED, task_pb2.TASK_STATE_FAILED)
    assert (failed.state, failed.failure.code) == (task_pb2.TASK_STATE_FAILED, "CODE_ON_ONE_SIDE")
    assert SPECIAL in failed.failure.message
    assert SPECIAL in failed.failure.message_zh
    assert failed.recoveries == 0
    with pytest.raises(LoupeError) as refused:
        await installation.client.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task))
    assert refused.value.reason == "NOT_RELEASABLE"


async def test_t_b1_a_picture_that_the_store_lost_is_set_aside_in_training_and_prediction(
    installation: Installation, released: task_pb2.Task, tmp_path: Path
) -> None:
    """And named with the reason where everything that was set aside is named."""
    write_sample(tmp_path / "images", per_code=16, seed=8)
    listing = read_folder(tmp_path / "images")
    await installation.client.import_folder(listing, dataset="damaged", path="main")
    store = BlockingObjectStore(load(ObjectStoreSettings, installation.environ))
    corrupt, missing = (
        hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((tmp_path / "images").glob("*/*.jpg"))[:2]
    )
    store.put_bytes(f"samples/{corrupt}", b"other bytes")
    store.delete(f"samples/{missing}")
    expected = {corrupt: "OBJECT_CORRUPT", missing: "OBJECT_MISSING"}
    image = await installation.tiny_image(20, minor=28)
    done = await installation.until(
        await installation.train("damaged", image, "damaged"), COMPLETED, task_pb2.TASK_STATE_FAILED
    )
    assert (done.state, done.recoveries) == (COMPLETED, 0), done.failure
    listed = await installation.client.tasks.ListNonconformingSamples(
        task_service_pb2.ListNonconformingSamplesRequest(name=done.name)
    )
    # The sample data have a picture of another size as well.
    lost = {its.sha256: its.reason for its in listed.samples if its.reason.startswith("OBJECT_")}
    assert lost == expected
    prediction = task_pb2.PredictionSpec(
        model_version=released.model_version,
        data_paths=await installation.client.data_paths(["damaged"], []),
        compute_resource="computeResources/cpu",
    )
    bank = await installation.client.submit(task_pb2.Task(prediction=prediction))
    report = (await installation.until(bank.name, COMPLETED, task_pb2.TASK_STATE_FAILED)).report
    results = await samples_of(installation, report)
    assert {its.sha256: its.reason for its in results if its.reason.startswith("OBJECT_")} == expected


async def test_d3_a_retraining_never_trains_with_what_judged_its_parent(
    installation: Installation, released: task_pb2.Task
) -> None:
    """Another seed and another path would deal the samples anew, and the better score would be a lie."""
    draft = await installation.client.tasks.DraftRetraining(
        task_service_pb2.DraftRetrainingRequest(parent_version=released.model_version)
    )
    spec = draft.task.training
    spec.data_paths.extend(await installation.client.data_paths(["more-panels"], []))
    spec.seed = released.training.seed + 1
    spec.warm_start = True
    spec.train_segmentation = False  # decides nothing here, and takes its time
    retrained = await installation.client.submit(draft.task)
    done = await installation.until(retrained.name, COMPLETED)

    def judged(samples: list[report_pb2.SampleResult]) -> set[str]:
        return {one.sha256 for one in samples if one.verdict != report_pb2.VERDICT_NONCONFORMING}

    before = judged(await samples_of(installation, released.report))
    now = await samples_of(installation, done.report)
    assert before
    assert before <= judged(now), "every old validation sample still judges, so none of them trains"
    old = [one.sha256 for one in now if one.data_path == released.training.data_paths[0]]
    assert judged([one for one in now if one.sha256 in old]) == before, "and no old training sample judges"
    assert any(one.data_path.startswith("datasets/more-panels/") for one in now), "the new ones were dealt"


async def test_p7_a_bank_judges_a_version_by_what_it_never_saw(
    installation: Installation, released: task_pb2.Task, predicted: report_pb2.Report, tmp_path: Path
) -> None:
    """From the bank to the report, through the worker: what is left is judged, the report tells the rest."""
    write_sample(tmp_path / "images", per_code=2, seed=9)
    await installation.client.import_folder(read_folder(tmp_path / "images"), dataset="unseen", path="main")
    made = question_bank_pb2.QuestionBank(
        production_environment=released.training.production_environment,
        revision=question_bank_pb2.QuestionBankRevision(
            data_paths=await installation.client.data_paths(["panels", "unseen"], [])
        ),
    )
    bank = await installation.client.banks.CreateQuestionBank(
        question_bank_service_pb2.CreateQuestionBankRequest(question_bank_id="unseen", question_bank=made)
    )
    try:
        prediction = task_pb2.PredictionSpec(
            model_version=released.model_version,
            question_bank=bank.name,
            compute_resource="computeResources/cpu",
            exclude_training_overlap=True,
        )
        task = await installation.client.submit(task_pb2.Task(prediction=prediction))
        report = await report_of(installation, (await installation.until(task.name, COMPLETED)).report)
    finally:
        # Other tests train with these panels.
        await installation.client.banks.ArchiveQuestionBank(
            question_bank_service_pb2.ArchiveQuestionBankRequest(name=bank.name)
        )
    assert report.question_bank == bank.revision.name
    trained = predicted.training_overlap.sample_count
    left = bank.revision.sample_count - trained
    assert report.excluded_sample_count == trained
    assert report.training_overlap == model_pb2.TrainingOverlap(sample_count=left)
    samples = await samples_of(installation, report.name)
    assert len(samples) == left > 0
    assert {its.data_path for its in samples} == {"datasets/unseen/paths/main"}
    official = await installation.client.official_report(released.model_version)
    assert official is not None
    assert official.name == report.name


async def test_a1_tokens_are_rotated_under_a_training(installation: Installation) -> None:
    """By five processes of their own, none of which is told or started anew, and none refused."""
    image = await installation.tiny_image(150, minor=26)
    task = await installation.train("rotated", image, "panels")
    begun = await installation.until(task, TRAINING, iteration=1)
    service_tokens.rotate(installation.folder / "service-tokens")
    done = await installation.until(task, COMPLETED)
    assert (begun.attempt, done.attempt) == (1, 1)
    for name in installation.processes:
        lines = installation.log(name)
        assert lines
        assert not [line for line in lines if line.get("code") in {"UNAUTHENTICATED", "PERMISSION_DENIED"}]
    # The other tests go on with the new ones alone.
    assert service_tokens.retire(installation.folder / "service-tokens", at_once=True)


async def test_a1_a_child_is_told_no_token(installation: Installation) -> None:
    """A picture that takes it over finds none in its environment, arguments and open files."""
    folder = installation.folder / "service-tokens"
    tokens = [token_of(name, folder) for name in ROLES]
    for kind in ("evaluator-worker", "trainer"):
        worker = psutil.Process(installation.processes[installation.worker(kind)].pid)
        await eventually(worker.children)
        for child in worker.children():
            told = "".join([*child.environ().values(), *child.cmdline()])
            assert not any(token in told for token in tokens)
            assert not any(Path(file.path).is_relative_to(folder) for file in child.open_files())


async def test_a_terminated_training_is_gone(installation: Installation) -> None:
    """T2, with a real training on a real device."""
    image = await installation.tiny_image(100_000, minor=21)
    task = await installation.train("endless", image, "panels")
    await installation.until(task, TRAINING, iteration=5)
    started_s = time.monotonic()
    answer = await installation.client.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task))
    assert answer.terminating
    await installation.until(task, task_pb2.TASK_STATE_TERMINATED)
    print(f"terminated after {time.monotonic() - started_s:.1f} s")  # noqa: T201


async def test_a_training_moves_from_a_drained_worker_to_the_next(installation: Installation) -> None:
    """T5, M5: a rolling update loses no iteration; the curve has every point once."""
    image = await installation.tiny_image(100, minor=22)
    task = await installation.train("moved", image, "panels")
    await installation.until(task, TRAINING, iteration=10)
    before, after = installation.worker("trainer"), f"{installation.worker('trainer')}-next"
    await installation.start_worker(after, "services.trainer")
    assert await installation.stop(before) == 0
    done = await installation.until(task, COMPLETED)
    assert done.attempt == 1
    assert (await curve(installation, task)).iterations == list(range(100))
    ends = [line for line in installation.log(before) if line["message"] == "job ends"]
    assert ends[-1]["outcome"] == "given back"


async def test_a_training_survives_the_death_of_its_worker(installation: Installation) -> None:
    """T5: kill -9 of a worker takes its child along; the next worker has every point once."""
    image = await installation.tiny_image(100, minor=23)
    task = await installation.train("survivor", image, "panels")
    await installation.until(task, TRAINING, iteration=10)
    victim = installation.worker("trainer")
    await installation.stop(victim, signal.SIGKILL)
    await installation.start_worker(f"{victim}-next", "services.trainer")
    done = await installation.until(task, COMPLETED)
    assert done.recoveries == 1
    assert (await curve(installation, task)).iterations == list(range(100))
