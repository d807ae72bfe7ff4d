"""The hash of passwords, which takes 100 MiB of memory on purpose: so few at a time.

Otherwise a handful of requests by anybody, at once, would take all the memory that a server has.
Who waits for a hash does so in turn by where they come from, and only so many from one network:
otherwise one client could keep everybody from logging in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from rest_framework.exceptions import Throttled

from runtime.client_address import current_network
from runtime.deadline import left
from runtime.fair_semaphore import FairTurns, QueueFull, TookTooLong

AT_A_TIME = 2  # in a process; each uses several cores by itself
PATIENCE_S = 10.0  # outside of a request; in one, as long as it may take
HASHED_WITHIN_S = 1.0  # of that; nobody is called who would be told no all the same
TRY_AGAIN_S = 5  # told to a client that was not served in time
QUEUE_MOVES_S = 2  # told to one whose network has enough waiting

_turns = FairTurns(AT_A_TIME)


class Argon2(Argon2PasswordHasher):
    """Django's, in turn. Raises Throttled where that takes too long."""

    def encode(self, password: str, salt: str) -> str:
        with _turn():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        with _turn():
            return bool(super().verify(password, encoded))


@contextmanager
def _turn() -> Iterator[None]:
    network = current_network()
    # Outside of a request, in a command or a shell, it is ourselves.
    waiting = inf if network is None else settings.LIMIT_WAITING_PER_ADDRESS
    within_s = max(0.0, left(PATIENCE_S + HASHED_WITHIN_S) - HASHED_WITHIN_S)
    try:
        with _turns.of(network, waiting=waiting, within_s=within_s):
            yield
    except QueueFull as full:
        raise Throttled(wait=QUEUE_MOVES_S) from full
    except TookTooLong as late:
        raise Throttled(wait=TRY_AGAIN_S) from late
