"""Gateways for tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.events import StreamLimits
from tests.integration.gateway.installation import Install, Installation, installation


@pytest.fixture
def install() -> Install:
    """Makes an installation with limits of the test's own."""
    return installation


@pytest_asyncio.fixture
async def loupe() -> AsyncIterator[Installation]:
    """An installation as it comes."""
    async with installation(StreamLimits()) as made:
        yield made
