"""People whose device speaks REST in this process, moved time, calls at one moment, pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from io import BytesIO
from threading import Barrier
from typing import Any

from django.db import connection, connections
from django.db.models import F
from PIL import Image
from rest_framework.test import APIClient

from accounts.auth.tokens import pair_of
from accounts.models import User
from accounts.services import logins
from sessions_app import services
from sessions_app.events import SessionState
from sessions_app.ledger import Actor
from sessions_app.models import Session
from sessions_app.timekeeper.loop import finish_due

PASSWORD = "correct horse battery"


@dataclass
class Person:
    """A user with one device: `api` speaks REST for it, `actor` calls the services."""

    user_id: int
    actor: Actor
    api: APIClient = field(repr=False)

    @property
    def user(self) -> User:
        return User.objects.get(pk=self.user_id)

    @property
    def revision(self) -> int:
        return self.user.revision

    def get(self, path: str, **headers: str) -> Any:
        return self.api.get(path, headers=headers or None)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.api.post(path, body, format="json", headers=_dashed(headers))

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.api.put(path, body, format="json", headers=_dashed(headers))

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.api.patch(path, body, format="json", headers=_dashed(headers))

    def delete(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.api.delete(path, body, format="json", headers=_dashed(headers))

    def has_session(self, title: str = "Write", duration: int = 25, **more: Any) -> SessionState:
        return services.create(by=self.actor, title=title, duration=duration, **more)

    def has_running(self, title: str = "Write", duration: int = 25, **more: Any) -> SessionState:
        session = self.has_session(title, duration, **more)
        return services.start(session.id, by=self.actor)

    def has_paused(self, title: str = "Write", duration: int = 25) -> SessionState:
        return services.pause(self.has_running(title, duration).id, by=self.actor)

    def has(self, status: str, duration: int = 25) -> SessionState:
        """A session of this status. Time passes for one that is to be completed."""
        if status == "ready":
            return self.has_session(duration=duration)
        session = self.has_running(duration=duration)
        if status == "completed":
            time_passes(duration * 60 + 1)
            finish_due()
        elif status != "running":
            acts = {"paused": services.pause, "finished": services.finish}
            session = acts.get(status, services.cancel)(session.id, by=self.actor)
        return session

    def sees(self, session_id: int) -> Any:
        """The session as REST gives it."""
        response = self.get(f"/sessions/{session_id}/")
        assert response.status_code == 200, response.content
        return response.json()


def signed_up(name: str, device: str = "Laptop") -> Person:
    login = logins.sign_up(name, f"{name}@example.com", PASSWORD, device=device)
    api = APIClient()
    api.handler = _handler()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {pair_of(login).access}")
    return Person(login.user_id, Actor(user_id=login.user_id, device=device), api)


@cache
def _handler() -> Any:
    """One for all clients: each of its own would walk through the static files, for 30 ms."""
    handler = APIClient().handler
    handler.load_middleware()
    return handler


def time_passes(seconds: float) -> None:
    """Moves everything that has happened into the past.

    For what is compared with the database's clock this is the same as waiting, and nothing of the
    code under test is patched: its clock, its constraints and its queries are the real ones.
    """
    columns = ("created_at", "updated_at", "started_at", "ends_at", "ended_at", "reminder_at")
    by = timedelta(seconds=seconds)
    Session.objects.update(**{name: F(name) - by for name in columns})


def a_crowd_runs(count: int) -> None:
    """`count` users, each with a running session of up to 25 minutes, as the product leaves it."""
    users = (
        "INSERT INTO accounts_user (username, username_key, email, email_key, password, revision,"
        " time_zone, day_start, reminders, is_active, is_staff, is_superuser, first_name,"
        " last_name, date_joined) SELECT 'u' || n, 'u' || n, 'u' || n, 'u' || n, '', 2, 'UTC', 0,"
        " '[]', true, false, false, '', '', now() FROM generate_series(1, %s) n"
    )
    sessions = (
        "INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,"
        " updated_at, version, task_minutes, status, planned_ms, started_at, ends_at, reminder_at)"
        " SELECT id, 'Write', 25, '', '', now(), now(), 2, 0, 'running', 1500000, now(),"
        " now() + (random() * 1499 + 1) * interval '1 second',"
        " now() + (random() * 1499 + 1) * interval '1 second' FROM accounts_user"
    )
    with connection.cursor() as cursor:
        cursor.execute(users, [count])
        cursor.execute(sessions)
        cursor.execute("ANALYZE sessions_app_session, accounts_user")


# Behind one lock, which waits for 2 s at most, one goes after the other: also on a busy machine.
RIVALS = 8


def at_once(act: Callable[[int], Any], times: int = RIVALS) -> list[Any]:
    """What `act(0)`, `act(1)`, ... gave or raised, in real threads, all begun at one moment."""
    begin = Barrier(times)

    def run(number: int) -> Any:
        try:
            connections["default"].ensure_connection()
            begin.wait(timeout=10)
            return act(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    connections.close_all()  # this thread's connection is needed, too
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def picture(kind: str = "PNG", size: tuple[int, int] = (4, 3), **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, kind, **options)
    return out.getvalue()


def data_url(raw: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


def _dashed(headers: dict[str, str]) -> dict[str, str] | None:
    return {name.replace("_", "-"): value for name, value in headers.items()} or None
