"""The commands for reports, samples, marks, data and users, against real services."""

import csv
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from loupe.access.v1 import access_pb2
from loupe.registry.v1 import identity_service_pb2, model_pb2, model_service_pb2

from tests.integration.evaluator.conftest import CODES
from tests.integration.evaluator.installation import Installation, run_installation, shown
from tests.integration.registry.conftest import png, sha256, version_of
from tests.support.commands import Command

A, B, _ = CODES
PICTURES = [png(number) for number in range(3)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loupe(module_service_environment: dict[str, str]) -> AsyncIterator[Installation]:
    async for running in run_installation(module_service_environment):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def command(loupe: Installation) -> Command:
    """The command with the token of an administrator."""
    token = loupe.registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]
    return Command.of(token, registry=loupe.registry.address, evaluator=loupe.address)


@pytest_asyncio.fixture(loop_scope="session")
async def bank(loupe: Installation) -> str:
    """A path with three samples of A."""
    importer = await loupe.importer()
    await importer.import_files({f"{A}/{number}.png": data for number, data in enumerate(PICTURES)})
    return importer.path


async def judged(loupe: Installation, path: str, predicted: list[str]) -> str:
    """A report that predicts these codes for the samples of a path."""
    job = secrets.token_hex(4)
    created = await loupe.report(
        [
            shown(f"{A}/{number}.png", sha256(PICTURES[number]), code, data_path=path)
            for number, code in enumerate(predicted)
        ],
        job=f"jobs/{job}",
        task=f"tasks/{job}",
        data_paths=[path],
    )
    return str(created.name)


async def test_p6_relabel_marks_are_made_listed_deleted_exported_and_applied(
    loupe: Installation, command: Command, bank: str, tmp_path: Path
) -> None:
    """From `loupe samples` to a new revision of the data path, with commands only."""
    report = await judged(loupe, bank, [A, B, B])
    listed = await command.json("samples", report, "--misjudged")
    first, second = (item["name"].rpartition("/")[2] for item in listed["results"])
    made = await command.json("relabel", "mark", report, first, "--code", B, "--note", "a spot")
    assert (made["wrongCode"], made["rightCode"], made["note"]) == (A, B, "a spot")
    other = await command.json("relabel", "mark", report, second, "--code", B)
    short = bank.removeprefix("datasets/").replace("/paths", "")
    assert B in await command.text("relabel", "list", "--path", short, "--open")
    assert await command.json("relabel", "unmark", other["name"]) == {"name": other["name"]}
    marks = (await command.json("relabel", "list", "--path", short))["marks"]
    assert [item["name"] for item in marks] == [made["name"]]

    for name in ("marks.csv", "marks.jsonl"):
        await command.text("relabel", "export", tmp_path / name, "--path", short)
    with (tmp_path / "marks.csv").open(newline="") as lines:
        exported = list(csv.DictReader(lines))
    assert [(line["file"], line["right_code"]) for line in exported] == [(made["file"], B)]
    assert [json.loads(line) for line in (tmp_path / "marks.jsonl").read_text().splitlines()] == exported

    applied = await command.json("relabel", "apply", short)
    assert int(applied["revision"]) == 2
    moved = applied["marks"][0]["newFile"]
    assert moved.startswith(f"{B}/")
    assert moved in [item["file"] for item in (await command.json("data", "show", short))["samples"]]
    assert (await command.json("relabel", "list", "--path", short, "--open"))["marks"] == []
    assert "no mark" in await command.text("relabel", "list", "--path", short, "--open")


async def test_p6_relabel_refuses_what_it_cannot_do(
    loupe: Installation, command: Command, bank: str, tmp_path: Path
) -> None:
    """Each refusal names its reason; a file that cannot be written is not left half written."""
    report = await judged(loupe, bank, [A, B, B])
    assert "right_code" in await command.refused("relabel", "mark", report, 1, "--code", "a b")
    assert "--code" in await command.refused("relabel", "mark", report, 1)
    assert "sampleResults/9" in await command.refused("relabel", "mark", report, 9, "--code", B)
    assert "reports/none" in await command.refused("relabel", "mark", "reports/none", 1, "--code", B)
    assert "relabelMarks/none" in await command.refused("relabel", "unmark", "none")
    assert "DATASET/panels" in await command.refused("relabel", "apply", "panels")
    assert "datasets/none" in await command.refused("relabel", "apply", "none/none")
    assert "DATASET/PATH" in await command.refused("relabel", "list", "--path", "a/b/c")
    assert ".csv" in await command.refused("relabel", "export", tmp_path / "marks.xlsx")
    assert "cannot be written" in await command.refused("relabel", "export", tmp_path / "no" / "marks.csv")
    assert not [*tmp_path.iterdir()]  # noqa: ASYNC240 -- of a test


