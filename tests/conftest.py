"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.support import contract, generated, truncate
from tests.support.people import Person, signed_up
from tests.support.servers import Server, servers

contract.watch()
generated.register_profiles()


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        truncate.after_each_test(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _quick_passwords(settings: object) -> None:
    """Hash passwords quickly: the real hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _patient(_django_db_marker: None) -> None:
    """The transaction around a test may idle: a machine may be busy with something else."""
    if connection.in_atomic_block:
        _may_idle()


@pytest.fixture
def patient(db: None) -> None:
    """The same, where a fixture needs the database and the test has no mark that says so."""
    _may_idle()


def _may_idle() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")


@pytest.fixture
def ada(patient: None) -> Person:
    """A user with one device."""
    return signed_up("ada")


@pytest.fixture
def eve(patient: None) -> Person:
    """Another user."""
    return signed_up("eve", device="Phone")


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
