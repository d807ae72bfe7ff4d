"""Starts the metrics of a process, by its role."""

from __future__ import annotations

import asyncio
from typing import Any

from ops.metrics import families, listener
from ops.metrics.loop_lag import lag
from sessions_app.stats import stats

WELL_WITHIN_S = 5.0  # of a timekeeper: a round is a quarter of a second away


def in_server() -> None:
    """To be called on the event loop of a server that has started."""
    lag.start(asyncio.get_running_loop())
    listener.start(healthy=_loop_lives)


def in_timekeeper() -> None:
    """To be called in a timekeeper that is about to start."""
    families.register("timekeeper")
    listener.start(healthy=_rounds_succeed)


def _loop_lives() -> tuple[bool, dict[str, Any]]:
    silent = lag.silent() or 0.0
    return silent < WELL_WITHIN_S, {"loop_silent_s": round(silent, 1)}


def _rounds_succeed() -> tuple[bool, dict[str, Any]]:
    age = stats.seconds_since_round()
    shown = None if age is None else round(age, 1)
    return age is not None and age < WELL_WITHIN_S, {"last_round_s": shown}
