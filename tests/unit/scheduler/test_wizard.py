"""The wizard, rule by rule (W, P1). `found` has the findings as (field, reason, severity)."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.input_specification import InputSpecification
from services.learning_rate import Schedule
from services.scheduler.domain.spec import (
    Augmentation,
    PinnedPath,
    PredictionRequest,
    TrainingOverlap,
    TrainingRequest,
)
from services.scheduler.domain.task import Task, TaskKind, TaskState
from services.scheduler.domain.wizard.findings import Examination
from services.scheduler.domain.wizard.json_object import parse_object
from services.scheduler.domain.wizard.model_params import parse_model_params
from services.scheduler.domain.wizard.prediction import examine_prediction, judged_by
from services.scheduler.domain.wizard.registry_data import (
    AlgorithmImageFacts,
    BankFacts,
    CodeCount,
    CodeParts,
    DataPathFacts,
    ModelVersionFacts,
    RegistryData,
)
from services.scheduler.domain.wizard.summary import codes_to_judge, examine_training, retraining_of
from services.scheduler.domain.wizard.training_params import NetworkParams
from services.trainer.training.recipe import NetworkParameters

DEFAULTS = {
    "base_lr": 0.02,
    "batch_size": 2.0,
    "max_iter": 300.0,
    "weight_decay": 0.0001,
    "momentum": 0.9,
    "lr_policy": "poly",
    "power": 0.9,
    "gamma": 0.1,
}
GOOD, EXTRA, EMPTY, OLD, MANY = (
    f"datasets/d/paths/{name}" for name in ("good", "extra", "empty", "old", "many")
)
IMAGE = AlgorithmImageFacts(
    major=3,
    input=InputSpecification(128, 128),
    classification_networks=("ResNet18",),
    default_model_params={
        "classification": {"name": "ResNet18", "num_of_classes": 2.0},
        "code_list": ["A", "B"],
    },
    default_training_params={"classification": DEFAULTS, "segmentation": DEFAULTS},
)
BUSINESS = replace(
    IMAGE,
    business=True,
    production_environment="productionEnvironments/array",
    default_model_params={
        "classification": {"name": "ResNet18", "num_of_classes": 2},
        "code_list": ["B", "A"],
    },
)
FACTS = RegistryData(
    image=IMAGE,
    environment_exists=True,
    resource_exists=True,
    paths={
        GOOD: DataPathFacts(valid=True, codes={"A": CodeCount(5, 2), "B": CodeCount(4)}),
        EXTRA: DataPathFacts(valid=True, codes={"C": CodeCount(1), "B": CodeCount(1)}),
        EMPTY: DataPathFacts(valid=False),
        OLD: DataPathFacts(valid=True, codes={"A": CodeCount(3), "B": CodeCount(2)}),
        MANY: DataPathFacts(valid=True, codes={code: CodeCount(9) for code in ("C", "D", "B", "A")}),
    },
)
PARENT = ModelVersionFacts(
    name="models/m/versions/v3.01",
    code_list=("B", "A"),
    num_of_classes=2,
    weights_sha256="w" * 64,
    production_environment="productionEnvironments/array",
    data_paths=(OLD,),
    model_params={"classification": {"name": "ResNet18", "num_of_classes": 2.0}, "code_list": ["B", "A"]},
    training_params={"classification": {**DEFAULTS, "max_iter": 77.0}},
)
REQUEST = TrainingRequest(
    model_name="panel-1",
    algorithm_image_version="algorithmImages/i/versions/v3.0",
    production_environment="productionEnvironments/array",
    data_paths=(GOOD,),
    compute_resource="computeResources/cpu",
)


def examine(facts: RegistryData = FACTS, step: int = 0, **changes: Any) -> Examination[Any]:
    return examine_training(replace(REQUEST, **changes), facts, seed=42, step=step)


def found(examination: Examination[Any]) -> set[tuple[str, str, str]]:
    return {(one.field, one.reason, one.severity) for one in examination.findings}


def only(examination: Examination[Any], field: str, reason: str, severity: str = "error") -> str:
    """The message of the only finding."""
    assert found(examination) == {(field, reason, severity)}
    finding = examination.findings[0]
    assert finding.message
    assert re.search("[\u4e00-\u9fff]", finding.message_zh), "every sentence is there in Chinese too"
    assert (examination.spec is None) == (severity == "error")
    return finding.message


def params(codes: list[Any], classes: Any = 2, **more: Any) -> str:
    return json.dumps(
        {"classification": {"name": "ResNet18", "num_of_classes": classes}, "code_list": codes, **more}
    )


@pytest.mark.parametrize(
    ("default", "codes", "classes"),
    [
        # Special ones of the default stay special, its order is kept, and what it does not know is a class.
        ((["D", "B", "A"], 2), ("D", "B", "C", "A"), 3),
        ((["D", "Z", "B", "A"], 3), ("D", "B", "C", "A"), 3),
        ((["A", "B", "C", "D"], 2), ("A", "B", "C", "D"), 2),
        ((["A", "B", "C", "D"], None), ("A", "B", "C", "D"), 4),
        (([], 5), ("A", "B", "C", "D"), 4),
    ],
)
def test_w3_without_parameters_a_special_code_does_not_become_a_class(
    default: tuple[list[str], Any], codes: tuple[str, ...], classes: int
) -> None:
    """A user who leaves the text empty must not find in the report that a special code became a class."""
    listed, learnt = default
    image = replace(IMAGE, default_model_params=json.loads(params(listed, learnt)))
    examination = examine(replace(FACTS, image=image), data_paths=(MANY,))
    assert (examination.spec.code_list, examination.spec.num_of_classes) == (codes, classes)
    told = found(examination)
    assert told == (set() if listed == list(codes) else {("model_params", "CODES_OF_THE_DATA", "warning")})


def test_w3a_a_default_that_is_sent_is_used_as_it_stands() -> None:
    """The wizard sends what it shows; codes of the data never replace codes of the user."""
    default = json.loads(params(["D", "B", "A"], 2))
    facts = replace(FACTS, image=replace(IMAGE, default_model_params=default))
    sent = examine(facts, data_paths=(MANY,), model_params_json=json.dumps(default))
    assert (sent.spec.code_list, sent.spec.num_of_classes) == (("D", "B", "A"), 2)
    assert found(sent) == {("data_paths", "SAMPLES_OF_UNLISTED_CODES", "warning")}
    default["code_list"].append("Z")
    blocked = examine(facts, data_paths=(MANY,), model_params_json=json.dumps(default))
    assert blocked.spec is None
    assert ("model_params.code_list[3]", "CODE_WITHOUT_SAMPLES", "error") in found(blocked)


def test_w3_a_business_image_without_codes_is_refused() -> None:
    """A business image's parameters are fixed (W2); the data does not change them."""
    image = replace(
        BUSINESS, default_model_params={"classification": {"name": "ResNet18", "num_of_classes": 2}}
    )
    only(
        examine(replace(FACTS, image=image), production_environment=""),
        "model_params.code_list",
        "MISSING_KEY",
    )


