"""Fills an empty database: users with a login and a running session each, and their tokens.

    python -m benchmarks.bench.populate USERS TOKENS

Writes one access token a line into the file TOKENS, for the users in order, and prints what else a
load needs, as JSON. The seconds of the sessions are spread as those of the peers are; their ends
are hours away. There are EXTRA users more than asked for, whose sessions may be paused and changed.
The last of them has one with many tasks, so that its frames are large.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

from benchmarks.peers.ticks import phase

AT_ONCE = 2_000
EXTRA = 520
LASTS = timedelta(hours=20)
PLANNED = timedelta(hours=24)
TASKS = 40
REVISION = VERSION = 2  # created, started


def main(users: int, tokens: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.db import connection

    from runtime.deadline import unhurried

    with unhurried(), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        cursor.execute("TRUNCATE accounts_user RESTART IDENTITY CASCADE")
        found = _fill(users + EXTRA, tokens)
        cursor.execute("ANALYZE")
    print(json.dumps(found))


def _fill(count: int, tokens: Path) -> dict[str, Any]:
    from accounts.auth.tokens import new_jti, pair_of
    from accounts.models import Login, User
    from sessions_app.models import Epoch, Session, SessionEvent, Task

    now = datetime.now(UTC).replace(microsecond=0)
    people = [_user(n) for n in range(count)]
    User.objects.bulk_create(people, AT_ONCE)
    logins = [
        Login(
            user=user,
            device="bench",
            refresh_jti=new_jti(),
            refreshed_at=now,
            first_seen=now,  # no token may be older than its login
            last_seen=now,
        )
        for user in people
    ]
    Login.objects.bulk_create(logins, AT_ONCE)
    sessions = [_session(user, n, now) for n, user in enumerate(people)]
    Session.objects.bulk_create(sessions, AT_ONCE)
    SessionEvent.objects.bulk_create(
        [
            SessionEvent(
                user_id=session.user_id,
                revision=revision,
                session_id=session.pk,
                version=revision,
                kind=kind,
                at=now,
                device="bench",
            )
            for session in sessions
            for revision, kind in enumerate(("created", "started"), 1)
        ],
        AT_ONCE,
    )
    Task.objects.bulk_create(
        Task(
            session=sessions[-1], title="A task with a long title " * 4, duration=1, created_at=now
        )
        for _ in range(TASKS)
    )
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{pair_of(login).access}\n" for login in logins))
    epoch = Epoch.objects.first()
    return {
        "epoch": str(epoch.value) if epoch else "",
        "since": REVISION,
        "first_session": sessions[0].pk,
        "first_user": people[0].pk,
    }


def _user(n: int) -> Any:
    from accounts.models import User
    from accounts.names import fold

    name = f"bench{n}"
    email = f"{name}@example.org"
    return User(
        username=name,
        username_key=fold(name),
        email=email,
        email_key=fold(email),
        password="!",  # noqa: S106 - nobody signs in with it
        revision=REVISION,
    )


def _session(user: Any, n: int, now: datetime) -> Any:
    from sessions_app.models import Session, in_ms

    ends_at = now + LASTS + timedelta(milliseconds=phase(n))
    return Session(
        user=user,
        title="Write the report",
        duration=PLANNED // timedelta(minutes=1),
        created_at=now,
        updated_at=now,
        version=VERSION,
        status="running",
        planned_ms=in_ms(PLANNED),
        started_at=ends_at - PLANNED,
        ends_at=ends_at,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
