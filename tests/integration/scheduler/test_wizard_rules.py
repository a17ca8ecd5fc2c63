"""Every rule of the wizard (W1 to W15) through gRPC and through HTTP, on one running stack.

A case changes a valid submission and lists the findings of its step: `field REASON` for each error, `~`
before a warning, `!` before a warning that must be acknowledged.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf import json_format
from loupe.client import AsyncLoupe
from loupe.errors import AlreadyExists, InvalidArgument, LoupeError
from loupe.folders import read_folder
from loupe.profile import Profile
from loupe.registry.v1 import algorithm_image_pb2 as images_pb2
from loupe.registry.v1 import algorithm_image_service_pb2, dataset_service_pb2
from loupe.rpc.channel import connect
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from gateway.app import create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.server import HttpServer
from tests.support.waiting import DEADLINE_S

pytestmark = pytest.mark.xdist_group("wizard")

GENERAL = "algorithmImages/surface-classification/versions/v3.0"
BUSINESS = "algorithmImages/cell-array-classification/versions/v3.0"
SEGMENTING = "algorithmImages/wizard-segmentation/versions/v1.0"
ENVIRONMENT = "productionEnvironments/demo-fab-cell-array"
MAIN, LONE, OTHER, VOID, BARE, PANEL, AGAIN, NEXT, TWIN, GONE = (
    f"datasets/wizard/paths/{p}"
    for p in ("main", "lone", "other", "void", "bare", "panel", "again", "next", "twin", "gone")
)
# A panel each, which shows two of three codes.
RING = {
    f"datasets/wizard/paths/ring-{n}": codes
    for n, codes in enumerate((("R1", "R2"), ("R2", "R3"), ("R1", "R3")))
}
CODES = ["TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS"]


def params(codes: list[Any], classes: Any = 2, name: str = "ResNet18") -> dict[str, str]:
    return {"model_params_json": json.dumps(
        {"classification": {"name": name, "num_of_classes": classes}, "code_list": codes})}  # fmt: skip


def rate(**values: Any) -> dict[str, str]:
    return {"training_params_json": json.dumps({"classification": values})}


def steps(**values: Any) -> dict[str, Any]:
    return {"preprocessing": {"train_fraction": 0.8, **values}}


@dataclass(frozen=True)
class Case:
    """The changes, their step, and the expected findings."""

    rule: str
    what: str
    step: int
    changes: dict[str, Any]
    told: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}-{self.what.replace(' ', '-')}"


def case(rule: str, what: str, step: int, changes: dict[str, Any], *told: str) -> Case:
    return Case(rule, what, step, changes, told)


def training_params(text: str) -> dict[str, str]:
    return {"training_params_json": text}


_BUSINESS = {"algorithm_image_version": BUSINESS, "production_environment": ""}
_SEGMENTING = {"algorithm_image_version": SEGMENTING, "data_paths": [MAIN, BARE]}
_LIST = "model_params.code_list"
_CLASSIFICATION = "training_params.classification"

_ALL_WRONG = {"base_lr": 0, "batch_size": 0, "max_iter": 0, "weight_decay": -1, "momentum": 1,
              "lr_policy": "step", "power": -1, "gamma": -1, "patience": -1}  # fmt: skip

CASES = [
    case("W1", "one letter", 1, {"model_name": "a"}),
    case("W1", "60 characters", 1, {"model_name": "a" * 60}),
    case("W1", "61 characters", 1, {"model_name": "a" * 61}, "model_name BAD_MODEL_NAME"),
    case("W1", "a digit first", 1, {"model_name": "1a"}, "model_name BAD_MODEL_NAME"),
    case("W1", "a dash last", 1, {"model_name": "a-"}, "model_name BAD_MODEL_NAME"),
    case("W1", "a Chinese name", 1, {"model_name": "面板"}, "model_name BAD_MODEL_NAME"),
    case("W1", "none", 1, {"model_name": ""}, "model_name BAD_MODEL_NAME"),
    case("W1", "held by a task", 1, {"model_name": "wizard-held"}, "model_name MODEL_NAME_TAKEN"),
    case("W2", "a general image", 1, {"algorithm_image_version": GENERAL}),
    case("W2", "a business image", 1, _BUSINESS),
    case("W2", "no such image", 1, {"algorithm_image_version": "algorithmImages/x/versions/v1.0"},
         "algorithm_image_version NOT_FOUND"),
    case("W2", "no image", 1, {"algorithm_image_version": ""}, "algorithm_image_version NOT_FOUND"),
    case("W2", "an image without its version", 1, {"algorithm_image_version": GENERAL.partition("/v")[0]},
         "algorithm_image_version NOT_FOUND"),
    case("W2", "a general image without environment", 1, {"production_environment": ""},
         "production_environment MISSING_PRODUCTION_ENVIRONMENT"),
    case("W2", "no such environment", 1, {"production_environment": "productionEnvironments/x"},
         "production_environment NOT_FOUND"),
    case("W2", "a business image brings both", 1,
         {"algorithm_image_version": BUSINESS, **params(CODES, 5)},
         "production_environment FIXED_BY_IMAGE", "model_params FIXED_BY_IMAGE"),
    case("W3", "all classes", 1, params(CODES, 7)),
    case("W3", "two special", 1, params(CODES, 5)),
    case("W3", "an order of its own", 1, params(CODES[::-1], 5)),
    case("W3", "one class", 1, params(CODES, 1), "model_params.classification.num_of_classes OUT_OF_RANGE"),
    case("W3", "more classes than codes", 1, params(CODES, 8),
         "model_params.classification.num_of_classes MORE_CLASSES_THAN_CODES"),
    case("W3", "another network", 1, params(CODES, 5, "ResNet50"),
         "model_params.classification.name UNKNOWN_NETWORK"),
    case("W3", "a code twice and one malformed", 1, params([*CODES, "TPFIP", "a b"], 5),
         f"{_LIST}[7] DUPLICATE_CODE", f"{_LIST}[8] BAD_CODE"),
    case("W3", "an unknown key", 1, {"model_params_json": params(CODES, 5)["model_params_json"].replace(
        '"code_list"', '"codelist"')}, "model_params.codelist UNKNOWN_KEY", f"{_LIST} MISSING_KEY"),
    case("W3", "malformed", 1, {"model_params_json": '{"classification": {}\n "code_list": []}'},
         "model_params MALFORMED_JSON"),
    case("W3", "no object", 1, {"model_params_json": "[]"}, "model_params NOT_AN_OBJECT"),
    case("W3", "empty with codes of the default", 1, {"model_params_json": ""}),
    case("W3", "empty with other codes", 1, {"model_params_json": "", "data_paths": [OTHER]},
         "~model_params CODES_OF_THE_DATA"),
    case("W4", "two paths", 2, {"data_paths": [MAIN, BARE]}),
    case("W4", "no path", 2, {"data_paths": []}, "data_paths NO_DATA_PATHS"),
    case("W4", "a path twice", 2, {"data_paths": [MAIN, MAIN]}, "data_paths[1] DUPLICATE_DATA_PATH"),
    case("W4", "no such path", 2, {"data_paths": [MAIN, MAIN + "x"]}, "data_paths[1] NOT_FOUND"),
    case("D8", "a deleted path", 2, {"data_paths": [MAIN, GONE]}, "data_paths[1] DELETED_DATA_PATH"),
    case("W4", "the images own paths", 2, _SEGMENTING),
    case("W4", "without the images own path", 2, {**_SEGMENTING, "data_paths": [MAIN]},
         "!acknowledge_missing_training_paths UNACKNOWLEDGED_MISSING_TRAINING_PATHS"),
    case("W4", "without it and acknowledged", 2,
         {**_SEGMENTING, "data_paths": [MAIN], "acknowledge_missing_training_paths": True},
         "~data_paths MISSING_TRAINING_PATHS"),
    case("W5", "an invalid path", 2, {"data_paths": [MAIN, VOID]}, "data_paths[1] INVALID_DATA_PATH"),
    case("W5", "a code without a sample", 2, params([*CODES, "NONE"], 5), f"{_LIST}[7] CODE_WITHOUT_SAMPLES"),
    case("W5", "samples of no listed code", 2, {"data_paths": [MAIN, OTHER], **params(CODES, 5)},
         "~data_paths SAMPLES_OF_UNLISTED_CODES"),
    case("W5", "a class of one", 2, {"data_paths": [MAIN, LONE], **params(["ONE", *CODES], 6)},
         f"{_LIST}[0] CLASS_TOO_SMALL"),
    case("D9", "a special defect of one", 2, {"data_paths": [MAIN, LONE], **params([*CODES, "ONE"], 5)},
         f"{_LIST}[7] CODE_IN_ONE_GROUP"),
    case("D9", "a class of one panel", 2, {"data_paths": [MAIN, PANEL], **params(["PAN", *CODES], 6)},
         f"{_LIST}[0] CODE_IN_ONE_GROUP"),
    case("D9", "one panel in two paths", 2,
         {"data_paths": [MAIN, PANEL, AGAIN], **params([*CODES, "PAN"], 5)},
         f"{_LIST}[7] CODE_IN_ONE_GROUP"),
    case("D9", "two panels", 2, {"data_paths": [MAIN, PANEL, NEXT], **params([*CODES, "PAN"], 5)}),
    case("D9", "a ring of panels", 2, {"data_paths": [MAIN, *RING], **params([*CODES, "R1", "R2", "R3"], 5)},
         f"{_LIST}[9] CODES_TIED_BY_GROUPS"),
    case("D9", "two panels of three", 2, {"data_paths": [MAIN, *RING], **params([*CODES, "R1", "R2"], 5)},
         "~data_paths SAMPLES_OF_UNLISTED_CODES"),
    case("D9", "one picture under two codes", 2, {"data_paths": [TWIN], **params(["TW1", "TW2"])},
         f"{_LIST}[0] CODE_IN_ONE_GROUP", f"{_LIST}[1] CODE_IN_ONE_GROUP"),
    case("W5", "all three together", 2, {"data_paths": [VOID, LONE, OTHER], **params(["ONE", "NONE"])},
         "data_paths[0] INVALID_DATA_PATH", f"{_LIST}[0] CLASS_TOO_SMALL", f"{_LIST}[1] CODE_WITHOUT_SAMPLES",
         "~data_paths SAMPLES_OF_UNLISTED_CODES"),
    case("W7", "another resource", 3, {"compute_resource": "computeResources/gpu"}),
    case("W7", "no resource", 3, {"compute_resource": ""}, "compute_resource MISSING_COMPUTE_RESOURCE"),
    case("W7", "no such resource", 3, {"compute_resource": "computeResources/x"},
         "compute_resource NOT_FOUND"),
    case("W8", "one parameter", 3, rate(base_lr=0.1)),
    case("W8", "the greatest that fit", 3, rate(momentum=0.999, weight_decay=0, batch_size=2, max_iter=200)),
    case("W8", "a batch of one", 3, rate(batch_size=1), f"~{_CLASSIFICATION}.batch_size BATCH_OF_ONE"),
    *(case("W8", f"{policy}", 3, rate(lr_policy=policy, gamma=0.999, power=1))
      for policy in ("fixed", "inv", "poly")),
    case("W8", "exp that lives", 3, rate(lr_policy="exp", gamma=0.999)),
    case("W8", "exp that dies", 3, rate(lr_policy="exp", gamma=0.1, batch_size=2, max_iter=4000),
         f"~{_CLASSIFICATION}.lr_policy DYING_SCHEDULE"),
    case("E4", "patience", 3, rate(patience=18, max_iter=1000, batch_size=2)),
    # 20 looks at this validation side would take most of the time.
    case("E4", "more patience than affordable looks", 3, rate(patience=18, max_iter=200, batch_size=2),
         f"{_CLASSIFICATION}.patience NEVER_ENDS_EARLY"),
    case("E4", "patience that is off", 3, rate(patience=0, max_iter=200, batch_size=2)),
    case("E4", "more patience than looks", 3, rate(patience=19, max_iter=200, batch_size=2),
         f"{_CLASSIFICATION}.patience NEVER_ENDS_EARLY"),
    case("E4", "more patience than iterations", 3, rate(patience=9, max_iter=10),
         f"{_CLASSIFICATION}.patience NEVER_ENDS_EARLY"),
    case("E4", "half a look", 3, rate(patience=0.5), f"{_CLASSIFICATION}.patience OUT_OF_RANGE"),
    case("W15", "a batch of all and more", 3, rate(batch_size=1000, max_iter=10),
         f"~{_CLASSIFICATION}.batch_size BATCH_LARGER_THAN_TRAINING_SIDE"),
    case("W15", "one look", 3, rate(batch_size=2, max_iter=1), f"~{_CLASSIFICATION}.max_iter FEW_EPOCHS"),
    case("W15", "the source's own default", 3, rate(batch_size=256, max_iter=40000),
         f"~{_CLASSIFICATION}.batch_size BATCH_LARGER_THAN_TRAINING_SIDE",
         f"~{_CLASSIFICATION}.max_iter MANY_EPOCHS"),
    case("W8", "exp that grows", 3, rate(lr_policy="exp", gamma=1.1),
         f"~{_CLASSIFICATION}.gamma GROWING_SCHEDULE"),
    case("W8", "everything out of range", 3,
         rate(**_ALL_WRONG), *(f"{_CLASSIFICATION}.{key} OUT_OF_RANGE" for key in _ALL_WRONG)),
    case("W8", "a fraction of an iteration", 3, rate(max_iter=1.5),
         f"{_CLASSIFICATION}.max_iter OUT_OF_RANGE"),
    case("W8", "unknown keys", 3, training_params('{"classification": {"momentun": 1}, "clasification": {}}'),
         f"{_CLASSIFICATION}.momentun UNKNOWN_KEY", "training_params.clasification UNKNOWN_KEY"),
    case("W8", "malformed", 3, training_params("{'classification': 1}"), "training_params MALFORMED_JSON"),
    case("W8", "half a surrogate pair", 3, training_params('{"\\ud800": {}}'), "training_params NOT_UNICODE"),
    case("W9", "an ignored level", 3, training_params('{"segmentation": {"base_lr": -1, "x": 1}}')),
    case("W9", "a level that counts", 3,
         {**_SEGMENTING, "train_segmentation": True, **training_params('{"segmentation": {"base_lr": -1}}')},
         "training_params.segmentation.base_lr OUT_OF_RANGE"),
    case("W10", "half and half", 4, steps(train_fraction=0.5, filter_resolution=True)),
    case("W10", "every augmentation", 4, steps(augmentations=[1, 2, 3, 4])),
    *(case("W10", f"a fraction of {fraction}", 4, steps(train_fraction=fraction),
           "preprocessing.train_fraction OUT_OF_RANGE") for fraction in (0.0, 1.0, -0.1, 1.5)),
    case("W10", "an unknown augmentation", 4, steps(augmentations=[3, 9]),
         "preprocessing.augmentations[1] UNKNOWN_AUGMENTATION"),
    case("W11", "segmentation", 4, {**_SEGMENTING, "train_segmentation": True}),
    case("W11", "of a classifying image", 4, {"train_segmentation": True},
         "train_segmentation NOT_A_SEGMENTATION_IMAGE"),
    case("W11", "without a mask", 4,
         {**_SEGMENTING, "data_paths": [BARE], "train_segmentation": True, **params(["TPFIP", "TTFBS"])},
         "train_segmentation NO_MASKS"),
    case("W12", "a seed", 3, {"seed": 7}),
    case("W12", "a negative seed", 3, {"seed": -1}, "seed OUT_OF_RANGE"),
    case("W13", "warm start of a new model", 1, {"warm_start": True}, "warm_start WARM_START_WITHOUT_PARENT"),
    case("W13", "no such parent", 1, {"model_name": "", "parent_version": "models/x/versions/v3.01"},
         "parent_version NOT_FOUND"),
]  # fmt: skip


def told(finding: task_service_pb2.ValidateTaskResponse.Finding) -> str:
    """Findings in the form of a case; each has a sentence in both languages."""
    assert finding.message
    assert re.search("[\u4e00-\u9fff]", finding.message_zh), finding
    mark = "!" if finding.acknowledge_with else "~" if finding.warning else ""
    return f"{mark}{finding.field} {finding.reason}"


class Grpc:
    """The scheduler's gRPC interface."""

    def __init__(self, tasks: Any) -> None:
        self._tasks = tasks

    async def validate(self, task: task_pb2.Task, step: int) -> list[str]:
        """The findings of a step, or of all steps (0)."""
        answer = await self._tasks.ValidateTask(task_service_pb2.ValidateTaskRequest(task=task, step=step))
        return [told(finding) for finding in answer.findings]

    async def create(self, task: task_pb2.Task, request_id: str = "", *, only: bool = False) -> task_pb2.Task:
        """Submit, or only validate."""
        request = task_service_pb2.CreateTaskRequest(task=task, request_id=request_id, validate_only=only)
        return await self._tasks.CreateTask(request)

    async def draft(self, version: str) -> task_service_pb2.DraftRetrainingResponse:
        """The draft of a retraining."""
        request = task_service_pb2.DraftRetrainingRequest(parent_version=version)
        return await self._tasks.DraftRetraining(request)


