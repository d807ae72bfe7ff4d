"""Users who sign up through the API, and the minute that the limits count in."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.handlers.base import BaseHandler
from django.core.mail import EmailMessage
from django.test import TestCase
from django.test.client import ClientHandler
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts import counters
from accounts.auth.admission import admit
from accounts.auth.tokens import AccessToken, Claims
from accounts.events import LoginRevoked, login_revoked
from accounts.mail import queue
from accounts.models import Login, User
from tests.support.people import PASSWORD


@dataclass
class Device:
    """A client that is logged in, and the answer to its log-in."""

    answer: dict[str, Any]
    api: APIClient = field(default_factory=APIClient)

    def __post_init__(self) -> None:
        self.carry(self.answer["access"])

    def carry(self, access: str) -> None:
        self.access = access
        self.api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")

    @property
    def refresh(self) -> str:
        token: str = self.answer["refresh"]
        return token

    @property
    def user(self) -> User:
        return User.objects.get(pk=self.answer["user"]["id"])

    @property
    def login(self) -> Login:
        return admit(self.access).login

    @property
    def answer_login(self) -> int:
        """The id of its login, which may have ended."""
        return Claims.of(AccessToken, self.access).login_id

    def is_let_in(self) -> bool:
        return self.api.get("/users/me/").status_code == 200

    def refreshed(self) -> Response:
        return APIClient().post("/users/token/refresh/", {"refresh": self.refresh}, format="json")


@pytest.fixture(autouse=True)
def _shared_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chain for all clients: each of its own would walk through the static files, for 30 ms."""

    def load_middleware(self: ClientHandler, is_async: bool = False) -> None:
        vars(self).update(_loaded())

    monkeypatch.setattr(ClientHandler, "load_middleware", load_middleware)


@cache
def _loaded() -> dict[str, Any]:
    handler = ClientHandler()
    BaseHandler.load_middleware(handler)
    return {name: value for name, value in vars(handler).items() if "_middleware" in name}


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture
def sign_up() -> Callable[..., Device]:
    def sign_up(name: str = "ada", **more: Any) -> Device:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | more
        response = APIClient().post("/users/signup/", body, format="json")
        assert response.status_code == 201, response.content
        return Device(response.json())

    return sign_up


@pytest.fixture
def log_in() -> Callable[..., Device]:
    def log_in(name: str = "ada", password: str = PASSWORD, **more: Any) -> Device:
        body = {"username": name, "password": password} | more
        response = APIClient().post("/users/login/", body, format="json")
        assert response.status_code == 200, response.content
        return Device(response.json())

    return log_in


@pytest.fixture
def ada(db: None, sign_up: Callable[..., Device]) -> Device:
    return sign_up("ada")


@pytest.fixture
def phone(ada: Device, log_in: Callable[..., Device]) -> Device:
    """Ada's second device."""
    return log_in("ada", device="Phone")


@pytest.fixture
def eve(db: None, sign_up: Callable[..., Device]) -> Device:
    """Another user."""
    return sign_up("eve")


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """The sent mails. They are sent at once: the background would not see this transaction."""
    queue.flush()
    django_mail.outbox.clear()
    monkeypatch.setattr(queue, "put", lambda work: work())
    return django_mail.outbox


@dataclass
class Minute:
    """The clock of the limits."""

    now: float

    def passes(self) -> None:
        self.now += 60


@pytest.fixture(autouse=True)
def minute(monkeypatch: pytest.MonkeyPatch) -> Minute:
    """A minute of its own for each test: no counts of others, and no end in the middle."""
    minute = Minute(random.randrange(10**9) * 60 + 15)
    monkeypatch.setattr(counters, "time", lambda: minute.now)
    return minute


@pytest.fixture
def revocations() -> Callable[..., Any]:
    """The revocations of a block, once it is committed."""

    @contextmanager
    def listen() -> Iterator[list[LoginRevoked]]:
        heard: list[LoginRevoked] = []

        def receive(revoked: LoginRevoked, **_: Any) -> None:
            heard.append(revoked)

        login_revoked.connect(receive)
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                yield heard
        finally:
            login_revoked.disconnect(receive)

    return listen
