"""A server, and people with accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.devices import Person, person
from tests.support.live_server import served


@pytest.fixture
async def base(transactional_db: None) -> AsyncIterator[str]:
    """Where the server is. The test can look into its hub: they share the loop."""
    async with served() as base:
        yield base


@pytest.fixture
async def ada(base: str) -> Person:
    return await person(base, "ada")


@pytest.fixture
async def eve(base: str) -> Person:
    """Another user."""
    return await person(base, "eve")
