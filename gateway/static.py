"""Serves the console that `make console` built: the files of one folder, and nothing else.

All of it is read at once and kept, compressed where that helps, so that no request ever becomes a path of the
file system. A build made while the gateway runs is taken up at the next request for the page; pages that are
open still get the parts of the build that they came from.
"""

import asyncio
import gzip
import hashlib
import mimetypes
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway import pages

DIST = Path(__file__).parent / "console" / "dist"

_INDEX = "index.html"
_HASHED = "assets/"
_NONCE = "__NONCE__"
_KEPT_BUILDS = 4
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes = field(repr=False)
    zipped: bytes | None = field(repr=False)
    media_type: str
    etag: str


class Console:
    """The built console, or a page with the instructions to build it."""

    def __init__(self, folder: Path = DIST, picture_origin: str = "", public_url: str = "") -> None:
        self._folder = folder
        self._public_url = public_url.rstrip("/")
        self._picture_origin = picture_origin
        self._files: Mapping[str, _File] = {}
        self._builds: deque[Mapping[str, _File]] = deque(maxlen=_KEPT_BUILDS)
        self._built_ns: tuple[int, ...] = ()

    async def answer(self, request: Request) -> Response:
        """Any path: a file of the console, or its page, which shows what the path names."""
        name = request.path_params.get("path", "")
        if name not in self._files or not name.startswith(_HASHED):
            await self._take_up()
        kept = self._files.get(name)
        if kept is not None and name != _INDEX:
            return _serve(request, kept, immutable=name.startswith(_HASHED))
        # A program that mistyped a path gets a problem, not a page.
        if "." in name.rpartition("/")[2] or "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(404)
        if self._public_url and request.headers.get("host") != urlsplit(self._public_url).netloc:
            # The links of its pictures name the public host, and its policy allows no other.
            return RedirectResponse(f"{self._public_url}{request.url.path}", 307)
        index = self._files.get(_INDEX)
        if index is None:
            return pages.unbuilt()
        nonce = secrets.token_urlsafe(16)
        return Response(
            index.body.replace(_NONCE.encode(), nonce.encode()),
            media_type=index.media_type,
            headers={"Cache-Control": "no-cache", "Content-Security-Policy": self._policy(nonce)},
        )

    def _policy(self, nonce: str) -> str:
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                # The component library writes its styles when it runs; only those that carry the nonce count.
                f"style-src 'self' 'nonce-{nonce}'",
                f"img-src 'self' data: blob: {self._picture_origin}".rstrip(),
                "font-src 'self'",
                # Uploads go straight to object storage, by links that the gateway passes on (I3).
                f"connect-src 'self' {self._picture_origin}".rstrip(),
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )

    async def _take_up(self) -> None:
        try:
            # A page that is there before all of its parts is read again when they are.
            built_ns = tuple((self._folder / part).stat().st_mtime_ns for part in (_INDEX, _HASHED))
        except OSError:
            return  # Not built, or being built: what there was is served on.
        if built_ns != self._built_ns:
            self._builds.append(await asyncio.to_thread(_read, self._folder))
            hashed = {
                name: file
                for build in self._builds
                for name, file in build.items()
                if name.startswith(_HASHED)
            }
            self._files = {**hashed, **self._builds[-1]}
            self._built_ns = built_ns


def _read(folder: Path) -> Mapping[str, _File]:
    found: dict[str, _File] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            body = path.read_bytes()
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            if media_type == "text/javascript":
                media_type = "application/javascript"
            zipped = gzip.compress(body, 9, mtime=0) if media_type.startswith(_COMPRESSIBLE) else None
            found[path.relative_to(folder).as_posix()] = _File(
                body, zipped, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            )
    return found


def _serve(request: Request, kept: _File, *, immutable: bool) -> Response:
    headers = {
        "ETag": kept.etag,
        "Cache-Control": "public, max-age=31536000, immutable" if immutable else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == kept.etag:
        return Response(status_code=304, headers=headers)
    if kept.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            kept.zipped, media_type=kept.media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(kept.body, media_type=kept.media_type, headers=headers)
