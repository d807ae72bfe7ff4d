"""A PostgreSQL that is frozen, and not down: nobody waits for it for longer than they may."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from accounts.deadline import within

pooled = pytest.mark.skipif(settings.DB_DRIVER != "psycopg", reason="psycopg2 has no pool")

SHORT_S = 0.1
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


def test_a_frozen_backend_is_waited_for_no_longer_than_there_is_time(own_connection: None) -> None:
    with frozen(backend()):
        began = time.monotonic()
        with within(SHORT_S), pytest.raises(OperationalError, match="did not answer in time"):
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
def test_a_thread_that_has_no_time_left_asks_nothing_and_keeps_its_connection(
    own_connection: None,
) -> None:
    before = backend()
    with within(0), pytest.raises(OperationalError, match="no time was left"):
        one()
    assert backend() == before


@pooled
def test_a_transaction_without_time_left_is_undone_and_keeps_its_connection(
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
