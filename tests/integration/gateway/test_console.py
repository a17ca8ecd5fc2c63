"""The console's files as the gateway serves them (I4)."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio

from gateway.app import create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.static import Console


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<script src="/assets/a-1.js" nonce="__NONCE__"></script>')
    (folder / "assets" / "a-1.js").write_text("let a = 1;" * 100)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest_asyncio.fixture
async def http(dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    console = Console(dist, picture_origin="127.0.0.1:9000")
    # No service is asked for a page.
    channels = dict.fromkeys(("registry", "scheduler", "evaluator"), grpc.aio.insecure_channel("127.0.0.1:9"))
    app = create_app(Backends(channels, 1.0), Streams(StreamLimits()), console)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://loupe.test", headers={"Accept": "text/html,*/*"}
    ) as client:
        yield client


async def test_i4_hashed_files_are_kept_and_the_page_is_asked_for_again(http: httpx.AsyncClient) -> None:
    """A new build is seen at once, and nothing is loaded twice."""
    script = await http.get("/assets/a-1.js")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"
    assert script.text.startswith("let a = 1;")
    again = await http.get("/assets/a-1.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await http.get("/")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/models", "/tasks/1234", "/reports/9f/samples"])
async def test_i4_a_deep_link_opens_the_page(http: httpx.AsyncClient, path: str) -> None:
    """Whoever is sent a link to a report sees that report."""
    page = await http.get(path)
    assert page.status_code == 200
    assert "<script" in page.text


async def test_i4_only_scripts_and_styles_of_ours_run(http: httpx.AsyncClient) -> None:
    """XSS in a name must find nothing that runs it; every page has its own nonce."""
    pages = [await http.get("/") for _ in range(2)]
    policies = [page.headers["content-security-policy"] for page in pages]
    assert policies[0] != policies[1]
    assert "__NONCE__" not in pages[0].text
    assert "script-src 'self';" in policies[0]
    assert "unsafe" not in policies[0]
    assert "img-src 'self' data: blob: 127.0.0.1:9000;" in policies[0]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt",
        "/..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd.txt",
        "/assets/link.txt",
        "/assets/none.js",
    ],
)
async def test_i4_no_path_leads_out_of_the_folder(http: httpx.AsyncClient, path: str) -> None:
    """What is not of the build is not there, links included."""
    answer = await http.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.txt", "")


async def test_i4_without_a_build_the_page_says_how_and_a_later_build_is_taken_up(
    http: httpx.AsyncClient, dist: Path
) -> None:
    """A newcomer without a registry gets a sentence, not an error."""
    built = (dist / "index.html").read_text()
    (dist / "index.html").unlink()
    told = await http.get("/models")
    assert told.status_code == 200
    assert "make console" in told.text
    (dist / "index.html").write_text(built)
    assert "<script" in (await http.get("/models")).text


async def test_i4_a_page_that_is_open_still_gets_the_parts_of_its_own_build(
    http: httpx.AsyncClient, dist: Path
) -> None:
    """Most parts load when they are needed, which may be after a new build was put in place."""
    assert "a-1.js" in (await http.get("/models")).text
    (dist / "assets" / "a-1.js").unlink()
    (dist / "assets" / "a-2.js").write_text("let a = 2;")
    (dist / "index.html").unlink()
    assert "a-1.js" in (await http.get("/models")).text  # Half-way through a build.
    (dist / "index.html").write_text('<script src="/assets/a-2.js" nonce="__NONCE__"></script>')
    assert "a-2.js" in (await http.get("/models")).text
    assert (await http.get("/assets/a-2.js")).text == "let a = 2;"
    assert (await http.get("/assets/a-1.js")).text.startswith("let a = 1;")