def network(**values: Any) -> str:
    return json.dumps({"classification": values})


def test_a_sound_submission_resolves() -> None:
    """Without parameters: the image's defaults with the codes of the data, sorted."""
    examination = examine()
    assert not examination.findings
    spec = examination.spec
    assert spec.code_list == ("A", "B")
    assert spec.num_of_classes == 2
    assert spec.seed == 42
    assert spec.target_major == 3
    assert spec.training_params == {
        "classification": {**DEFAULTS, "batch_size": 2, "max_iter": 300, "patience": 0},
    }
    assert examine(seed=7).spec.seed == 7


@pytest.mark.parametrize("name", ["a", "A1", "a-b_c", "Z" * 60, "a--b", "x_1"])
def test_w1_names_that_are_taken(name: str) -> None:
    assert not examine(model_name=name).findings


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "a_", "a b", "ä", "a" * 61, "a\n", "a.b", "名"])
def test_w1_names_that_are_not(name: str) -> None:
    only(examine(model_name=name), "model_name", "BAD_MODEL_NAME")


@given(st.text(max_size=70))
def test_w1_any_text_is_judged_by_the_rule(name: str) -> None:
    """W1 against a second implementation, character by character."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    digits = "0123456789"
    sound = (
        0 < len(name) <= 60
        and name[0] in letters
        and name[-1] in letters + digits
        and all(character in letters + digits + "-_" for character in name)
    )
    assert (not examine(model_name=name).findings) == sound


def test_w1_a_taken_name() -> None:
    only(examine(replace(FACTS, name_taken=True)), "model_name", "MODEL_NAME_TAKEN")


def test_w2_an_image_that_does_not_exist() -> None:
    only(examine(replace(FACTS, image=None)), "algorithm_image_version", "NOT_FOUND")


def test_w2_a_general_image_needs_an_environment() -> None:
    only(examine(production_environment=""), "production_environment", "MISSING_PRODUCTION_ENVIRONMENT")
    only(examine(replace(FACTS, environment_exists=False)), "production_environment", "NOT_FOUND")


def test_w2_a_business_image_brings_environment_and_parameters() -> None:
    facts = replace(FACTS, image=BUSINESS)
    spec = examine(facts, production_environment="").spec
    assert spec.production_environment == "productionEnvironments/array"
    assert spec.code_list == ("B", "A")  # the image's order, not the alphabet's
    only(examine(facts), "production_environment", "FIXED_BY_IMAGE")
    only(examine(facts, production_environment="", model_params_json="{}"), "model_params", "FIXED_BY_IMAGE")


SOURCE_EXAMPLE = """{
    "classification": {
        "name": "ResNet18",
        "num_of_classes": 5
    }
    "code_list": [
        "TPFIP"
    ]
}"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SOURCE_EXAMPLE, "line 6, column 5: expected ',' before \"code_list\""),
        ('{"code_list": [1, 2', "line 1, column 20: expected ',' at the end of the text"),
        ('{"a" 1}', "line 1, column 6: expected ':' before 1"),
        ("{'a': 1}", "line 1, column 2: expected a name in double quotes before '"),
        ('{"a": }', "line 1, column 7: expected a value before }"),
        ('{"a": 1} x', "line 1, column 10: expected the end of the text before x"),
        ('{\n"a": "b\n"}', "line 2, column 8: expected no line break or tab inside a string before \n"),
        ("{", "line 1, column 2: expected a name in double quotes at the end of the text"),
        ('{"a": tru}', "line 1, column 7: expected a value before tru"),
    ],
)
def test_w3_malformed_json_gets_line_column_and_what_was_expected(text: str, message: str) -> None:
    """W3: the source's own example lacks a comma; a bare "invalid" helps nobody find it."""
    assert only(examine(model_params_json=text), "model_params", "MALFORMED_JSON") == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 60_000, "JSON_TOO_DEEP"),
        ('{"a": ' + "9" * 5000 + "}", "NUMBER_TOO_LONG"),
        (" " * 70_000 + "{}", "JSON_TOO_LONG"),
        ('{"code_list": [], "code_list": []}', "DUPLICATE_KEY"),
        ('{"code_list": NaN}', "NOT_A_NUMBER"),
        ("[]", "NOT_AN_OBJECT"),
        ("null", "MISSING_KEY"),
    ],
)
def test_w3_json_that_is_refused_whole(text: str, reason: str) -> None:
    only(examine(model_params_json=text), "model_params", reason)


