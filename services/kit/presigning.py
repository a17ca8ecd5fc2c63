"""Presigned links to objects: which there are, and what whoever holds one can do with it.

A link is a credential that anybody may pass on. So one that writes reaches only `incoming/`, which nothing
reads but who verifies the bytes there; and one that reads says as what the bytes are to be taken, whatever
type their uploader gave them.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote, urlsplit

INCOMING = "incoming"
"""Where uploads arrive: `incoming/<name>`, a name for each upload."""
PICTURE_TYPES = frozenset({"image/jpeg", "image/png", "image/bmp", "image/tiff"})
"""What browsers may show. They save everything else: as a page of the store's it could run scripts."""
# The key is a hash of the content, so the object never changes.
_FOR_EVER = "private, max-age=31536000, immutable"
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Validity:
    """From when a link is good, and for how long."""

    start: datetime
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Makes links that carry the right of one key of the store."""

    access_key: str
    secret_key: str
    region: str
    session_token: str = ""
    """Of temporary keys."""

    def link_to_write(self, url: str, key: str, valid: Validity, size_bytes: int | None) -> str:
        """A link that takes a PUT to `url`, the address of `key`, of exactly that size unless it is None."""
        if not key.startswith(f"{INCOMING}/"):
            raise ValueError(f"{key} is not under {INCOMING}/: who holds a link could overwrite it")
        sized = {} if size_bytes is None else {"content-length": str(size_bytes)}
        return self._signed("PUT", url, valid, headers=sized)

    def link_to_read(self, url: str, valid: Validity, content_type: str, download_name: str | None) -> str:
        """A link that reads `url` as `content_type`; browsers save it with a name, or if it is no picture."""
        disposition = "inline" if download_name is None and content_type in PICTURE_TYPES else "attachment"
        name = "" if download_name is None else f'; filename="{download_name}"'
        answered = {
            "response-cache-control": _FOR_EVER,
            "response-content-disposition": disposition + name,
            "response-content-type": content_type,
        }
        return self._signed("GET", url, valid, query=answered)

    def _signed(
        self,
        method: str,
        url: str,
        valid: Validity,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """The link with a signature, version 4, that covers method, query and these headers.

        minio-py signs no header but the host.
        """
        address = urlsplit(url)
        time = f"{valid.start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        signed = {"host": address.netloc, **headers}
        names = ";".join(sorted(signed))
        own = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(valid.seconds),
            "X-Amz-SignedHeaders": names,
        }
        if self.session_token:
            own["X-Amz-Security-Token"] = self.session_token
        asked = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in sorted({**own, **query}.items())
        )
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = f"{method}\n{address.path}\n{asked}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        text = f"{_ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return f"{address.scheme}://{address.netloc}{address.path}?{asked}&X-Amz-Signature={signature}"
