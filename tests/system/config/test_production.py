"""The settings of production, as a process reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = {
    "PATH": os.environ["PATH"],
    "SPACE_ENV": "production",
    "SECRET_KEY": "cu1Yb8mOqN2dXW7fR4tK0zLpVh9sJgEa3iTxQe6DnBwMvC5yUu2Ff",
    "TOKEN_SIGNING_KEY": "Zr7pKd3XyWn9QmVb2LtHs6CfJg0uEaO4iRx8TvN5kYqMwB1z",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_URL": "https://space.example",
    "ALLOWED_HOSTS": "space.example",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
}
HTTPS_OFF = {"security.W004", "security.W008", "security.W010"}


def manage(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=PRODUCTION | more,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("admin", ["true", "false"])
def test_django_finds_nothing_to_warn_of(admin: str) -> None:
    checked = manage("check", "--deploy", "--fail-level", "WARNING", ADMIN=admin)
    assert checked.returncode == 0, checked.stderr
    # The settings give the reason for the silenced one.
    assert "no issues (1 silenced)" in checked.stdout


def test_django_warns_of_missing_https() -> None:
    checked = manage("check", "--deploy", "--fail-level", "WARNING", HTTPS="false")
    assert checked.returncode == 1
    found = {word.strip("(?):") for word in checked.stderr.split() if "security.W" in word}
    assert found == HTTPS_OFF


SHOW = """
from django.conf import settings as s
from django.urls import get_resolver
from django.test import Client
print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS >= 31536000)
print(s.DEBUG, s.ADMIN, s.LOG_REQUESTS, s.LOGGING["handlers"]["stderr"]["formatter"])
answer = Client().get("/admin/", secure=True, headers={"host": "space.example"})
print(answer.status_code, answer.json()["code"])
answer = Client().get("/nowhere/", headers={"host": "space.example"})
print(answer.status_code, answer["Location"])
"""


def test_the_strict_settings_are_the_defaults() -> None:
    shown = manage("shell", "--no-imports", "-c", SHOW)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-4:] == [
        "True True True",
        "False False True json",
        "404 not_found",
        "301 https://space.example/nowhere/",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET_KEY", "short"), ("SOCKETS_PER_USER", "many"), ("LOG_FORMAT", "xml")],
)
def test_a_wrong_value_stops_the_start(name: str, value: str) -> None:
    """tests/docs/test_variables.py has the values that each variable refuses."""
    started = manage("check", **{name: value})
    assert started.returncode != 0
    assert (name if name != "SOCKETS_PER_USER" else value) in started.stderr
