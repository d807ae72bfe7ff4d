"""Each variable is declared once; the settings use it, and `.env.example` describes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from config.variables import NONE, Variable, given, variables

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("config", "ops", "server", "web"),
    *("realtime", "sessions_app", "accounts", "runtime"),
)


@pytest.mark.parametrize("command", ["export_schemas", "export_settings"])
def test_the_generated_documents_in_the_repository_are_up_to_date(command: str) -> None:
    call_command(command, "--check")


def test_only_the_declaration_reads_the_environment() -> None:
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
    assert used == {variable.name for variable in variables()}


# The comment above each variable, its name and its value.
DESCRIBED = re.findall(
    r"^((?:# .*\n)+)#(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE
)


def test_the_example_has_every_variable_in_order() -> None:
    assert [name for _, name, _ in DESCRIBED] == [variable.name for variable in variables()]


@pytest.mark.parametrize("variable", variables(), ids=lambda variable: str(variable.name))
def test_the_example_has_the_meaning_and_the_defaults(variable: Variable[Any]) -> None:
    """A value that is not the default is an example; the comment then says the default."""
    [(lines, value)] = [(lines, value) for lines, name, value in DESCRIBED if name == variable.name]
    comment = " ".join(line.removeprefix("# ") for line in lines.splitlines())
    assert comment.endswith(".")
    default = _plain(variable.default)
    if variable.development is not NONE:
        both = f"{default or 'empty'} (development: {_plain(variable.development)})"
        assert comment.endswith(f" Default: {both}.")
    elif value != default:
        assert " Default: " in comment


def _plain(value: Any) -> str:
    """As it is written in the environment."""
    if value is NONE:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def test_a_variable_may_have_another_default_in_development(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    monkeypatch.setenv("SPACE_ENV", "development")
    assert given.ALLOWED_HOSTS == ["*"]
    monkeypatch.setenv("SPACE_ENV", "production")
    assert given.ALLOWED_HOSTS == []


def test_the_socket_accepts_the_origins_of_the_api_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
def test_verifying_keys_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str | None, keys: list[str]
) -> None:
    monkeypatch.delenv("TOKEN_VERIFYING_KEYS", raising=False)
    if value is not None:
        monkeypatch.setenv("TOKEN_VERIFYING_KEYS", value)
    assert keys == given.TOKEN_VERIFYING_KEYS


UNSAFE = [
    *(("SECRET_KEY", value) for value in (None, "", "x" * 31)),
    *(("TOKEN_SIGNING_KEY", value) for value in (None, "", "x" * 31)),
    *(("TOKEN_VERIFYING_KEYS", value) for value in ("x" * 31, f"{'a' * 32},short")),
    *(("ALLOWED_HOSTS", value) for value in ("*", "space.example,.example")),
    *(("CORS_ALLOWED_ORIGINS", value) for value in ("*", "null", "https://app.example/")),
    *(("CORS_ALLOWED_ORIGINS", f"https://{rest}") for rest in ("*.example", "app.example:443")),
    *(("WEBSOCKET_ORIGINS", value) for value in ("null", "app.example")),
    ("METRICS_LISTEN", "9100"),
]


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_an_unsafe_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    monkeypatch.setenv("SPACE_ENV", "production")
    if value is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        getattr(given, name)


def test_a_secret_has_no_default_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ENV", "development")
    for name in ("SECRET_KEY", "TOKEN_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
        with pytest.raises(ImproperlyConfigured, match=name):
            getattr(given, name)


def test_an_origin_may_have_a_port_or_be_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = ["https://app.example", "http://localhost:5173", "http://[::1]:8000"]
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", ",".join(origins))
    assert origins == given.CORS_ALLOWED_ORIGINS