async def test_p4_samples_and_suspects_are_filtered(
    loupe: Installation, command: Command, bank: str, tmp_path: Path
) -> None:
    report = await judged(loupe, bank, [A, B, B])
    for options, count in (
        ((), 3),
        (("--verdict", "correct"), 1),
        (("--predicted", B), 2),
        (("--code", B), 0),
        (("--limit", "1"), 1),
    ):
        assert len((await command.json("samples", report, *options))["results"]) == count, options
    assert "no such sample" in await command.text("samples", report, "--code", B)
    suspected = (await command.json("suspects", report))["labels"]
    assert {item["suspicion"] for item in suspected} <= {"SUSPICION_CONFIDENTLY_WRONG"}
    assert "contradicts" in await command.refused("samples", report, "--misjudged", "--verdict", "correct")
    assert "reports/none" in await command.refused("samples", "reports/none")
    assert "reports/none" in await command.refused("suspects", "reports/none")
    away = tmp_path / "no" / "all.zip"
    assert "cannot be written" in await command.refused("samples", report, "--download", away)


async def test_p2_compare_lists_what_changed(loupe: Installation, command: Command, bank: str) -> None:
    """One sample is fixed, one regressed, one unchanged."""
    base, candidate = await judged(loupe, bank, [A, A, B]), await judged(loupe, bank, [A, B, A])
    offered = (await command.json("compare", base))["reports"]
    assert base not in {item["name"] for item in offered}
    assert candidate in {item["name"] for item in offered}
    assert {tuple(item["dataPaths"]) for item in offered} == {(bank,)}
    assert candidate.removeprefix("reports/") in await command.text("compare", base)
    assert "McNemar" in await command.text("compare", base, candidate)
    for change, file in (("fixed", f"{A}/2.png"), ("regressed", f"{A}/1.png")):
        found = await command.json("compare", base, candidate, "--changed", change)
        assert [item["candidate"]["file"] for item in found["samples"]] == [file]
    assert "no such sample" in await command.text(
        "compare", base, candidate, "--changed", "fixed", "--code", B
    )
    assert "reports/none" in await command.refused("compare", base, "reports/none")
    assert "--changed" in await command.refused("compare", base, candidate, "--changed", "better")


async def test_e1_report_refuses_what_it_cannot_do(
    loupe: Installation, command: Command, bank: str, tmp_path: Path
) -> None:
    report = await judged(loupe, bank, [A])
    assert ".html" in await command.refused("report", report, "--output", tmp_path / "r.pdf")
    assert "cannot be written" in await command.refused("report", report, "-o", tmp_path / "no" / "r.csv")
    assert "reports/none" in await command.refused("report", "reports/none")
    assert "--threshold" in await command.refused("report", report, "--threshold", "2")


async def test_d1_datasets_paths_and_images_are_shown(command: Command, bank: str) -> None:
    """W2, W4: a user sees the data and the images before anything is trained."""
    _, dataset, _, path = bank.split("/")
    listed = await command.json("data", "list")
    assert bank in [path["name"] for path in listed["dataPaths"]]
    assert f"{A} 3" in await command.text("data", "list")
    assert [path["name"] for path in (await command.json("data", "show", dataset))["dataPaths"]] == [bank]
    assert f"{A} 3" in await command.text("data", "show", dataset)
    assert (await command.json("data", "show", f"{dataset}/{path}", "--code", B))["samples"] == []
    assert "datasets/none" in await command.refused("data", "show", "none")
    assert "datasets/none" in await command.refused("data", "show", "none/none")

    images = (await command.json("images", "--kind", "business"))["algorithmImages"]
    assert {image["kind"] for image in images} == {"IMAGE_KIND_BUSINESS"}
    assert "surface-segmentation" in await command.text("images")
    shown_image = await command.json("images", "surface-classification")
    assert shown_image["versions"][0]["input"]["width"] == 64
    assert "64×64×3" in await command.text("images", "surface-classification@v3.0")
    for wrong in ("none", "surface-classification@v9.9", "surface-classification@"):
        assert await command.refused("images", wrong)


async def test_a3_users_and_tokens_are_listed(command: Command) -> None:
    """A1: lists show users and their tokens; the secret of a token is shown once only."""
    user = f"user-{secrets.token_hex(4)}"
    await command.text("users", "create", user, "--role", "viewer", "--display-name", "Zhang San")
    made = await command.json(
        "tokens", "create", user, "--role", "viewer", "--days", "1", "--description", "line 7"
    )
    assert user in await command.text("users", "list")
    listed = await command.json("tokens", "list", user)
    assert [token["name"] for token in listed["tokens"]] == [made["name"]]
    assert made["secret"] not in json.dumps(listed)
    assert "line 7" in await command.text("tokens", "list", user)
    assert await command.refused("users", "create", user, "--role", "viewer"), "there is one already"
    assert await command.refused("users", "create", "A b", "--role", "viewer")
    assert "--role" in await command.refused("users", "create", "x", "--role", "king")
    assert "users/none" in await command.refused("tokens", "list", "none")
    assert await command.refused("tokens", "revoke", f"{made['name']}0")


