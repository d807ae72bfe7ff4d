"""The hash of passwords, which takes 100 MiB of memory on purpose: so few at a time.

Otherwise a handful of requests by anybody, at once, would take all the memory that a server has.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.contrib.auth.hashers import Argon2PasswordHasher
from rest_framework.exceptions import Throttled

from accounts.turns import taken

AT_A_TIME = 2  # in a process; each uses several cores by itself
PATIENCE_S = 10.0
TRY_AGAIN_S = 5  # told to a client that was not served in time

_slots = BoundedSemaphore(AT_A_TIME)


class Argon2(Argon2PasswordHasher):
    """Django's, in turn. Raises Throttled where that takes too long."""

    def encode(self, password: str, salt: str) -> str:
        with _slot():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        with _slot():
            return bool(super().verify(password, encoded))


@contextmanager
def _slot() -> Iterator[None]:
    if not taken(_slots, within_s=PATIENCE_S):
        raise Throttled(wait=TRY_AGAIN_S)
    try:
        yield
    finally:
        _slots.release()