class Http:
    """The gateway's HTTP interface."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def validate(self, task: task_pb2.Task, step: int) -> list[str]:
        """As Grpc."""
        answer = await self.client.post("/v1/tasks:validate", json={"task": _json(task), "step": step})
        return [told(finding) for finding in _read(answer, task_service_pb2.ValidateTaskResponse()).findings]

    async def create(self, task: task_pb2.Task, request_id: str = "", *, only: bool = False) -> task_pb2.Task:
        """As Grpc; a problem document is raised as its error."""
        body = {"task": _json(task), "requestId": request_id, "validateOnly": only}
        return _read(await self.client.post("/v1/tasks", json=body), task_pb2.Task())

    async def draft(self, version: str) -> task_service_pb2.DraftRetrainingResponse:
        """As Grpc."""
        answer = await self.client.get(f"/v1/{version}:draftRetraining")
        return _read(answer, task_service_pb2.DraftRetrainingResponse())


def _json(task: task_pb2.Task) -> dict[str, Any]:
    return json_format.MessageToDict(task, use_integers_for_enums=True)


def _read(answer: httpx.Response, message: Any) -> Any:
    body = answer.json()
    if answer.status_code == 200:
        return json_format.ParseDict(body, message)
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code == 409:
        raise AlreadyExists(body["detail"], reason=body["reason"], **body["metadata"])
    assert answer.status_code == 400, body
    error = InvalidArgument(body["detail"], reason=body["reason"])
    error.violations = tuple(_Fault(**one) for one in body["violations"])  # type: ignore[assignment]
    raise error


@dataclass(frozen=True)
class _Fault:
    field: str
    reason: str
    message: str
    messageZh: str  # noqa: N815 -- as the document has it
    severity: str


def sound(**changes: Any) -> task_pb2.Task:
    """A submission without findings, with changes."""
    values: dict[str, Any] = {
        "model_name": f"w-{secrets.token_hex(6)}",
        "algorithm_image_version": GENERAL,
        "production_environment": ENVIRONMENT,
        "data_paths": [MAIN],
        "compute_resource": "computeResources/cpu",
        **changes,
    }
    return task_pb2.Task(training=task_pb2.TrainingSpec(**values))


@dataclass
class World:
    """Both interfaces, and the client that created the data."""

    doors: dict[str, Grpc | Http]
    client: AsyncLoupe


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    stack: Any, engineer: Any, path_importer: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Data paths and images of every kind, a taken name, and a gateway in front of the stack."""
    token = stack.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]
    client = AsyncLoupe(
        Profile(
            registry_address=stack.registry_address,
            scheduler_address=stack.address,
            evaluator_address=stack.address,
            token=token,
        )
    )
    folder = tmp_path_factory.mktemp("wizard") / "images"
    # Enough for the default's batch, and for fewer than a thousand epochs of it (W15).
    write_sample(folder, per_code=10, seed=3)
    await client.import_folder(read_folder(folder), dataset="wizard", path="main")
    for path, counts in ((LONE, {"ONE": 1}), (OTHER, {"X1": 2, "X2": 3}), (VOID, {}), (GONE, {"TPFIP": 2}),
                         (BARE, {"TPFIP": 2, "TTFBS": 2})):  # fmt: skip
        assert await path_importer(engineer, "wizard", path.rpartition("/")[2], counts) == path
    await client.datasets.DeleteDataPath(dataset_service_pb2.DeleteDataPathRequest(name=GONE))
    for path, panel in ((PANEL, "p1"), (AGAIN, "p1"), (NEXT, "p2")):
        await path_importer(engineer, "wizard", path.rpartition("/")[2], {"PAN": 3}, panel)
    for path, codes in RING.items():
        name = path.rpartition("/")[2]
        await path_importer(engineer, "wizard", name, dict.fromkeys(codes, 2), name)
    await path_importer(engineer, "wizard", "twin", {"TW1": 6, "TW2": 6}, picture=1)
    await client.images.CreateAlgorithmImage(
        algorithm_image_service_pb2.CreateAlgorithmImageRequest(
            algorithm_image_id="wizard-segmentation",
            algorithm_image=images_pb2.AlgorithmImage(
                kind=images_pb2.IMAGE_KIND_GENERAL,
                task_type=images_pb2.TASK_TYPE_SEGMENTATION_CLASSIFICATION,
            ),
        )
    )
    general = await client.image_version(GENERAL)
    await client.images.CreateAlgorithmImageVersion(
        algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
            parent="algorithmImages/wizard-segmentation",
            version=images_pb2.AlgorithmImageVersion(
                major=1,
                classification_networks=["ResNet18"],
                input=general.input,
                default_model_params=general.default_model_params,
                default_training_params=general.default_training_params,
                training_paths=[BARE],
            ),
        )
    )
    await client.submit(sound(model_name="wizard-held"))
    channels = {
        "registry": connect(stack.registry_address, retries=False),
        "scheduler": connect(stack.address, retries=False),
        "evaluator": connect(stack.address, retries=False),
    }
    streams = Streams(StreamLimits())
    async with HttpServer(create_app(Backends(channels, 30.0), streams), streams, "127.0.0.1:0") as gateway:
        headers = {"Authorization": f"Bearer {token}"}
        base = f"http://127.0.0.1:{gateway.port}"
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=DEADLINE_S) as http:
            yield World({"grpc": Grpc(client.tasks), "http": Http(http)}, client)
    await asyncio.gather(client.close(), *(channel.close() for channel in channels.values()))