@pytest.mark.parametrize(
    ("text", "place", "shown"),
    [
        (r'{"code_list": ["A", "\ud800"]}', "model_params.code_list[1]", r"\ud800"),
        (r'{"code_list": ["A\u0000", "B"]}', "model_params.code_list[0]", r"A\u0000"),
        (r'{"classification": {"\udfff": 1}}', "model_params.classification", r"\udfff"),
        (r'{"\ud800": 1}', "model_params", r"\ud800"),
        (r'{"\ud800": 1, "\ud800": 1}', "model_params", r"\ud800"),
    ],
)
def test_w3_text_that_cannot_be_stored_is_refused_by_its_place(text: str, place: str, shown: str) -> None:
    """A lone surrogate has no UTF-8, so that not even the refusal could be sent."""
    (finding,) = examine(model_params_json=text).findings
    assert (finding.field, finding.severity) == (place, "error")
    assert f'"{shown}"' in finding.message
    finding.message_zh.encode()


@given(st.text(max_size=200))
def test_w3_no_text_crashes_the_wizard(text: str) -> None:
    value, faults = parse_object(text, "model_params")
    assert (value is None) == bool(faults)


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        (params(["A", "B"], 1), "model_params.classification.num_of_classes", "OUT_OF_RANGE"),
        (params(["A", "B"], 2.5), "model_params.classification.num_of_classes", "OUT_OF_RANGE"),
        (params(["A", "B"], True), "model_params.classification.num_of_classes", "OUT_OF_RANGE"),
        (params(["A", "B"], None), "model_params.classification.num_of_classes", "MISSING_KEY"),
        (params(["A", "B"], 3), "model_params.classification.num_of_classes", "MORE_CLASSES_THAN_CODES"),
        (params(["A", "B", "A"]), "model_params.code_list[2]", "DUPLICATE_CODE"),
        (params(["A", "B b"]), "model_params.code_list[1]", "BAD_CODE"),
        (params(["A", "B", 3]), "model_params.code_list[2]", "BAD_CODE"),
        (params(["A", "B" * 33]), "model_params.code_list[1]", "BAD_CODE"),
        (params([]), "model_params.code_list", "NOT_A_LIST"),
        (params(["A", "B"], classificaton={}), "model_params.classificaton", "UNKNOWN_KEY"),
        ('{"code_list": ["A", "B"]}', "model_params.classification", "MISSING_KEY"),
        (
            params(["A", "B"]).replace("ResNet18", "ResNet50"),
            "model_params.classification.name",
            "UNKNOWN_NETWORK",
        ),
    ],
)
def test_w3_model_parameters(text: str, field: str, reason: str) -> None:
    only(examine(model_params_json=text), field, reason)


def test_w3_faults_are_told_together() -> None:
    assert {one.field for one in examine(model_params_json=params(["A", "A", "?"], 1, x=1)).findings} == {
        "model_params.code_list[1]",
        "model_params.code_list[2]",
        "model_params.classification.num_of_classes",
        "model_params.x",
    }


@given(st.lists(st.text(max_size=34) | st.sampled_from(["A", "B", "A-1"]), min_size=1, max_size=20))
def test_w3_code_lists_keep_their_order_or_are_refused(codes: list[str]) -> None:
    """W3: unique, 1 to 32 of the alphabet, order kept for ever."""
    sound = len(set(codes)) == len(codes) and all(re.fullmatch("[A-Za-z0-9_-]{1,32}", code) for code in codes)
    given_params = json.loads(params(codes))
    parsed, faults = parse_model_params(given_params, ["ResNet18"])
    if sound and len(codes) >= 2:
        assert parsed is not None
        assert parsed.code_list == tuple(codes)
    else:
        assert faults


def test_w4_missing_training_paths_are_acknowledged_not_forbidden() -> None:
    facts = replace(FACTS, image=replace(IMAGE, training_paths=(EXTRA, GOOD)))
    message = only(
        examine(facts), "acknowledge_missing_training_paths", "UNACKNOWLEDGED_MISSING_TRAINING_PATHS"
    )
    assert EXTRA in message
    acknowledged = examine(facts, acknowledge_missing_training_paths=True)
    only(acknowledged, "data_paths", "MISSING_TRAINING_PATHS", "warning")


def test_w4_paths_exist_once() -> None:
    only(examine(data_paths=(GOOD, GOOD)), "data_paths[1]", "DUPLICATE_DATA_PATH")
    only(examine(data_paths=(GOOD, "datasets/d/paths/x")), "data_paths[1]", "NOT_FOUND")
    only(examine(data_paths=()), "data_paths", "NO_DATA_PATHS")


def test_w5_an_invalid_path_blocks() -> None:
    only(examine(data_paths=(GOOD, EMPTY)), "data_paths[1]", "INVALID_DATA_PATH")


def test_w5_a_code_without_a_sample_blocks() -> None:
    only(
        examine(model_params_json=params(["A", "B", "Z"])),
        "model_params.code_list[2]",
        "CODE_WITHOUT_SAMPLES",
    )


def test_w5_samples_of_other_codes_are_counted_and_left_out() -> None:
    message = only(
        examine(data_paths=(GOOD, EXTRA), model_params_json=params(["A", "B"])),
        "data_paths",
        "SAMPLES_OF_UNLISTED_CODES",
        "warning",
    )
    assert "left out, 1 in all: C (1)" in message


def test_w5_d9_a_code_needs_a_sample_to_train_and_one_to_judge_by() -> None:
    both = (GOOD, EXTRA)
    only(
        examine(data_paths=both, model_params_json=params(["A", "B", "C"], 3)),
        "model_params.code_list[2]",
        "CLASS_TOO_SMALL",
    )
    only(
        examine(data_paths=both, model_params_json=params(["A", "B", "C"], 2)),
        "model_params.code_list[2]",
        "CODE_IN_ONE_GROUP",
    )
    # The default makes a code that it does not know a class.
    assert ("model_params.code_list[2]", "CLASS_TOO_SMALL", "error") in found(examine(data_paths=both))


def test_d9_a_code_in_one_group_blocks() -> None:
    """A group is not divided, so no sample would be left for the validation side."""
    message = only(
        examine(replace(FACTS, parts={"A": CodeParts(1), "B": CodeParts(2)}), step=2),
        "model_params.code_list[0]",
        "CODE_IN_ONE_GROUP",
    )
    assert "A (5)" in message
    assert "another group" in message
    assert not examine(replace(FACTS, parts={"A": CodeParts(2), "B": CodeParts(2)})).findings


