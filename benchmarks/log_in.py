"""Measures whether the time of a refused log-in shows which names exist.

    python -m benchmarks.log_in                  a minute; starts a server of its own (Linux)
    python -m benchmarks.log_in --rounds 200     the more, the smaller a difference can be seen

Four kinds of refused log-ins over HTTP, one at a time, in a random order in each round: a known
name with a wrong password, an unknown name, and the right password of an inactive user and of a
user without a usable one. All are answered 401. The table has the median and p95 of each kind, and
the ratio of the median to that of the first kind. A second table is measured without HTTP and with
a hash that takes no time, twenty times as often: what remains is the work of our own code.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import time
from collections.abc import Callable

from benchmarks.bench.space import lone_stage

USERS = 10  # of each kind
PASSWORD = "a long walk at dusk"  # noqa: S105 -- of nobody
WARM_UP = 5  # rounds that do not count

# What is sent for user `n`. Names of all kinds are equally long.
KINDS: dict[str, Callable[[int], tuple[str, str]]] = {
    "known name, wrong password": lambda n: (f"known{n}", "a long walk at dawn"),
    "unknown name": lambda n: (f"other{n}", PASSWORD),
    "inactive user, right password": lambda n: (f"quiet{n}", PASSWORD),
    "user without a password": lambda n: (f"empty{n}", PASSWORD),
}


def people() -> None:
    """Makes the users, with passwords that are hashed as in production."""
    import django

    django.setup()
    from django.contrib.auth.hashers import make_password

    from accounts.models import User
    from accounts.services import logins

    for number in range(USERS):
        for name in (f"known{number}", f"quiet{number}", f"empty{number}"):
            user = logins.sign_up(name, f"{name}@example.org", PASSWORD).user
            if name.startswith("quiet"):
                User.objects.filter(pk=user.pk).update(is_active=False)
            if name.startswith("empty"):
                User.objects.filter(pk=user.pk).update(password=make_password(None))


Ask = Callable[[str], int]  # the body of a log-in -> the status of the answer


def over_http(port: int) -> Ask:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(body: str) -> int:
        connection.request("POST", "/users/login/", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return ask


def without_hash() -> Ask:
    """In this process, with passwords that are hashed by a function that takes no time."""
    from django.contrib.auth.hashers import make_password
    from django.test import Client, override_settings

    from accounts.models import User

    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    override_settings(PASSWORD_HASHERS=[quick], ALLOWED_HOSTS=["*"]).enable()
    hashed = make_password(PASSWORD)
    User.objects.exclude(username__startswith="empty").update(password=hashed)
    client = Client()

    def ask(body: str) -> int:
        return client.post("/users/login/", body, content_type="application/json").status_code

    return ask


def measure(ask: Ask, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each kind."""
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(-WARM_UP, rounds):
        for kind in random.sample(list(KINDS), len(KINDS)):
            name, password = KINDS[kind](random.randrange(USERS))
            body = json.dumps({"username": name, "password": password})
            began = time.perf_counter()
            status = ask(body)
            milliseconds = (time.perf_counter() - began) * 1000
            if status != 401:
                raise SystemExit(f"The answer was {status}.")
            if number >= 0:
                taken[kind].append(milliseconds)
    return taken


def show(what: str, taken: dict[str, list[float]]) -> None:
    first = statistics.median(next(iter(taken.values())))
    print(f"\n{what:32}{'median':>11}{'p95':>11}{'ratio':>8}")
    for kind, times in taken.items():
        median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"{kind:32}{median:8.2f} ms{p95:8.2f} ms{median / first:8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    limits = dict.fromkeys(
        ("LIMIT_FAILED_LOGINS_PER_MINUTE", "LIMIT_FAILED_LOGINS_PER_ADDRESS"), "1000000000"
    )
    with lone_stage(users=0) as made:
        os.environ.update(made.environment | limits)
        people()
        with made.serve(**limits) as (_, port):
            show(f"{given.rounds} of each", measure(over_http(port), given.rounds))
        rounds = 20 * given.rounds
        show(f"{rounds} of each, without the hash", measure(without_hash(), rounds))


if __name__ == "__main__":
    main()
