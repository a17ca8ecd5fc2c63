# ruff: noqa: RUF009, D101 -- `setting` stands for dataclasses.field
import dataclasses
import enum
from pathlib import Path

import pytest
from loupe.settings import SettingsError, describe, load, setting


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Store:
    endpoint: str = setting("LOUPE_ENDPOINT", doc="where")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    url: str = setting("LOUPE_URL", secret=True, doc="database")
    lease_s: float = setting("LOUPE_LEASE_S", default=10.0, doc="lease")
    workers: int = setting("LOUPE_WORKERS", default=1, doc="workers")
    tls: bool = setting("LOUPE_TLS", default=True, doc="tls")
    folder: Path | None = setting("LOUPE_FOLDER", doc="folder")
    hosts: tuple[str, ...] = setting("LOUPE_HOSTS", default=(), doc="hosts")
    level: Level = setting("LOUPE_LEVEL", default=Level.LOW, doc="level")
    store: Store

    def __post_init__(self) -> None:
        if self.workers > 64:
            raise ValueError("LOUPE_WORKERS must be at most 64")


ENOUGH = {"LOUPE_URL": "postgresql://u:secret@h/d", "LOUPE_ENDPOINT": "h:1"}


def test_every_type_is_parsed() -> None:
    settings = load(
        Settings,
        ENOUGH
        | {
            "LOUPE_LEASE_S": "2.5",
            "LOUPE_WORKERS": "3",
            "LOUPE_TLS": "0",
            "LOUPE_FOLDER": "/data/x",
            "LOUPE_HOSTS": "a, b,",
            "LOUPE_LEVEL": "high",
        },
    )
    assert settings == Settings(
        url=ENOUGH["LOUPE_URL"],
        lease_s=2.5,
        workers=3,
        tls=False,
        folder=Path("/data/x"),
        hosts=("a", "b"),
        level=Level.HIGH,
        store=Store(endpoint="h:1"),
    )


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = load(Settings, ENOUGH | {"LOUPE_WORKERS": ""})
    assert (settings.lease_s, settings.workers, settings.tls, settings.folder) == (10.0, 1, True, None)


def test_all_faults_are_told_together() -> None:
    """An operator fixes a deployment in one go, not one restart a fault."""
    with pytest.raises(SettingsError) as caught:
        load(
            Settings,
            {"LOUPE_LEASE_S": "soon", "LOUPE_WORKERS": "1.5", "LOUPE_TLS": "maybe", "LOUPE_LEVEL": "x"},
        )
    told = str(caught.value)
    assert len(caught.value.faults) == 6
    for name in ("LOUPE_URL", "LOUPE_LEASE_S", "LOUPE_WORKERS", "LOUPE_TLS", "LOUPE_LEVEL", "LOUPE_ENDPOINT"):
        assert name in told


def test_a_rule_across_settings_is_a_fault_like_any_other() -> None:
    with pytest.raises(SettingsError, match="at most 64"):
        load(Settings, ENOUGH | {"LOUPE_WORKERS": "65"})


def test_secrets_are_not_shown() -> None:
    """Settings end up in logs and tracebacks."""
    assert "secret" not in repr(load(Settings, ENOUGH))
    (url, *_) = describe(Settings)
    assert (url.name, url.default) == ("LOUPE_URL", None)


def test_the_reference_lists_every_setting() -> None:
    assert [line.name for line in describe(Settings)][-2:] == ["LOUPE_LEVEL", "LOUPE_ENDPOINT"]


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """Orchestrators mount secrets as files: an environment is seen by whoever may look at the process."""
    file = tmp_path / "url"
    file.write_bytes(b"postgresql://u:secret@h/d\r\n")
    settings = load(Settings, {"LOUPE_URL_FILE": str(file), "LOUPE_ENDPOINT": "h:1"})
    assert settings.url == ENOUGH["LOUPE_URL"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"LOUPE_URL": "x", "LOUPE_URL_FILE": "{}/url"}, "LOUPE_URL and LOUPE_URL_FILE are both set"),
        ({"LOUPE_URL_FILE": "{}/none"}, "LOUPE_URL_FILE={}/none cannot be read: No such file or directory"),
        ({"LOUPE_URL_FILE": "{}"}, "LOUPE_URL_FILE={} cannot be read: Is a directory"),
        ({"LOUPE_URL_FILE": "{}/binary"}, "LOUPE_URL_FILE={}/binary cannot be read: it is not UTF-8"),
        ({"LOUPE_ENDPOINT_FILE": "{}/url"}, "LOUPE_URL is not set"),
    ],
)
def test_a_secret_that_cannot_be_had_from_its_file_is_told(
    given: dict[str, str], fault: str, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("hunter2")
    (tmp_path / "binary").write_bytes(b"\xff")
    here = {name: value.format(tmp_path) for name, value in given.items()}
    with pytest.raises(SettingsError) as refused:
        load(Settings, {"LOUPE_ENDPOINT": "h:1", **here})
    (told,) = refused.value.faults
    assert told.startswith(fault.format(tmp_path))
    assert "hunter2" not in told
