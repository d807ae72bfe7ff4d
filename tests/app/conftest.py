"""Two users. Packages with other needs define their own."""

from __future__ import annotations

import pytest

from tests.support.people import Person, signed_up


@pytest.fixture
def ada(patient: None) -> Person:
    return signed_up("ada")


@pytest.fixture
def eve(patient: None) -> Person:
    """Somebody else."""
    return signed_up("eve", device="Phone")
