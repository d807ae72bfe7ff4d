"""Each variable is declared once; settings, `.env.example` and documents are made from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from config.variables import given, sections

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("config", "ops", "server", "web"),
    *("realtime", "sessions_app", "accounts", "runtime"),
)


@pytest.mark.parametrize("command", ["export_schemas", "export_settings"])
def test_the_generated_documents_in_the_repository_are_up_to_date(command: str) -> None:
    call_command(command, "--check")


def test_nothing_reads_the_environment_past_the_declaration() -> None:
    apps = [p for app in PACKAGES for p in (ROOT / app).rglob("*.py")]
    readers = {
        str(path.relative_to(ROOT))
        for path in apps
        if re.search(r"os\.environ\b(?!\.setdefault)|getenv|environ\.Env", path.read_text())
    }
    # Failpoints are for tests that break a process: they are not among the variables.
    assert readers == {"config/variables.py", "runtime/failpoints.py"}


def test_every_variable_is_used_by_the_settings() -> None:
    used = set(re.findall(r"given\.(\w+)", (ROOT / "config" / "settings.py").read_text()))
    assert used == {variable.name for group in sections().values() for variable in group}


def test_every_variable_says_what_it_means() -> None:
    for variable in (v for group in sections().values() for v in group):
        assert variable.meaning.endswith(".")


def test_a_default_may_be_another_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    monkeypatch.setenv("SPACE_ENV", "development")
    assert given.ALLOWED_HOSTS == ["*"]
    monkeypatch.setenv("SPACE_ENV", "production")
    assert given.ALLOWED_HOSTS == []


def test_the_socket_lets_in_the_pages_that_the_api_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSOCKET_ORIGINS", raising=False)
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "https://app.example")
    assert given.WEBSOCKET_ORIGINS == ["https://app.example"]


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        (None, []),
        ("", []),
        (" , ", []),
        ("a" * 32, ["a" * 32]),
        (f"{'a' * 32}, {'b' * 40},", ["a" * 32, "b" * 40]),
    ],
)
def test_more_keys_stand_with_commas(
    monkeypatch: pytest.MonkeyPatch, value: str | None, keys: list[str]
) -> None:
    monkeypatch.delenv("TOKEN_VERIFYING_KEYS", raising=False)
    if value is not None:
        monkeypatch.setenv("TOKEN_VERIFYING_KEYS", value)
    assert keys == given.TOKEN_VERIFYING_KEYS


@pytest.mark.parametrize("value", ["short", f"{'a' * 32},short", "x" * 31])
def test_a_short_key_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TOKEN_VERIFYING_KEYS", value)
    with pytest.raises(ImproperlyConfigured, match="TOKEN_VERIFYING_KEYS must have at least 32"):
        _ = given.TOKEN_VERIFYING_KEYS


@pytest.mark.parametrize("where", ["production", "development"])
@pytest.mark.parametrize("name", ["SECRET_KEY", "TOKEN_SIGNING_KEY"])
def test_a_secret_has_no_default_anywhere(
    monkeypatch: pytest.MonkeyPatch, where: str, name: str
) -> None:
    monkeypatch.setenv("SPACE_ENV", where)
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be set, to at least 32 bytes"):
        getattr(given, name)


@pytest.mark.parametrize("value", [None, "", "short", "x" * 31])
def test_a_secret_has_no_default_and_is_long(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SECRET_KEY", value)
    with pytest.raises(ImproperlyConfigured):
        _ = given.SECRET_KEY


@pytest.mark.parametrize(
    ("more", "complaint"),
    [({"SECRET_KEY": "short"}, "SECRET_KEY"), ({"SOCKETS_PER_USER": "many"}, "many")],
)
def test_a_wrong_value_stops_the_start(more: dict[str, Any], complaint: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "check"]
    run = subprocess.run(
        command, env=os.environ | more, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert complaint in run.stderr
