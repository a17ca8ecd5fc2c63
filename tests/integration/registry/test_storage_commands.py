"""`loupe quotas`, and imports that have no room: over a quota, and on a full disk."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from tests.integration.registry.conftest import Registry, png
from tests.support.commands import Command


@pytest.fixture
def command(registry: Registry) -> Command:
    """As an administrator."""
    return Command.of(registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"], registry=registry.address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of a code."""
    code = tmp_path / "panels" / "TPFIP"
    code.mkdir(parents=True)
    for number in range(2):
        (code / f"{number}.png").write_bytes(png(seed=700 + number))
    return code.parent


@pytest.fixture
def dataset() -> str:
    return f"d{secrets.token_hex(4)}"


async def test_d10_an_import_over_the_quota_is_refused_with_fact_and_remedy(
    command: Command, folder: Path, dataset: str
) -> None:
    """D10: the operator sets it and sees it; the engineer reads who, how much, and what to do."""
    wish = ("data", "import", folder, "--dataset", dataset)
    await command.text(*wish)
    subject = f"datasets/{dataset}"
    assert "may store" in await command.text("quotas", "set", subject, "1kB")
    (folder / "TPFIP" / "more.png").write_bytes(png(seed=800, width=40, height=40))
    for language, told in (("en", "raise the quota"), ("zh", "配额")):
        refused = await command(*wish, "--lang", language)
        assert refused.exit_code == 1
        assert told in refused.stderr
        assert subject in refused.stderr
        assert "Traceback" not in refused.stderr + refused.stdout
    listed = await command.json("quotas", "list")
    (quota,) = [one for one in listed if one["subject"] == subject]
    assert (quota["limitBytes"], quota["inherited"]) == ("1000", False)
    assert "1.0 kB" in await command.text("quotas", "list")
    assert "without a limit" in await command.text("quotas", "remove", subject)
    await command.text(*wish)
    assert "datasets/NAME" in await command.refused("quotas", "set", dataset, "1kB")
    assert "size" in await command.refused("quotas", "set", subject, "many")


@pytest_asyncio.fixture(loop_scope="session")
async def full(registry: Registry) -> AsyncIterator[None]:
    """PostgreSQL answers to each new sample as it does on a full disk."""

    async def run(*statements: str) -> None:
        async with registry.database.sessions.begin() as session:
            for statement in statements:
                await session.execute(sa.text(statement))

    await run(
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER no_space BEFORE INSERT ON samples FOR EACH ROW EXECUTE FUNCTION no_space()",
    )
    try:
        yield
    finally:
        await run("DROP TRIGGER no_space ON samples", "DROP FUNCTION no_space()")


@pytest.mark.usefixtures("full")
async def test_an_import_on_a_full_disk_ends_with_a_sentence(
    command: Command, folder: Path, dataset: str
) -> None:
    """SQLSTATE 53100: what is full and who mends it, not an incident and no traceback."""
    for language, told in (("en", "the disk of the database is full"), ("zh", "数据库所在磁盘已满")):
        done = await command("data", "import", folder, "--dataset", dataset, "--lang", language)
        assert done.exit_code == 1
        assert told in done.stderr
        for word in ("Traceback", "incident", "loupe up"):
            assert word not in done.stderr + done.stdout