@pytest.fixture(params=["grpc", "http"])
def door(request: pytest.FixtureRequest, world: World) -> Grpc | Http:
    return world.doors[request.param]


_READ_BY_OTHER_STEPS = {"algorithm_image_version", "data_paths", "model_params_json"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_rule(case: Case, door: Grpc | Http) -> None:
    """A step reports all of its own findings and none of other steps; the submission reports all."""
    task = sound(**case.changes)
    expected = sorted(case.told)
    assert sorted(await door.validate(task, case.step)) == expected
    if isinstance(door, Grpc) and not case.changes.keys() & _READ_BY_OTHER_STEPS:
        assert await door.validate(task, case.step % 4 + 1) == []
    faults = {line.removeprefix("!") for line in expected if not line.startswith("~")}
    if not faults:
        assert (await door.create(task, only=True)).training.target_major
        return
    with pytest.raises(LoupeError) as refused:
        await door.create(task)
    if isinstance(refused.value, AlreadyExists):
        assert f"{refused.value.facts['field']} {refused.value.reason}" in faults
        return
    assert isinstance(refused.value, InvalidArgument)
    errors = {f"{one.field} {one.reason}" for one in refused.value.violations if one.severity == "error"}
    assert errors >= faults


async def test_w14_drafts_over_http(world: World) -> None:
    """The console keeps answers by PATCH with If-Match; a second window's are refused by name."""
    http = world.doors["http"]
    assert isinstance(http, Http)
    address, kept = "/v1/drafts/wizard-rules", {"training": {"modelName": "m"}, "step": 2}
    assert (await http.client.get(address)).json()["etag"] == ""
    first = (await http.client.patch(address, json=kept)).json()
    assert (first["name"], first["training"]["modelName"], first["step"]) == (address[4:], "m", 2)
    other = {**kept, "step": 3}
    stale = await http.client.patch(address, json=other, headers={"If-Match": '"1x"'})
    assert stale.json()["reason"] == "ETAG_MISMATCH"
    seen = {"If-Match": f'"{first["etag"]}"'}
    assert (await http.client.patch(address, json=other, headers=seen)).json()["step"] == 3
    assert (await http.client.delete(address)).status_code == 200
    assert (await http.client.get(address)).json()["etag"] == ""


async def test_w_all_four_steps_are_told_together_at_submission(door: Grpc | Http) -> None:
    task = sound(model_name="1", data_paths=[VOID], compute_resource="", **steps(train_fraction=2.0))
    with pytest.raises(InvalidArgument) as refused:
        await door.create(task)
    assert {one.field for one in refused.value.violations} == {
        "model_name", "data_paths[0]", "compute_resource", "preprocessing.train_fraction",
    }  # fmt: skip


async def test_w8_parameters_in_a_field_that_only_the_server_sets_are_refused(door: Grpc | Http) -> None:
    task = sound()
    task.training.training_params.update({"classification": {"max_iter": 3}})
    for call in (door.create(task), door.validate(task, 3), door.validate(task, 0)):
        with pytest.raises(InvalidArgument, match="training_params_json") as refused:
            await call
        assert [(one.field, one.reason) for one in refused.value.violations] == [
            ("training_params", "OUTPUT_ONLY")
        ]


async def test_w12_one_request_id_is_one_task_however_often_it_is_sent(door: Grpc | Http) -> None:
    """Of ten repetitions at once one creates a task."""
    task, request_id = sound(), secrets.token_hex(8)
    made = await asyncio.gather(*(door.create(task, request_id) for _ in range(10)))
    assert len({one.name for one in made}) == 1
    assert (await door.create(task, request_id)).name == made[0].name
    task.training.seed = 5
    with pytest.raises(AlreadyExists) as reused:
        await door.create(task, request_id)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_w12_what_a_submission_pins_stays_when_its_data_grows(
    door: Grpc | Http, engineer: Any, path_importer: Any, world: World, tmp_path: Any
) -> None:
    """A report must be traceable to the exact data, years later."""
    path = await path_importer(engineer, "wizard", f"grows-{secrets.token_hex(3)}", {"TPFIP": 2, "TTFBS": 2})
    first = await door.create(sound(data_paths=[path]))
    write_sample(tmp_path / "more", per_code=2, seed=9)
    await world.client.import_folder(
        read_folder(tmp_path / "more"), dataset="wizard", path=path.rpartition("/")[2]
    )
    second = await door.create(sound(data_paths=[path]))
    assert first.training.snapshots != second.training.snapshots
    pinned = (await world.client.tasks.GetTask(task_service_pb2.GetTaskRequest(name=first.name))).training
    assert pinned == first.training
    assert pinned.algorithm_image_version == GENERAL
    assert pinned.seed > 0
    assert pinned.training_params["classification"]["momentum"] == 0.9
    (snapshot,) = pinned.snapshots
    again = await world.client.datasets.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name=path)
    )
    assert re.fullmatch(re.escape(path) + "/snapshots/[0-9a-f]{64}", snapshot)
    assert again.name == second.training.snapshots[0]


