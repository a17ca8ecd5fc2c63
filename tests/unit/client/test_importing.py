import socket
from pathlib import Path
from typing import Any

import pytest
import urllib3
from loupe.errors import Unavailable
from loupe.importing import SampleImport, _Content


def test_an_object_store_that_is_away_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback says nothing to who imports, and the link in it is a credential."""
    nobody: Any = None
    importing = SampleImport(nobody, lambda _: None)
    monkeypatch.setattr(importing, "_http", urllib3.PoolManager(retries=False))
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    with socket.socket() as unheard:
        # Bound and not listening: nobody else gets the port meanwhile.
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/loupe/a?X-Amz-Signature=secret"
        with file.open("rb") as body, pytest.raises(Unavailable, match="does not answer") as caught:
            importing._send(url, body, _Content(file, "", 1))
    assert "secret" not in caught.value.message
