"""The database on a connection of its own, past the pool: does it answer a newcomer?"""

from __future__ import annotations

from copy import deepcopy

from django.db import connections

CONNECT_WITHIN_S = 2


def ask_anew() -> None:
    """Connects, asks the least, and goes. Raises the database's errors.

    It may block for long if the database froze after it let us in: call it where that is no harm.
    """
    usual = connections["default"]
    settings = deepcopy(usual.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    settings["OPTIONS"]["connect_timeout"] = CONNECT_WITHIN_S
    connection = type(usual)(settings, alias="afresh")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
