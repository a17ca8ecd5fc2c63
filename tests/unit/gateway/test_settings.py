"""What the gateway makes of its settings."""

import pytest
from loupe.settings import load

from gateway.settings import Settings

ADDRESSES = {f"LOUPE_{name}_ADDRESS": "h:1" for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")}


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, ""),
        ({"LOUPE_S3_ENDPOINT": "s3:9000"}, "s3:9000"),
        ({"LOUPE_S3_ENDPOINT": "s3:9000", "LOUPE_S3_PUBLIC_ENDPOINT": "https://s3.fab"}, "https://s3.fab"),
    ],
)
def test_pages_may_use_the_store_to_which_links_lead(given: dict[str, str], origin: str) -> None:
    """Links name the public address: a policy with the inner one left every page without pictures."""
    assert load(Settings, {**ADDRESSES, **given}).picture_origin == origin
