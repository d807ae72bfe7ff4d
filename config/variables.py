"""Every variable of the environment that Space reads: its name, its type and its default.

`.env.example` says what each means. `settings.py` takes them from here, and nothing else reads the
environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")  # the environment wins over it

NONE: Any = object()  # the default of a variable that must be set


class Variable(Generic[T]):
    """One variable. It is read on access; a wrong value stops the start.

    `development` is the default where SPACE_ENV says so.
    """

    def __init__(self, read: Callable[..., T], default: T, *, development: T = NONE) -> None:
        self.read, self.default, self.development = read, default, development

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Variable[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Variable[T] | T:
        if instance is None:
            return self
        relaxed = self.development is not NONE and env.str("SPACE_ENV", "") == "development"
        default = self.development if relaxed else self.default
        return self.read(self.name) if default is NONE else self.read(self.name, default=default)


def secret(name: str) -> str:
    """A secret of at least 32 bytes. There is no default: a known key signs any user in."""
    if not (value := secret_if_any(name)):
        raise ImproperlyConfigured(f"{name} must be set, to at least 32 bytes of randomness")
    return value


def secret_if_any(name: str, default: str = "") -> str:
    """A secret of at least 32 bytes, or nothing."""
    return _long_enough(name, env.str(name, default))


def secrets(name: str) -> list[str]:
    """Any number of secrets, with commas, of at least 32 bytes each."""
    values = (value.strip() for value in env.str(name, "").split(","))
    return [_long_enough(name, value) for value in values if value]


def _long_enough(name: str, value: str) -> str:
    if value and len(value.encode()) < 32:
        raise ImproperlyConfigured(f"{name} must have at least 32 bytes of randomness")
    return value


def address(name: str, default: str) -> tuple[str, int] | None:
    """A host and a port to listen on, as in `127.0.0.1:9100` or `[::1]:9100`; None if empty."""
    value: str = env.str(name, default).strip()
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ImproperlyConfigured(f"{name}: {value!r} is not like 127.0.0.1:9100")
    return host.strip("[]"), int(port)


def hosts(name: str, default: list[str]) -> list[str]:
    """Names of hosts, each exactly. A pattern would admit names that others control."""
    names: list[str] = env.list(name, default=default)
    if env.str("SPACE_ENV", "") != "development" and any(n == "*" or n[:1] == "." for n in names):
        raise ImproperlyConfigured(f"{name} names each host: no * and no name that begins with .")
    return names


def origins(name: str, default: list[str]) -> list[str]:
    """Origins, each exactly as browsers send it."""
    found: list[str] = env.list(name, default=default)
    for origin in found:
        if not _ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(f"{name}: {origin!r} is not like https://app.example")
    return found


# As browsers send it: without a path, upper case, or the default port.
_ORIGIN = re.compile(r"(http(?!.*:80$)|https(?!.*:443$))://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?")


def _as_the_api(name: str) -> list[str]:
    return origins(name, given.CORS_ALLOWED_ORIGINS)


class Environment:
    """All variables, in the order of `.env.example`."""

    SPACE_ENV = Variable(env.str, "production")

    # -- required
    SECRET_KEY = Variable(secret, NONE)
    TOKEN_SIGNING_KEY = Variable(secret, NONE)
    DATABASE_URL: Variable[dict[str, Any]] = Variable(env.db_url, NONE)
    REDIS_URL: Variable[str] = Variable(env.str, NONE)

    # -- how we are reached
    PUBLIC_URL = Variable(env.str, "")
    ALLOWED_HOSTS: Variable[list[str]] = Variable(hosts, [], development=["*"])
    CORS_ALLOWED_ORIGINS: Variable[list[str]] = Variable(
        origins, [], development=["http://localhost:5173", "http://127.0.0.1:5173"]
    )
    WEBSOCKET_ORIGINS: Variable[list[str]] = Variable(_as_the_api, NONE)
    TRUSTED_PROXIES = Variable(env.int, 0)
    FORWARDED_ALLOW_IPS = Variable(env.str, "")

    # -- HTTPS
    HTTPS = Variable(env.bool, True, development=False)
    SECURE_SSL_REDIRECT = Variable(env.bool, True)
    SECURE_HSTS_SECONDS = Variable(env.int, 31_536_000)

    # -- PostgreSQL and Redis
    DB_DRIVER = Variable(env.str, "psycopg")
    DB_POOL_SIZE = Variable(env.int, 20)
    DB_STATEMENT_TIMEOUT_MS = Variable(env.int, 5_000)
    CHANNEL_PREFIX = Variable(env.str, "space")

    # -- accounts
    TOKEN_VERIFYING_KEYS: Variable[list[str]] = Variable(secrets, NONE)
    ACCESS_TOKEN_MINUTES = Variable(env.int, 24 * 60)
    REFRESH_TOKEN_DAYS = Variable(env.int, 60)
    LOGINS_PER_USER = Variable(env.int, 50)
    LIMIT_SIGNUPS_PER_MINUTE = Variable(env.int, 60, development=120)
    LIMIT_FAILED_LOGINS_PER_MINUTE = Variable(env.int, 5, development=10)
    LIMIT_FAILED_LOGINS_PER_ADDRESS = Variable(env.int, 30, development=300)
    LIMIT_REFRESHES_PER_MINUTE = Variable(env.int, 120, development=1_200)
    LIMIT_PASSWORD_CHANGES_PER_MINUTE = Variable(env.int, 5, development=20)
    # As `django_handler.PATIENT_SHARE`: a class that logs in at once is not refused.
    LIMIT_WAITING_PER_ADDRESS = Variable(env.int, 16, development=40)
    LIMIT_REQUESTS_PER_MINUTE = Variable(env.int, 600, development=1_200)
    LIMIT_CHANGES_PER_DAY = Variable(env.int, 20_000, development=1_000_000)
    LIMIT_RESETS_PER_MINUTE = Variable(env.int, 10, development=60)
    LIMIT_RESET_MAILS_PER_HOUR = Variable(env.int, 3, development=30)
    LIMIT_NOTICES_PER_HOUR = Variable(env.int, 10, development=100)
    LIMIT_EXPORTS_PER_MINUTE = Variable(env.int, 3, development=10)

    # -- mail and staff
    EMAIL_URL: Variable[Any] = Variable(env.email_url, "dummymail://", development="consolemail://")
    DEFAULT_FROM_EMAIL = Variable(env.str, "Space <space@localhost>")
    ADMIN = Variable(env.bool, False, development=True)

    # -- the product
    STAR_UP_TO_MINUTES = Variable(env.int, 30)
    QUOTA_SESSIONS = Variable(env.int, 10_000)
    QUOTA_TASKS = Variable(env.int, 200)
    QUOTA_TASKS_OF_USER = Variable(env.int, 20_000)
    QUOTA_ANSWERS_MIB = Variable(env.int, 32)
    HISTORY_KEPT_DAYS = Variable(env.int, 400)
    QUOTA_PICTURES_MIB = Variable(env.int, 200)
    SOCKETS_PER_USER = Variable(env.int, 10)
    SOCKETS_UNAUTHENTICATED = Variable(env.int, 2_000)

    # -- files and logs
    MEDIA_ROOT = Variable(env.str, "")
    STATIC_ROOT = Variable(env.str, "")
    WATCHDOG = Variable(env.bool, True)
    LOG_LEVEL = Variable(env.str, "INFO")
    LOG_FORMAT = Variable(env.str, "json", development="lines")
    LOG_REQUESTS = Variable(env.bool, True, development=False)

    # -- metrics
    METRICS_LISTEN: Variable[tuple[str, int] | None] = Variable(
        address,
        "",  # type: ignore[arg-type]  # as it is written; None when read
    )
    METRICS_TOKEN = Variable(secret_if_any, "")


given = Environment()


def variables() -> list[Variable[Any]]:
    """All of them, in order."""
    return [value for value in vars(Environment).values() if isinstance(value, Variable)]
