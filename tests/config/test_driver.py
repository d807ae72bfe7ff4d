"""The driver of PostgreSQL is the one that was asked for (Django prefers psycopg 3)."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import is_psycopg3


@pytest.mark.django_db
def test_the_driver_is_the_one_that_was_asked_for() -> None:
    connection.ensure_connection()
    driver = type(connection.connection).__module__.split(".")[0]
    assert driver == os.environ.get("DB_DRIVER", "psycopg")
    assert is_psycopg3 is (driver == "psycopg")