async def test_r4_aliases_move_versions_are_archived_and_both_are_audited(
    loupe: Installation, command: Command
) -> None:
    """Machines follow aliases, so only a releaser may move one, and the audit log has every move."""
    model = f"m-{secrets.token_hex(4)}"

    async def release() -> model_pb2.ModelVersion:
        made: model_pb2.ModelVersion = await loupe.registry.service.models.CreateModelVersion(
            model_service_pb2.CreateModelVersionRequest(
                parent=f"models/{model}", version=version_of(f"tasks/{secrets.token_hex(8)}", 3)
            )
        )
        return made

    first, second = await release(), await release()
    releaser, token = await loupe.registry.token_of_role(access_pb2.ROLE_RELEASER)
    acting = Command({**command.environ, "LOUPE_TOKEN": token})
    assert "v3.01 is production" in await acting.text("alias", f"{model}@v3.01", "production")
    assert (await acting.json("alias", f"{model}@v3.02", "production"))["aliases"] == ["production"]
    assert (await acting.json("models", f"{model}@production"))["name"] == second.name
    assert (await acting.json("archive", f"{model}@v3.01"))["archived"] is True
    assert "v3.01" not in await acting.text("models", model)
    assert "v3.01" in await acting.text("models", model, "--archived")
    assert "in the library" in await acting.text("archive", f"{model}@v3.01", "--restore")

    assert "NAME@VERSION" in await acting.refused("alias", model, "production")
    assert "alias" in await acting.refused("alias", f"{model}@v3.01", "v3.05")
    assert "v3.07" in await acting.refused("alias", f"{model}@v3.07", "production")
    assert "v3.07" in await acting.refused("archive", f"{model}@v3.07")
    _, engineer = await loupe.registry.token_of_role(access_pb2.ROLE_ENGINEER)
    beneath = Command({**command.environ, "LOUPE_TOKEN": engineer})
    assert "RELEASER" in (await beneath.refused("alias", f"{model}@v3.01", "production")).upper()
    assert "RELEASER" in (await beneath.refused("archive", f"{model}@v3.02")).upper()
    assert (await acting.json("models", f"{model}@production"))["name"] == second.name
    answer = await loupe.registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(principal=releaser, page_size=100)
    )
    done = [
        (entry.action.rpartition("/")[2], entry.resource)
        for entry in reversed(answer.entries)
        if entry.result == "OK"
    ]
    assert done == [
        ("SetAlias", f"{first.name} alias=production"),
        ("SetAlias", f"{second.name} alias=production"),
        ("ArchiveModelVersion", first.name),
        ("ArchiveModelVersion", f"{first.name} restore=True"),
    ]


async def test_p7_p8_a_bank_is_made_revised_ranked_and_archived(
    loupe: Installation, command: Command, bank: str
) -> None:
    """Everything that the console will do with banks can be done with commands."""
    name, path = f"b-{secrets.token_hex(4)}", bank.removeprefix("datasets/").replace("/paths", "")
    made = await command.json(
        *("banks", "create", name, "--environment", "demo-fab-cell-array", "--path", path),
        *("--display-name", "June", "--run-after-training", "--run-after-release"),
    )
    assert (made["revision"]["dataPaths"], made["runAfterRelease"]) == ([bank], True)
    assert "after each training and after each release" in await command.text("banks", "show", name)
    assert name in await command.text("banks", "list", "--environment", "demo-fab-cell-array")
    assert name in await command.text("data", "list")
    updated = await command.json(
        "banks", "update", name, "--no-run-after-release", "--resource", "cpu", "--description", "line 3"
    )
    assert (updated["displayName"], updated["runAfterTraining"]) == ("June", True)
    assert not updated["runAfterRelease"]
    assert updated["computeResource"] == "computeResources/cpu"
    assert "--display-name" in await command.refused("banks", "update", name)
    assert "no version was tested" in await command.text("banks", "leaderboard", name)

    version = await loupe.registry.service.models.CreateModelVersion(
        model_service_pb2.CreateModelVersionRequest(
            parent=f"models/m-{secrets.token_hex(4)}", version=version_of(f"tasks/{secrets.token_hex(8)}")
        )
    )
    await loupe.report(
        [shown(f"{A}/0.png", sha256(PICTURES[0]), A, data_path=bank)],
        job=f"jobs/{secrets.token_hex(4)}",
        kind=2,
        model_version=version.name,
        question_bank=made["revision"]["name"],
        excluded_sample_count=2,
    )
    (entry,) = (await command.json("banks", "leaderboard", f"{name}@1"))["entries"]
    assert (entry["modelVersion"], entry["excludedSampleCount"]) == (version.name, "2")
    short = version.name.removeprefix("models/").replace("/versions/", "@")
    assert short in await command.text("banks", "leaderboard", name)
    report = await command.text("report", entry["report"])
    assert f"{name}, revision 1" in report
    assert "2 samples that were trained with" in report

    assert (await command.json("banks", "revise", name))["revision"]["number"] == 1
    importer = await loupe.importer()
    await importer.import_files({f"{A}/9.png": png(9)})
    other = importer.path.removeprefix("datasets/").replace("/paths", "")
    await command.text("banks", "revise", name, "--path", other)
    assert other in await command.text("banks", "show", name)
    assert (await command.json("banks", "archive", name))["archived"]
    assert name not in await command.text("banks", "list")
    assert name in await command.text("banks", "list", "--archived")
    assert not (await command.json("banks", "archive", name, "--restore"))["archived"]
