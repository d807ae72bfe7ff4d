"""Checks on a connection of its own, outside of the pool, whether the database answers."""

from __future__ import annotations

from copy import deepcopy

from django.db import connections

CONNECT_TIMEOUT_S = 2


def check_can_connect() -> None:
    """Connects, runs `SELECT 1` and disconnects. Raises the database's errors.

    It may block for long where the database freezes after it has accepted the connection.
    """
    usual = connections["default"]
    settings = deepcopy(usual.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    settings["OPTIONS"]["connect_timeout"] = CONNECT_TIMEOUT_S
    connection = type(usual)(settings, alias="probe")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
