"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings as hypothesis_settings

from tests import contract
from tests.journeys.world import Server, servers

contract.watch()

# A slow moment of the machine is not a failure; in CI the same examples are tried each time.
hypothesis_settings.register_profile("space", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "space")


@pytest.fixture(autouse=True)
def _quick_passwords(settings: object) -> None:
    """Hash passwords quickly: the real hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def _two(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Shared by all journeys, since a process takes a second or two to start."""
    with servers(tmp_path_factory.mktemp("two"), "uvicorn", "uvicorn") as two:
        yield two


@pytest.fixture
def one(_two: list[Server], transactional_db: None) -> Server:
    """A server."""
    return _two[0]


@pytest.fixture
def other(_two: list[Server], transactional_db: None) -> Server:
    """Another server on the same database and the same Redis."""
    return _two[1]
