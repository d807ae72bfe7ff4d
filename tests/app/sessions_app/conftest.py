"""Tests of the domain: no limits, a folder for pictures, and a list of announcements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import TestCase

from sessions_app.events import session_changed, session_reminded

Listen = Callable[[], AbstractContextManager[list[Any]]]


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    """A test is quicker than any user."""
    settings.LIMIT_REQUESTS_PER_MINUTE = settings.LIMIT_SIGNUPS_PER_MINUTE = 1_000_000


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture
def announced() -> Listen:
    """What was announced in a block, once that block is committed."""

    @contextmanager
    def listen() -> Iterator[list[Any]]:
        heard: list[Any] = []

        def receive(change: Any = None, reminder: Any = None, **_: Any) -> None:
            heard.append(change or reminder)

        session_changed.connect(receive)
        session_reminded.connect(receive)
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                yield heard
        finally:
            session_changed.disconnect(receive)
            session_reminded.disconnect(receive)

    return listen
