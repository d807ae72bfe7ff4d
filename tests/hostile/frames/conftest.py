"""A server in the test's own loop, and people with accounts: as for the tests of `realtime`."""

import pytest

from tests.app.realtime.conftest import ada, base, eve

__all__ = ["ada", "base", "eve"]


@pytest.fixture
def patient() -> None:
    """Nothing is done in the test's own transaction."""