def test_d9_codes_that_no_split_divides_block() -> None:
    """A submission that waits for a trainer for an hour, to fail at its split, is told at once."""
    message = only(
        examine(replace(FACTS, parts={"A": CodeParts(2), "B": CodeParts(2, ("A", "B"))}), step=2),
        "model_params.code_list[1]",
        "CODES_TIED_BY_GROUPS",
    )
    assert "A, B share their groups" in message


def test_d9_parts_are_asked_for_where_they_are_told() -> None:
    """Counting parts is the registry's slowest answer, so only the steps that need it ask for it."""
    text = params(["A", "B", "Z"])
    asked = replace(REQUEST, data_paths=(GOOD, EXTRA), model_params_json=text)
    assert codes_to_judge(asked, FACTS) == codes_to_judge(asked, FACTS, 2) == ("A", "B")
    assert [codes_to_judge(asked, FACTS, step) for step in (1, 3, 4)] == [()] * 3
    assert codes_to_judge(replace(asked, model_params_json="{"), FACTS) == ()
    assert codes_to_judge(replace(asked, data_paths=()), FACTS) == ()
    again = replace(REQUEST, parent_version=PARENT.name, data_paths=(OLD,))
    assert codes_to_judge(again, replace(FACTS, version=PARENT)) == ("B", "A")


def test_w5_codes_are_held_against_the_data_whatever_else_is_wrong() -> None:
    """A wrong network in step 1 must not hide findings of step 2."""
    text = params(["A", "B", "Z"], 9).replace("ResNet18", "ResNet50")
    only(examine(step=2, model_params_json=text), "model_params.code_list[2]", "CODE_WITHOUT_SAMPLES")


def retraining(facts: RegistryData = FACTS, **changes: Any) -> Examination[Any]:
    asked = {"model_name": "", "parent_version": PARENT.name, "data_paths": (OLD, GOOD), **changes}
    return examine(replace(facts, version=PARENT, name_taken=True), **asked)


def test_w6_a_retraining_keeps_the_parents_paths() -> None:
    message = only(retraining(data_paths=(GOOD,)), "data_paths", "PARENT_PATH_REMOVED")
    assert OLD in message


def in_a_bank(path: str) -> RegistryData:
    """The facts, if a question bank held the path."""
    known = replace(FACTS.paths[path] or DataPathFacts(valid=True), banks=("questionBanks/june",))
    return replace(FACTS, paths={**FACTS.paths, path: known})


def test_p7_data_of_a_question_bank_is_not_trained_on() -> None:
    """What a version has learnt by heart cannot test it."""
    refused = examine(in_a_bank(MANY), data_paths=(GOOD, MANY))
    assert ("data_paths[1]", "BANK_IN_TRAINING", "error") in found(refused)
    assert refused.spec is None
    message = only(examine(in_a_bank(GOOD), step=2), "data_paths[0]", "BANK_IN_TRAINING")
    assert "questionBanks/june" in message


def test_p7_w6_a_parents_path_that_is_in_a_bank_now_is_left_out() -> None:
    """W6 would keep what P7 refuses: no retraining of the model could ever be submitted."""
    message = only(
        retraining(in_a_bank(OLD), data_paths=(GOOD,)), "data_paths", "PARENT_PATH_IN_BANK", "warning"
    )
    assert OLD in message
    only(retraining(in_a_bank(OLD)), "data_paths[0]", "BANK_IN_TRAINING")


def test_w13_a_retraining_begins_with_the_parents_answers() -> None:
    spec = retraining(production_environment="").spec
    assert spec.model_name == "m"
    assert spec.code_list == ("B", "A")
    assert spec.training_params["classification"]["max_iter"] == 77
    assert spec.production_environment == "productionEnvironments/array"
    assert spec.warm_start_weights_sha256 == ""
    assert retraining(warm_start=True).spec.warm_start_weights_sha256 == "w" * 64
    assert retraining(model_name="m").spec.model_name == "m"


def test_w13_what_a_retraining_cannot_change() -> None:
    only(retraining(model_name="other"), "model_name", "MODEL_NAME_DIFFERS")
    only(
        retraining(production_environment="productionEnvironments/x"),
        "production_environment",
        "ENVIRONMENT_DIFFERS_FROM_MODEL",
    )
    only(examine(model_name="", parent_version="models/m/versions/v9"), "parent_version", "NOT_FOUND")
    only(examine(warm_start=True), "warm_start", "WARM_START_WITHOUT_PARENT")
    only(
        retraining(
            warm_start=True, model_params_json=params(["B", "A", "C", "D"], 4), data_paths=(OLD, MANY)
        ),
        "warm_start",
        "WARM_START_CLASSES_DIFFER",
        "warning",
    )
    only(
        retraining(model_params_json=params(["A", "B"])),
        "model_params.code_list",
        "CODE_ORDER_DIFFERS",
        "warning",
    )
    with_split = replace(FACTS, prior_split_sha256="s" * 64)
    assert retraining(with_split).spec.prior_split_sha256 == "s" * 64
    assert examine(with_split).spec.prior_split_sha256 == "", "a new model has no parent to be true to (D3)"


def test_w13_a_draft_is_what_was_answered_and_is_accepted_as_it_is() -> None:
    answers = retraining(train_fraction=0.7, augmentations=("FLIP",)).spec
    draft = retraining_of(PARENT, answers, IMAGE)
    again = examine_training(draft, replace(FACTS, version=PARENT), seed=1)
    assert not again.findings
    assert again.spec.preprocessing == answers.preprocessing
    assert again.spec.model_params == answers.model_params
    assert again.spec.training_params == answers.training_params
    business = retraining_of(PARENT, answers, BUSINESS)
    assert (business.production_environment, business.model_params_json) == ("", "")