async def test_w6_w13_a_retraining_begins_with_the_parents_answers(door: Grpc | Http, bench: Any) -> None:
    """A draft is accepted unchanged; bound paths stay, others are added, weights and split follow."""
    resource = bench.resource
    asked = sound(
        data_paths=[MAIN, BARE], compute_resource=resource, **steps(train_fraction=0.7, augmentations=[3]),
        **rate(max_iter=77), **params(CODES, 5),
    )  # fmt: skip
    parent = await _released(bench, await door.create(asked))
    draft = await door.draft(parent.model_version.rpartition("/")[0] + "/latest")
    spec = draft.task.training
    assert (spec.parent_version, spec.compute_resource) == (parent.model_version, resource)
    assert list(spec.data_paths) == list(draft.locked_data_paths) == [MAIN, BARE]
    assert json.loads(spec.model_params_json) == json.loads(asked.training.model_params_json)
    assert json.loads(spec.training_params_json)["classification"]["max_iter"] == 77
    assert (spec.preprocessing.train_fraction, list(spec.preprocessing.augmentations)) == (0.7, [3])
    assert await door.validate(draft.task, 0) == []

    async def told_of(**changes: Any) -> list[str]:
        changed = task_pb2.Task()
        changed.CopyFrom(draft.task)
        for field, value in changes.items():
            changed.training.ClearField(field)
            changed.training.MergeFrom(task_pb2.TrainingSpec(**{field: value}))
        return await door.validate(changed, 0)

    assert await told_of(data_paths=[MAIN]) == ["data_paths PARENT_PATH_REMOVED"]
    assert await told_of(data_paths=[MAIN, BARE, OTHER], **params([*CODES, "X1", "X2"], 5)) == []
    assert await told_of(data_paths=[MAIN, BARE, PANEL], **params([*CODES, "PAN"], 5)) == [
        f"{_LIST}[7] CODE_IN_ONE_GROUP"
    ]
    assert await told_of(model_name="another") == ["model_name MODEL_NAME_DIFFERS"]
    assert await told_of(production_environment="productionEnvironments/demo-fab-color-filter") == [
        "production_environment ENVIRONMENT_DIFFERS_FROM_MODEL"
    ]
    assert await told_of(warm_start=True, **params(CODES, 6)) == ["~warm_start WARM_START_CLASSES_DIFFER"]
    assert await told_of(**params([*CODES[1:5], CODES[0], *CODES[5:]], 5)) == [f"~{_LIST} CODE_ORDER_DIFFERS"]

    draft.task.training.warm_start = True
    draft.task.training.data_paths.append(LONE)
    retrained = await door.create(draft.task)
    held = await bench.worker.acquire()
    assert held.lease.train.warm_start_weights_sha256 == parent.weights_sha256
    assert held.lease.train.prior_split_sha256 == _split_of(parent.name)
    second = await _finish(bench, held, retrained)
    assert second.model_version == parent.model_version.replace("v3.01", "v3.02")
    # Who goes back to the first version keeps the path that the second one bound.
    assert list((await door.draft(parent.model_version)).locked_data_paths) == [MAIN, BARE, LONE]


async def _released(bench: Any, task: task_pb2.Task) -> task_pb2.Task:
    return await _finish(bench, await bench.worker.acquire(), task)


async def _finish(bench: Any, held: Any, task: task_pb2.Task) -> task_pb2.Task:
    assert held.lease.task == task.name
    await held.trained()
    await (await bench.worker.acquire()).reported()
    return await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))


def _split_of(task: str) -> str:
    """The split hash that the tests' worker reports."""
    return hashlib.sha256(f"split of {task}".encode()).hexdigest()
