"""A server in the test's own loop, and people with accounts: as for the tests of `realtime`."""

import pytest

from realtime.protocol.limits import BadFrames, Budget
from tests.app.realtime.conftest import ada, base, eve

__all__ = ["ada", "base", "eve"]


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device may send as much as it likes, and as badly."""
    monkeypatch.setattr(Budget, "spend", lambda _self, _count=1: True)
    monkeypatch.setattr(BadFrames, "one_more", lambda _self: False)
