"""Counts failed password attempts, by name and by network."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Exists, OuterRef

from accounts.auth.credentials import users_named
from accounts.counters import Count, read_counts
from accounts.exceptions import InvalidCredentials, WrongPassword
from accounts.limits import FAILURES_OF_ADDRESS, FAILURES_OF_NAME, FAILURES_OF_NAME_HERE, Limit
from accounts.models import Login, User
from accounts.names import fold
from accounts.security_log import pseudonym, record
from runtime.client_address import NO_NETWORK, bounds_of, current_network

Counted = list[tuple[Limit, str]]  # limits, each with the key that it counts for


@contextmanager
def password_attempt(name: str) -> Iterator[User | None]:
    """Around a check of the password of `name`; gives its user. Raises TooManyRequests.

    A failure is InvalidCredentials or WrongPassword. The client's address is the one of the
    request that this thread answers.

    The counts are read before and after, so that of many guesses at once no more than the limit
    get a yes or a no, while any number of right ones may come in together.
    """
    key, network = fold(name), current_network() or NO_NETWORK
    user, is_at_home = _user_of(key, network)
    counted = _counted(key if user is None else f"\0{user.pk}", network, is_at_home=is_at_home)
    _refuse_if_reached(counted)
    try:
        yield user
    except (InvalidCredentials, WrongPassword) as failure:
        asked_again = isinstance(failure, WrongPassword)
        record("password_wrong" if asked_again else "log_in_failed", who=pseudonym(name))
        counts = [(limit, limit.count_failure(key)) for limit, key in counted]
        for limit, count in counts:
            limit.refuse(Count(count.number - 1, count.alone))
        raise
    _refuse_if_reached(counted)


def confirm_password(user: User, password: str, *, field: str) -> None:
    """For a user who is asked for their password again. Raises WrongPassword, TooManyRequests."""
    with password_attempt(user.username):
        if not user.check_password(password):
            raise WrongPassword(field)


def _refuse_if_reached(counted: Counted) -> None:
    counts = read_counts([limit.name_of(key) for limit, key in counted])
    for (limit, _), count in zip(counted, counts, strict=True):
        limit.refuse(count)


def _counted(who: str, network: str, *, is_at_home: bool) -> Counted:
    """Where a failure counts: for the name and for the network, both over all clients.

    But where the user of that name is logged in from this network already, for the two together:
    guesses from elsewhere must not keep the owner out.

    `who` is the user where there is one (after a NUL, which no name contains): all names of a user
    are one, and so are those of before. A client with a token could change the name after each few
    guesses at the password.
    """
    if is_at_home:
        return [(FAILURES_OF_NAME_HERE, f"{network} {who}")]
    return [(FAILURES_OF_NAME, who), (FAILURES_OF_ADDRESS, network)]


def _user_of(key: str, network: str) -> tuple[User | None, bool]:
    """The user of this name, and whether a device of theirs is logged in from this network."""
    theirs = Login.objects.active().filter(user=OuterRef("pk"))
    there = (
        theirs.none() if network == NO_NETWORK else theirs.filter(address__range=bounds_of(network))
    )
    user = users_named(key).annotate(is_at_home=Exists(there)).first()
    return user, user is not None and user.is_at_home
