"""What the URL of the database may say, without a server."""

from pathlib import Path

import pytest
from loupe.settings import SettingsError, load

from services.kit.postgresql import DatabaseSettings

HOST = "postgresql+asyncpg://u:secret@h/loupe"


def _loaded(url: str, **more: str) -> DatabaseSettings:
    return load(DatabaseSettings, {"LOUPE_DATABASE_URL": url, **more})


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("mysql://u:secret@h/loupe", "write postgresql://"),
        ("postgresql://u:sec#ret@h/loupe", "%23"),
        ("postgresql://u:secret@@h/loupe", "%40"),
        (f"{HOST}?sslmode=full", "sslmode must be one of disable"),
        (f"{HOST}?ssl=true", "sslmode must be one of disable"),
        (f"{HOST}?ssl=require&sslmode=disable", "sslmode is given twice"),
        (f"{HOST}?sslmode=verify-full", "needs sslrootcert=FILE"),
        (f"{HOST}?sslmode=verify-ca&sslrootcert=/nowhere.pem", "no file sslrootcert=/nowhere.pem"),
        (f"{HOST}?application_name=x", "application_name is no parameter here"),
        (f"{HOST}?target_session_attrs=standby", "Loupe writes"),
    ],
)
def test_a_url_that_cannot_be_obeyed_is_refused_with_what_to_write(url: str, remedy: str) -> None:
    """A parameter that is not understood must not be dropped: it may be the one that asks for TLS."""
    with pytest.raises(SettingsError) as refused:
        _loaded(url)
    (fault,) = refused.value.faults
    assert fault.startswith("LOUPE_DATABASE_URL: ")
    assert remedy in fault
    assert "secret" not in fault


def test_what_libpq_and_sqlalchemy_write_is_taken(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    for url in (
        "postgres://u@h",
        f"{HOST}?ssl=require",
        f"{HOST}?sslmode=verify-full&sslrootcert={authority}",
        "postgresql://u:p%40ss@h1:5432,h2:5433/loupe?target_session_attrs=primary",
        "postgresql:///loupe?host=/run/postgresql",
    ):
        assert _loaded(url).url == url


def test_a_pool_has_room_for_the_outbox_and_calls() -> None:
    with pytest.raises(SettingsError, match="LOUPE_DATABASE_CONNECTIONS must be at least 4, not 3"):
        _loaded(HOST, LOUPE_DATABASE_CONNECTIONS="3")
