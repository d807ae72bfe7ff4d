"""What all tests share."""

import os

import pytest
from hypothesis import settings as hypothesis_settings

# A slow moment of the machine is not a failure; in CI the same examples are tried each time.
hypothesis_settings.register_profile("space", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "space")


@pytest.fixture(autouse=True)
def _quick_passwords(settings: object) -> None:
    """Hash passwords quickly: the real hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