def test_w7_the_resource_is_one_of_the_master_data() -> None:
    only(examine(compute_resource=""), "compute_resource", "MISSING_COMPUTE_RESOURCE")
    only(examine(replace(FACTS, resource_exists=False)), "compute_resource", "NOT_FOUND")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base_lr", 0),
        ("base_lr", -1),
        ("base_lr", "fast"),
        ("base_lr", True),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("max_iter", 0),
        ("weight_decay", -0.1),
        ("momentum", 1),
        ("momentum", -0.1),
        ("lr_policy", "step"),
        ("lr_policy", None),
        ("power", -1),
        ("gamma", -0.1),
        ("base_lr", 10**400),
    ],
)
def test_w8_ranges(key: str, value: Any) -> None:
    only(
        examine(training_params_json=network(**{key: value})),
        f"training_params.classification.{key}",
        "OUT_OF_RANGE",
    )


@pytest.mark.parametrize(
    ("key", "most"), [("base_lr", 1e300), ("weight_decay", 1e300), ("batch_size", 2**53), ("max_iter", 2**53)]
)
def test_w8_a_value_that_is_too_large_is_told_the_bound(key: str, most: float) -> None:
    message = only(
        examine(training_params_json=network(**{key: most})),
        f"training_params.classification.{key}",
        "OUT_OF_RANGE",
    )
    bound = "below 1e300" if most == 1e300 else "to 9007199254740991"
    assert bound in message.split(", not ")[0]


@pytest.mark.parametrize(
    ("key", "nearest"), [("momentun", "momentum"), ("lr", "base_lr"), ("iter", "max_iter")]
)
def test_w8_an_unknown_key_names_the_nearest(key: str, nearest: str) -> None:
    message = only(
        examine(training_params_json=network(**{key: 1})),
        f"training_params.classification.{key}",
        "UNKNOWN_KEY",
    )
    assert f'"{nearest}"' in message


def test_w8_what_is_not_given_is_the_images_default() -> None:
    spec = examine(training_params_json=network(max_iter=1e3)).spec
    assert spec.training_params["classification"] == {
        **DEFAULTS,
        "batch_size": 2,
        "max_iter": 1000,
        "patience": 0,  # E4: off, where the image does not say otherwise
    }
    missing = replace(FACTS, image=replace(IMAGE, default_training_params={}))
    assert {one.reason for one in examine(missing).findings} == {"MISSING_KEY"}


def test_w8_a_schedule_that_dies_is_a_warning() -> None:
    """With the source document's gamma of 0.1, exp falls to nothing within ten iterations."""
    message = only(
        examine(training_params_json=network(lr_policy="exp", gamma=0.1, max_iter=3000)),
        "training_params.classification.lr_policy",
        "DYING_SCHEDULE",
        "warning",
    )
    iteration = int(re.search(r"iteration (\d+)", message)[1])  # type: ignore[index]
    assert iteration <= 10


@given(
    policy=st.sampled_from(["fixed", "exp", "inv", "poly"]),
    gamma=st.floats(0, 2),
    power=st.floats(0, 20),
    max_iter=st.integers(1, 5000),
    base_lr=st.floats(1e-6, 10),
)
def test_w8_a_schedule_is_said_to_die_where_it_dies(
    policy: str, gamma: float, power: float, max_iter: int, base_lr: float
) -> None:
    """Against W8's formulas, iteration by iteration."""
    params = NetworkParams(base_lr, 1, max_iter, 0, 0, policy, power, gamma)
    rate = params.schedule
    dead = next((i for i in range(max_iter) if 10 * i < max_iter and rate(i) < 1e-8 * base_lr), None)
    assert params.dies_at() == dead


@given(
    policy=st.sampled_from(["fixed", "exp", "inv", "poly"]),
    base_lr=st.floats(1e-6, 10),
    gamma=st.floats(0, 1),
    power=st.floats(0, 20),
    max_iter=st.integers(1, 100_000),
    data=st.data(),
)
def test_w8_rates_are_the_formulas_and_what_the_trainer_computes(
    *, policy: Any, base_lr: float, gamma: float, power: float, max_iter: int, data: st.DataObject
) -> None:
    """Against the source document's formulas with 40 digits; wizard and training loop use one curve."""
    iteration = data.draw(st.integers(0, max_iter - 1))
    text = network(base_lr=base_lr, gamma=gamma, power=power, max_iter=max_iter, lr_policy=policy)
    resolved = examine(training_params_json=text).spec.training_params["classification"]
    trainers = NetworkParameters(**resolved).schedule(iteration)
    with localcontext(prec=40):
        base, g, i, m, p = (Decimal(value) for value in (base_lr, gamma, iteration, max_iter, power))
        one = Decimal(1)
        factor = {
            "fixed": lambda: one,
            # Decimal calls 0 ** 0 undefined; the formula, like Python, starts at base_lr.
            "exp": lambda: one if not i else g**i,
            "inv": lambda: (one + g * i) ** -p,
            "poly": lambda: (one - i / m) ** p,
        }[policy]()
        expected = float(base * factor)
    assert trainers == pytest.approx(expected, rel=1e-6, abs=1e-300)
    assert NetworkParams(**resolved).schedule(iteration) == trainers


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        # GOOD has 5 of A and 4 of B: 4 and 3 of them train.
        ({"batch_size": 7, "max_iter": 1000}, None, None),
        ({"batch_size": 8}, "batch_size", "BATCH_LARGER_THAN_TRAINING_SIDE"),
        ({"batch_size": 7, "max_iter": 3}, None, None),
        ({"batch_size": 7, "max_iter": 2}, "max_iter", "FEW_EPOCHS"),
        ({"batch_size": 7, "max_iter": 1001}, "max_iter", "MANY_EPOCHS"),
    ],
)
def test_w15_a_batch_or_a_run_that_does_not_fit_the_data_is_a_warning(
    values: dict[str, int], field: str | None, reason: str | None
) -> None:
    """Nobody counts epochs by hand: the source's 40,000 iterations of 256 are 14,629 on 700 samples."""
    examination = examine(training_params_json=network(**values))
    assert examination.spec is not None, "a warning refuses nothing"
    told = {(f"training_params.classification.{field}", reason, "warning")} if field else set()
    assert found(examination) == told
    assert all(re.search("[\u4e00-\u9fff]", one.message_zh) for one in examination.findings)
    assert found(examine(training_params_json=network(**values), step=3)) == told
    assert not examine(training_params_json=network(**values), step=4).findings


