"""The driver of PostgreSQL is the one that was asked for (Django prefers psycopg 3)."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import is_psycopg3


@pytest.mark.django_db
def test_the_driver_is_the_one_that_was_asked_for() -> None:
    connection.ensure_connection()
    made_by = {kind.__module__.split(".")[0] for kind in type(connection.connection).__mro__}
    driver = os.environ.get("DB_DRIVER", "psycopg")
    assert made_by & {"psycopg", "psycopg2"} == {driver}
    assert is_psycopg3 is (driver == "psycopg")
