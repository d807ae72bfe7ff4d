"""A frozen PostgreSQL: no thread waits for it beyond its deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from realtime import database
from runtime.deadline import within
from sessions_app.exceptions import IdempotencyInProgress
from sessions_app.idempotency import once
from tests.support.people import signed_up

pooled = pytest.mark.skipif(settings.DB_DRIVER != "psycopg", reason="psycopg2 has no pool")

SHORT_S = 0.2
FAR_LESS_THAN_FROZEN_S = 3.0


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A backend of the tests' own PostgreSQL, stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


def one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        number: int = cursor.fetchone()[0]
        return number


@pytest.fixture
def own_connection(transactional_db: None) -> Iterator[None]:
    """Of this test alone, since it may be lost."""
    yield
    connection.close()


def test_a_thread_waits_for_a_frozen_backend_until_its_deadline(own_connection: None) -> None:
    with frozen(backend()):
        began = time.monotonic()
        with within(SHORT_S), pytest.raises(OperationalError):
            one()
        assert SHORT_S <= time.monotonic() - began < FAR_LESS_THAN_FROZEN_S
        connection.close()
        assert one() == 1, "the others are not frozen"


def test_a_transaction_of_a_frozen_backend_is_given_up(own_connection: None) -> None:
    with frozen(backend()):
        with within(SHORT_S), pytest.raises(OperationalError), transaction.atomic():
            one()
        assert not connection.in_atomic_block
        assert one() == 1


@pooled
def test_a_thread_without_time_sends_nothing_and_keeps_its_connection(
    own_connection: None,
) -> None:
    before = backend()
    with within(0), pytest.raises(OperationalError, match="no time was left"):
        one()
    assert backend() == before


@pooled
def test_a_transaction_without_time_is_undone_and_keeps_its_connection(
    own_connection: None,
) -> None:
    before = backend()
    with pytest.raises(OperationalError), within(SHORT_S), transaction.atomic():
        _outlast_it()
    assert backend() == before


def _outlast_it() -> None:
    one()
    time.sleep(SHORT_S)
    one()


@pooled
def test_a_connection_of_the_pool_that_is_frozen_is_passed_over(own_connection: None) -> None:
    pid = backend()
    connection.close()  # back to the pool
    with frozen(pid):
        began = time.monotonic()
        assert backend() != pid
        assert time.monotonic() - began < 2.0


async def test_the_threads_of_sockets_come_back_from_frozen_backends(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []

    def freeze_and_ask() -> None:
        stopped.append(backend())
        os.kill(stopped[-1], signal.SIGSTOP)
        one()

    many = database._for_sockets._max_workers
    await asyncio.gather(*(database.in_database(one) for _ in range(many)))  # all are there
    try:
        monkeypatch.setattr(database, "SOCKET_TIMEOUT_S", 1.0)
        asked = [database.in_database(freeze_and_ask) for _ in range(many)]
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in failed] == [OperationalError] * many
        monkeypatch.undo()
        assert await database.in_database(one) == 1
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


# -- repeating a request whose answer was lost ----------------------------------------------------


def after_the_thaw(user_id: int, act: Callable[[], str]) -> str:
    """What the same key gives, once the backend has noticed that nobody waits."""
    deadline = time.monotonic() + FAR_LESS_THAN_FROZEN_S
    while True:
        try:
            return once(user_id, "key", {}, act, str).state
        except IdempotencyInProgress:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_change_that_was_not_committed_happens_once_with_the_same_key(
    own_connection: None,
) -> None:
    user_id = signed_up("ada").user_id

    def freeze() -> str:
        os.kill(pid, signal.SIGSTOP)
        return str(one())

    pid = backend()
    try:
        with within(SHORT_S), pytest.raises(OperationalError):
            once(user_id, "key", {}, freeze, str)
        with pytest.raises(IdempotencyInProgress):  # at once: nobody waits for the frozen one
            once(user_id, "key", {}, lambda: "second", str)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert after_the_thaw(user_id, lambda: "second") == "second"
    assert after_the_thaw(user_id, lambda: "third") == "second"


def test_a_change_that_was_committed_gives_its_answer_to_the_same_key(
    own_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = signed_up("ada").user_id
    pid, commit = backend(), connection._commit

    def freeze_and_commit() -> None:
        os.kill(pid, signal.SIGSTOP)
        commit()

    try:
        monkeypatch.setattr(connection, "_commit", freeze_and_commit)
        with within(SHORT_S), pytest.raises(OperationalError):
            once(user_id, "key", {}, lambda: "first", str)
        monkeypatch.undo()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert after_the_thaw(user_id, lambda: "second") == "first"