@pytest.mark.parametrize(
    ("values", "told"),
    [
        # 200 of A and 200 of B: 80 validate, so a look costs what 533 iterations of 1 do.
        (
            {"patience": 18, "batch_size": 1, "max_iter": 400},
            "a look every 533 iterations, so at most 1 in 400",
        ),
        ({"patience": 3, "batch_size": 1, "max_iter": 2132}, "at most 2 in turn"),
        ({"patience": 2, "batch_size": 1, "max_iter": 2132}, None),
        ({"patience": 18, "batch_size": 32, "max_iter": 400}, None),
    ],
)
def test_e4_patience_is_held_against_the_looks_that_the_validation_side_allows(
    values: dict[str, int], told: str | None
) -> None:
    """A look at many samples takes long, so that there are fewer than 20: such a patience never acts."""
    path = DataPathFacts(valid=True, codes={"A": CodeCount(200), "B": CodeCount(200)})
    facts, field = replace(FACTS, paths={GOOD: path}), "training_params.classification.patience"
    text = network(**values)
    examination = examine(facts, training_params_json=text)
    if told is None:
        assert "NEVER_ENDS_EARLY" not in {one.reason for one in examination.findings}
        return
    (finding,) = [one for one in examination.findings if one.reason == "NEVER_ENDS_EARLY"]
    assert (finding.field, finding.severity) == (field, "error")
    assert told in finding.message
    # The filter decides in the trainer how many are left.
    filtered = examine(facts, training_params_json=text, filter_resolution=True)
    assert (field, "NEVER_ENDS_EARLY", "warning") in found(filtered)


def test_e4_patience_is_held_against_the_looks_that_there_are_at_most() -> None:
    """21 iterations have 11 looks, every other one, not 20."""
    text = network(patience=10, max_iter=21, batch_size=2)
    only(examine(training_params_json=text), "training_params.classification.patience", "NEVER_ENDS_EARLY")


def test_w15_epochs_that_are_too_few_are_rounded_down() -> None:
    """2.99 epochs were told as "3 times; below 3 little is learnt"."""
    examination = examine(training_params_json=network(batch_size=4, max_iter=5))
    (told,) = [one.message for one in examination.findings if one.reason == "FEW_EPOCHS"]
    assert "2.85 times (epochs); below 3" in told


def test_w15_what_is_advised_is_within_the_limits() -> None:
    """An advice that leads to the next warning is none."""
    for values in ({"max_iter": 2, "batch_size": 4}, {"max_iter": 9000, "batch_size": 4}):
        (finding,) = examine(training_params_json=network(**values)).findings
        wanted = int(re.findall(r"(\d+) iterations (?:or more|are)", finding.message)[0])
        assert not examine(training_params_json=network(**{**values, "max_iter": wanted})).findings


def test_w15_the_sides_are_those_of_the_chosen_fraction_and_of_the_classes() -> None:
    """Special codes are not the classifier's: they fill none of its batches."""
    halves = examine(training_params_json=network(batch_size=6), train_fraction=0.5)
    assert found(halves) == {
        ("training_params.classification.batch_size", "BATCH_LARGER_THAN_TRAINING_SIDE", "warning")
    }
    text = params(["A", "B", "C", "D"])
    few = examine(data_paths=(MANY,), model_params_json=text, training_params_json=network(batch_size=15))
    assert "about 14 samples" in few.findings[0].message


def test_w15_segmentation_is_measured_by_its_masks() -> None:
    """Of A two samples have masks, of B none: then B is what shows no defect, and known too."""
    facts = replace(FACTS, image=replace(IMAGE, segmentation=True))
    text = json.dumps({"segmentation": {"batch_size": 5}})
    examination = examine(facts, training_params_json=text, train_segmentation=True)
    (finding,) = examination.findings
    assert finding.field == "training_params.segmentation.batch_size"
    assert "about 4 samples" in finding.message


def test_w15_codes_that_differ_by_case_only_are_a_warning() -> None:
    """TPFIP and tpfip are one defect to whoever wrote them, and two classes to the network."""
    mixed = DataPathFacts(valid=True, codes={"A": CodeCount(3), "a": CodeCount(3), "B": CodeCount(3)})
    facts = replace(FACTS, paths={GOOD: mixed})
    listed = examine(facts, model_params_json=params(["A", "B", "a"]), step=1)
    assert found(listed) == {("model_params.code_list[2]", "CODES_DIFFER_BY_CASE", "warning")}
    assert "a and A at [0]" in listed.findings[0].message
    unlisted = examine(facts, model_params_json=params(["A", "B"]), step=2)
    assert found(unlisted) == {
        ("data_paths", "SAMPLES_OF_UNLISTED_CODES", "warning"),
        ("data_paths", "CODES_DIFFER_BY_CASE", "warning"),
    }
    assert "3 samples have the code a" in unlisted.findings[1].message
    assert not examine(facts, model_params_json=params(["A", "B", "a"]), step=2).findings


def test_w8_a_schedule_that_grows_is_a_warning() -> None:
    """A gamma above 1 ends in a NaN loss; the training then fails with NAN_LOSS, not with an exception."""
    text = network(lr_policy="exp", gamma=1.5)
    only(
        examine(training_params_json=text),
        "training_params.classification.gamma",
        "GROWING_SCHEDULE",
        "warning",
    )
    assert Schedule("exp", 0.1, 10**6, gamma=1000)(10**5) == math.inf


def test_w9_an_unused_segmentation_level_is_accepted_and_ignored() -> None:
    text = json.dumps({"segmentation": {"base_lr": -1, "nonsense": True}})
    examination = examine(training_params_json=text)
    assert not examination.findings
    assert set(examination.spec.training_params) == {"classification"}


