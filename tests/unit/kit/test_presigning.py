"""What whoever holds a presigned link can do with it."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from minio.credentials import Credentials
from minio.signer import presign_v4

from services.kit.presigning import Signer, Validity

# The example of the signature's documentation (Amazon S3, "Authenticating Requests: Using Query Parameters").
SIGNER = Signer(
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106 -- published
    region="us-east-1",
)
VALID = Validity(datetime(2013, 5, 24, tzinfo=UTC), 86400)


def test_the_signature_is_that_of_the_documentation() -> None:
    """Every store of this protocol then takes the links."""
    link = SIGNER._signed("GET", "https://examplebucket.s3.amazonaws.com/test.txt", VALID)
    signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    assert parse_qs(urlsplit(link).query)["X-Amz-Signature"] == [signature]


def test_links_of_temporary_keys_carry_their_token_signed() -> None:
    """As minio-py signs it, which stores of this protocol take."""
    ours = replace(SIGNER, session_token="to/ken+=")  # noqa: S106 -- none
    address = "https://examplebucket.s3.amazonaws.com/test.txt"
    link = ours._signed("GET", address, VALID)
    theirs = presign_v4(
        method="GET",
        url=urlsplit(
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Security-Token="
            + quote("to/ken+=", safe="")
        ),
        region=SIGNER.region,
        credentials=Credentials(SIGNER.access_key, SIGNER.secret_key, session_token="to/ken+="),  # noqa: S106 -- none
        date=VALID.start,
        expires=VALID.seconds,
    )
    assert parse_qs(urlsplit(link).query) == parse_qs(theirs.query)


@pytest.mark.parametrize("key", ["samples/x", "weights/x", "incoming", "incoming-x", "x/incoming/y", ""])
def test_no_link_writes_what_anybody_reads(key: str) -> None:
    """It stays good for an hour: what was verified meanwhile could be overwritten."""
    with pytest.raises(ValueError, match="is not under incoming/"):
        SIGNER.link_to_write(f"http://store/loupe/{key}", key, VALID, 1)


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/zip", "application/xml", "image/gif"]
)
def test_what_is_no_picture_is_saved_and_never_shown(kind: str) -> None:
    """A page or a drawing of the store's could run scripts."""
    link = SIGNER.link_to_read("http://store/loupe/x", VALID, kind, None)
    asked = parse_qs(urlsplit(link).query)
    assert asked["response-content-type"] == [kind]
    assert asked["response-content-disposition"] == ["attachment"]
