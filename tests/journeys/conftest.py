"""Servers that all journeys share, since a process takes a second or two to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.world import Server, servers
from tests.realtime.world import Person, person


@pytest.fixture(scope="session")
def _two(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with servers(tmp_path_factory.mktemp("two"), "uvicorn", "uvicorn") as two:
        yield two


@pytest.fixture(scope="session")
def daphne(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("daphne"), "daphne") as [server]:
        yield server


@pytest.fixture
def one(_two: list[Server], transactional_db: None) -> Server:
    """A server."""
    return _two[0]


@pytest.fixture
def other(_two: list[Server], transactional_db: None) -> Server:
    """Another server on the same database and the same Redis."""
    return _two[1]


@pytest.fixture
async def ada(one: Server) -> Person:
    """Somebody with an account, whose device is at the first server."""
    return await person(one.base, "ada")