@pytest.mark.parametrize("fraction", [0.0, 1.0, 1.5, -0.1, float("nan")])
def test_w10_the_split_is_inside_zero_and_one(fraction: float) -> None:
    only(examine(train_fraction=fraction), "preprocessing.train_fraction", "OUT_OF_RANGE")


def test_w10_augmentations_and_the_default_split() -> None:
    spec = examine(augmentations=("FLIP", "COLOUR", "FLIP"), filter_resolution=True).spec
    assert spec.preprocessing.train_fraction == 0.8
    assert spec.preprocessing.augmentations == (Augmentation.COLOUR, Augmentation.FLIP)
    assert spec.preprocessing.filter_resolution
    only(examine(augmentations=("0",)), "preprocessing.augmentations[0]", "UNKNOWN_AUGMENTATION")


def test_w11_segmentation_needs_an_image_for_it_and_masks() -> None:
    only(examine(train_segmentation=True), "train_segmentation", "NOT_A_SEGMENTATION_IMAGE")
    facts = replace(FACTS, image=replace(IMAGE, segmentation=True))
    assert set(examine(facts, train_segmentation=True).spec.training_params) == {
        "classification",
        "segmentation",
    }
    bare = {GOOD: DataPathFacts(valid=True, codes={"A": CodeCount(5), "B": CodeCount(5)})}
    only(examine(replace(facts, paths=bare), train_segmentation=True), "train_segmentation", "NO_MASKS")


def test_w12_a_seed_is_not_negative() -> None:
    only(examine(seed=-1), "seed", "OUT_OF_RANGE")


def test_t8_priorities_have_a_range() -> None:
    assert not examine(priority=9).findings
    for priority in (-1, 10):
        only(examine(priority=priority), "priority", "OUT_OF_RANGE")


def test_w_each_step_is_validated_alone_and_the_whole_at_once() -> None:
    """All faults of a step together, and of no other step."""
    wrong: dict[str, Any] = {
        "model_name": "1",
        "data_paths": (EMPTY,),
        "compute_resource": "",
        "train_fraction": 2.0,
    }
    by_step = [{one.field for one in examine(step=step, **wrong).findings} for step in range(5)]
    assert by_step[1] == {"model_name"}
    assert by_step[2] == {"data_paths[0]"}
    assert by_step[3] == {"compute_resource"}
    assert by_step[4] == {"preprocessing.train_fraction"}
    assert by_step[0] == set().union(*by_step[1:])


def predict(
    facts: RegistryData = FACTS, version: ModelVersionFacts | None = PARENT, **changes: Any
) -> Examination[Any]:
    asked = {"model_version": "models/m/versions/production", "data_paths": (GOOD,), **changes}
    asked.setdefault("compute_resource", "computeResources/cpu")
    return examine_prediction(PredictionRequest(**asked), replace(facts, version=version))


def test_p1_a_prediction_resolves_to_the_exact_version() -> None:
    """An alias can move; the task must always show which version it used."""
    spec = predict().spec
    assert (spec.model_version, spec.batch_size, spec.model_name) == (PARENT.name, 32, "m")


def of_training(training: Task | None, **changes: Any) -> Examination[Any]:
    """A prediction that names a training; the facts are those of a training without a version."""
    asked = {"model_version": "", "training_task": "tasks/t1", **changes}
    version = replace(PARENT, name="", task="tasks/t1") if training and training.has_model else None
    return predict(replace(FACTS, training=training), version, **asked)


