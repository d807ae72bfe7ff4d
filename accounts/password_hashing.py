"""The hash of passwords. It takes 100 MiB of memory on purpose, so few are made at a time.

Otherwise a handful of requests at once would take all the memory that a server has. The semaphore
is fair between networks and bounds how many requests of one network wait: otherwise one client
could keep all others from logging in.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from math import inf

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from accounts.exceptions import TooManyRequests
from runtime.client_address import current_network
from runtime.deadline import left
from runtime.fair_semaphore import FairSemaphore, Overloaded

AT_A_TIME = 2  # in a process; each hash uses several cores
LONGEST_WAIT_S = 10.0  # outside of a request; in one, as long as it may take
HASH_S = 1.0  # of that: a hash that would be made too late is not begun
RETRY_AFTER_S = 5  # `Retry-After` of a request that was not served in time
QUEUE_RETRY_AFTER_S = 2  # `Retry-After` where enough requests of the network wait


def _may_wait(network: Hashable) -> float:
    """How many requests of a network. Without one it is a command of our own, which may always."""
    return inf if network is None else settings.LIMIT_WAITING_PER_ADDRESS


_slots = FairSemaphore(AT_A_TIME, queue_share=_may_wait)


class Argon2(Argon2PasswordHasher):
    """Django's, few at a time. Raises TooManyRequests where the wait is too long."""

    def encode(self, password: str, salt: str) -> str:
        with _slot():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        with _slot():
            return bool(super().verify(password, encoded))


@contextmanager
def _slot() -> Iterator[None]:
    within_s = max(0.0, left(LONGEST_WAIT_S + HASH_S) - HASH_S)
    try:
        with _slots.slot(current_network(), within_s=within_s):
            yield
    except Overloaded as refusal:
        raise TooManyRequests(
            wait_s=QUEUE_RETRY_AFTER_S if refusal.own else RETRY_AFTER_S
        ) from refusal
