"""Another kind of server, and somebody to travel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.devices import Person, person
from tests.support.servers import Server, servers


@pytest.fixture(scope="session")
def daphne(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("daphne"), "daphne") as [server]:
        yield server


@pytest.fixture
async def ada(one: Server) -> Person:
    """Somebody with an account, whose device is at the first server."""
    return await person(one.base, "ada")