def task_in(state: TaskState, **changes: Any) -> Task:
    task = Task(
        id="t1",
        kind=TaskKind.TRAINING,
        state=state,
        spec=examine().spec,
        creator="users/ann",
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(task, **changes)


def test_p8_a_prediction_judges_a_training_that_is_completed() -> None:
    """Its weights are stored, though it has no version yet."""
    completed = task_in(TaskState.COMPLETED)
    spec = of_training(completed).spec
    assert (spec.model_version, spec.training_task) == ("", "tasks/t1")
    assert spec.model_name == completed.spec.model_name
    assert judged_by(PredictionRequest(training_task="tasks/t1"), completed) is completed
    # Once it has a version, that is judged.
    numbered = task_in(TaskState.RELEASED, model_version=PARENT.name)
    assert judged_by(PredictionRequest(training_task="tasks/t1"), numbered) == PARENT.name
    unnumbered = task_in(TaskState.RELEASED)
    assert judged_by(PredictionRequest(training_task="tasks/t1"), unnumbered) is unnumbered


@pytest.mark.parametrize("state", sorted(set(TaskState) - {TaskState.COMPLETED, TaskState.RELEASED}))
def test_p8_a_training_in_another_state_is_not_judged(state: TaskState) -> None:
    """Its weights are missing, or are not those that it ends with."""
    told = only(of_training(task_in(state)), "training_task", "TRAINING_NOT_COMPLETED")
    assert state in told


def test_p8_what_names_no_training_is_refused() -> None:
    only(of_training(None), "training_task", "NOT_FOUND")
    only(
        of_training(task_in(TaskState.COMPLETED, kind=TaskKind.PREDICTION)), "training_task", "NOT_A_TRAINING"
    )
    both = of_training(task_in(TaskState.COMPLETED), model_version=PARENT.name)
    only(both, "training_task", "TRAINING_BESIDE_VERSION")


BANK = BankFacts(
    revision="questionBanks/june/revisions/2",
    production_environment="productionEnvironments/array",
    archived=False,
    pinned=(PinnedPath(GOOD, f"{GOOD}/snapshots/{'a' * 64}", "a" * 64),),
    codes={"A": CodeCount(5), "B": CodeCount(4)},
)


def over(
    bank: BankFacts | None = BANK, overlap: TrainingOverlap | None = None, **changes: Any
) -> Examination[Any]:
    """A prediction over a question bank."""
    facts = replace(FACTS, bank=bank, training_overlap=overlap)
    return predict(facts, **{"data_paths": (), "question_bank": "questionBanks/june", **changes})


def test_p7_a_prediction_over_a_bank_pins_its_revision() -> None:
    """The bank may be revised while the task waits: the task shows what it was submitted over."""
    examination = over()
    assert not examination.findings
    assert examination.spec.question_bank == BANK.revision
    assert (examination.spec.data_paths, examination.spec.pinned) == ((GOOD,), BANK.pinned)
    assert predict().spec.question_bank == ""


def test_p7_what_a_prediction_over_a_bank_is_told() -> None:
    only(over(data_paths=(GOOD,)), "data_paths", "DATA_PATHS_BESIDE_BANK")
    only(over(None), "question_bank", "NOT_FOUND")
    only(over(replace(BANK, archived=True)), "question_bank", "BANK_ARCHIVED")
    elsewhere = replace(BANK, production_environment="productionEnvironments/cell")
    only(over(elsewhere), "question_bank", "BANK_OF_ANOTHER_ENVIRONMENT", "warning")
    more = replace(BANK, codes={**BANK.codes, "Z": CodeCount(3)})
    told = only(over(more), "question_bank", "SAMPLES_OF_UNKNOWN_CODES", "warning")
    assert "count as wrong, 3 in all: Z (3)" in told
    strange = replace(BANK, codes={"Y": CodeCount(2), "Z": CodeCount(3)})
    told = only(over(strange), "question_bank", "NO_KNOWN_CODE")
    assert all(code in told for code in ("Y (2)", "Z (3)", "B, A"))


def test_p7_what_was_trained_with_is_left_out_on_demand() -> None:
    """Over a bank an acknowledgement is not enough: its leaderboard has clean reports only."""
    some = TrainingOverlap(9, 3, 1, 4)
    for acknowledged in (False, True):
        refused = over(overlap=some, acknowledge_training_overlap=acknowledged)
        assert "questionBanks/june" in only(refused, "exclude_training_overlap", "BANK_TRAINED_WITH")
    for examination in (
        over(overlap=some, exclude_training_overlap=True),
        predict(replace(FACTS, training_overlap=some), exclude_training_overlap=True),
    ):
        told = only(examination, "exclude_training_overlap", "TRAINING_OVERLAP_EXCLUDED", "warning")
        assert "4 of 9" in told
        assert "5 are judged" in told
        assert examination.spec.exclude_training_overlap
    all_of_them = TrainingOverlap(9, 3, 1, 9)
    facts = replace(FACTS, training_overlap=all_of_them)
    only(predict(facts, exclude_training_overlap=True), "exclude_training_overlap", "NOTHING_LEFT")
    told = only(predict(facts), "acknowledge_training_overlap", "UNACKNOWLEDGED_TRAINING_OVERLAP")
    assert "nothing would be left" in told
    assert "leave these out" not in told


@pytest.mark.parametrize("exclude", [False, True])
def test_p7_a_bank_that_was_trained_with_wholly_is_refused_at_once(exclude: bool) -> None:  # noqa: FBT001
    """To leave everything out is no way on: who was offered it met a second refusal."""
    nothing = over(overlap=TrainingOverlap(9, 3, 1, 9), exclude_training_overlap=exclude)
    told = only(nothing, "question_bank", "NOTHING_LEFT")
    assert "all 9 samples of questionBanks/june" in told


def test_p7_an_overlap_of_nothing_is_none() -> None:
    assert not over(overlap=TrainingOverlap(9, 0, 0, 0), exclude_training_overlap=True).findings


def test_r4_the_latest_version_of_a_model_whose_versions_are_archived() -> None:
    """There is a version; that it is archived is why "latest" leads nowhere."""
    request = PredictionRequest(
        model_version="models/m/versions/latest", data_paths=(GOOD,), compute_resource="r"
    )
    told = only(examine_prediction(request, FACTS), "model_version", "NOT_FOUND")
    assert "all its versions are archived; name a version itself, or restore one" in told


def test_p1_what_a_prediction_is_told() -> None:
    only(
        examine_prediction(
            PredictionRequest(model_version="x", data_paths=(GOOD,), compute_resource="r"), FACTS
        ),
        "model_version",
        "NOT_FOUND",
    )
    only(predict(data_paths=(EMPTY,)), "data_paths[0]", "INVALID_DATA_PATH")
    only(predict(version=replace(PARENT, archived=True)), "model_version", "VERSION_ARCHIVED", "warning")
    told = only(predict(data_paths=(GOOD, EXTRA)), "data_paths", "SAMPLES_OF_UNKNOWN_CODES", "warning")
    assert "count as wrong, 1 in all: C (1)" in told
    strange = replace(FACTS, paths={GOOD: DataPathFacts(valid=True, codes={"C": CodeCount(2)})})
    only(predict(strange), "data_paths", "NO_KNOWN_CODE")
    overlapping = replace(FACTS, training_overlap=TrainingOverlap(400, 312, 9, 330))
    told = only(predict(overlapping), "acknowledge_training_overlap", "UNACKNOWLEDGED_TRAINING_OVERLAP")
    assert all(number in told for number in ("312", "400", "9", "330"))
    acknowledged = predict(overlapping, acknowledge_training_overlap=True)
    only(acknowledged, "data_paths", "TRAINING_OVERLAP", "warning")
    assert acknowledged.spec.training_overlap == overlapping.training_overlap
    clean = predict(replace(FACTS, training_overlap=TrainingOverlap(400, 0, 0, 0)))
    assert clean.findings == ()
    assert clean.spec.training_overlap.sample_count == 400
    only(predict(confidence_threshold=1.0), "confidence_threshold", "OUT_OF_RANGE")
    only(predict(confidence_threshold=float("nan")), "confidence_threshold", "OUT_OF_RANGE")
    only(predict(batch_size=5000), "batch_size", "OUT_OF_RANGE")
    only(predict(compute_resource=""), "compute_resource", "MISSING_COMPUTE_RESOURCE")
