"""A server, and people with accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.devices import Person, person
from tests.support.live_server import served


@pytest.fixture
async def base(transactional_db: None) -> AsyncIterator[str]:
    """The address of a server on the loop of the test, which can inspect its hub."""
    async with served() as base:
        yield base


@pytest.fixture
async def ada(base: str) -> Person:
    return await person(base, "ada")


@pytest.fixture
async def eve(base: str) -> Person:
    """Another user."""
    return await person(base, "eve")
