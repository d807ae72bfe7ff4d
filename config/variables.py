"""Every variable of the environment that Space reads: its name, its default, and what it means.

`settings.py` takes them from here, and nothing else reads the environment. `.env.example` and the
table in docs/operations.md are made from here: `./space manage export_settings`.
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

    `development` is the default where SPACE_ENV says so, `shown` the default in words, `example` a
    value for `.env.example`.
    """

    def __init__(
        self,
        read: Callable[..., T],
        default: T,
        meaning: str,
        *,
        development: T = NONE,
        shown: str = "",
        example: str = "",
    ) -> None:
        self.read, self.default, self.meaning = read, default, meaning
        self.development, self.shown, self.example = development, shown, example

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


class Section(str):
    """What the variables after it are about."""

    __slots__ = ()


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
    """All variables, in the order of the documents."""

    where_we_are = Section("Where we are")
    SPACE_ENV = Variable(
        env.str,
        "production",
        "`development` serves any host, accepts the page of http://localhost:5173 and needs no"
        " HTTPS. Any other value is production.",
        shown="`production` (`./space`: `development`)",
    )

    required = Section("Required")
    SECRET_KEY = Variable(
        secret,
        NONE,
        "A secret of at least 32 bytes. There is no default: a known key signs any user in."
        ' `python3 -c "import secrets; print(secrets.token_urlsafe(48))"` makes one.',
        shown="none (`./space`: made once, in `.space/`)",
    )
    TOKEN_SIGNING_KEY = Variable(
        secret,
        NONE,
        "Another such secret, which signs tokens. Changing it without `TOKEN_VERIFYING_KEYS` logs"
        " all users out.",
        shown="none (`./space`: made once, in `.space/`)",
    )
    DATABASE_URL: Variable[dict[str, Any]] = Variable(
        env.db_url,
        NONE,
        "PostgreSQL. `?sslmode=require` at its end asks for TLS.",
        shown="none (`./space`: its own)",
        example="postgres://space:password@127.0.0.1:5432/space",
    )
    REDIS_URL: Variable[str] = Variable(
        env.str,
        NONE,
        "Redis or Valkey.",
        shown="none (`./space`: its own)",
        example="redis://:password@127.0.0.1:6379/0",
    )

    reached = Section("How we are reached")
    PUBLIC_URL = Variable(
        env.str,
        "",
        "The start of absolute URLs (of pictures), and an origin whose pages may open sockets."
        " Needed in production. Empty: the host of the request, and paths only on the socket.",
        example="https://space.example",
    )
    ALLOWED_HOSTS: Variable[list[str]] = Variable(
        hosts,
        [],
        "Host names that are served, each exactly, with commas. Needed in production.",
        development=["*"],
        example="space.example",
    )
    CORS_ALLOWED_ORIGINS: Variable[list[str]] = Variable(
        origins,
        [],
        "Pages of other origins that may use the API, with commas, scheme and port included.",
        development=["http://localhost:5173", "http://127.0.0.1:5173"],
        example="https://app.example",
    )
    WEBSOCKET_ORIGINS: Variable[list[str]] = Variable(
        _as_the_api,
        NONE,
        "The same for the socket.",
        shown="as `CORS_ALLOWED_ORIGINS`",
        example="https://app.example",
    )
    TRUSTED_PROXIES = Variable(
        env.int,
        0,
        "How many of your proxies append to `X-Forwarded-For`. 0: the header is ignored. Above 0"
        " `X-Forwarded-Proto` is trusted too, so no client may reach the server past the proxy.",
    )
    FORWARDED_ALLOW_IPS = Variable(
        env.str,
        "",
        "Addresses or networks of those proxies, with commas. uvicorn takes the client's address"
        " and the scheme from their headers. Empty: from no headers.",
    )

    https = Section("HTTPS")
    HTTPS = Variable(env.bool, True, "Redirect to HTTPS and send HSTS.", development=False)
    SECURE_SSL_REDIRECT = Variable(env.bool, True, "The redirect alone (only with `HTTPS`).")
    SECURE_HSTS_SECONDS = Variable(
        env.int,
        31_536_000,
        "How many seconds browsers remember to use HTTPS only (only with `HTTPS`).",
    )

    postgresql = Section("PostgreSQL")
    DB_DRIVER = Variable(env.str, "psycopg", "`psycopg` (with a pool) or `psycopg2` (without one).")
    DB_POOL_SIZE = Variable(env.int, 20, "Connections of one process at most (`psycopg` only).")
    DB_STATEMENT_TIMEOUT_MS = Variable(
        env.int, 5_000, "Milliseconds after which the database gives up a statement."
    )

    redis = Section("Redis")
    CHANNEL_PREFIX = Variable(
        env.str,
        "space",
        "The prefix of channels and cache keys. Each Space on one Redis needs its own: the numbered"
        " databases of Redis share channels.",
    )

    accounts = Section("Accounts")
    TOKEN_VERIFYING_KEYS: Variable[list[str]] = Variable(
        secrets,
        NONE,
        "More keys whose tokens are valid, with commas, at least 32 bytes each: the previous one,"
        " or the next one. No token is signed with them.",
        shown="empty",
    )
    ACCESS_TOKEN_MINUTES = Variable(env.int, 24 * 60, "Minutes for which an access token is valid.")
    REFRESH_TOKEN_DAYS = Variable(env.int, 60, "Days after which an unused login ends.")
    LOGINS_PER_USER = Variable(
        env.int,
        50,
        "Logged-in devices of one user. One more ends the login that was unused for longest.",
    )
    LIMIT_SIGNUPS_PER_MINUTE = Variable(
        env.int, 60, "Sign-ups from one address, refused ones included.", development=120
    )
    LIMIT_FAILED_LOGINS_PER_MINUTE = Variable(
        env.int, 5, "Failed log-ins under one name.", development=10
    )
    LIMIT_FAILED_LOGINS_PER_ADDRESS = Variable(
        env.int, 30, "Failed log-ins from one address in a minute, over all names.", development=300
    )
    LIMIT_REFRESHES_PER_MINUTE = Variable(
        env.int, 120, "Refreshes from one address.", development=1_200
    )
    LIMIT_PASSWORD_CHANGES_PER_MINUTE = Variable(
        env.int, 5, "Password changes of one user, refused ones included.", development=20
    )
    LIMIT_WAITING_PER_ADDRESS = Variable(
        env.int,
        16,  # as `django_handler.PATIENT_SHARE`: a class that logs in at once is not refused
        "Log-ins, sign-ups and similar requests from one address that wait for a password hash, in"
        " one process (two are hashed at a time).",
        development=40,
    )
    LIMIT_REQUESTS_PER_MINUTE = Variable(env.int, 600, "Requests of one user.", development=1_200)

    LIMIT_CHANGES_PER_DAY = Variable(
        env.int,
        20_000,
        "Changes of one user in 24 hours. Each adds a row to the log of changes.",
        development=1_000_000,
    )
    LIMIT_RESETS_PER_MINUTE = Variable(
        env.int,
        10,
        "Requests for a link to a new password, and uses of one, from one address.",
        development=60,
    )
    LIMIT_RESET_MAILS_PER_HOUR = Variable(
        env.int,
        3,
        "Links to a new password that one user is sent. Above it the answer is the same, without a"
        " mail.",
        development=30,
    )
    LIMIT_NOTICES_PER_HOUR = Variable(
        env.int, 10, "Notices of one kind to one user.", development=100
    )
    LIMIT_EXPORTS_PER_MINUTE = Variable(
        env.int, 3, "Exports of one user; one at a time in a process.", development=10
    )

    mail = Section("Mail")
    EMAIL_URL: Variable[Any] = Variable(
        env.email_url,
        "dummymail://",
        "The mail server: `smtp+ssl://user:password@host:465`, `smtp+tls://...:587`, `smtp://host:25`,"
        " or `consolemail://`, which writes mails into the log with the links in them."
        " `dummymail://` sends none, so a forgotten password cannot be replaced.",
        development="consolemail://",
        example="smtp+ssl://space:password@mail.example:465",
    )
    DEFAULT_FROM_EMAIL = Variable(
        env.str,
        "Space <space@localhost>",
        "The sender of mails.",
        example="Space <space@space.example>",
    )

    ADMIN = Variable(
        env.bool,
        False,
        "Serve the pages for staff at `/admin/`. Best on a server of its own, behind a VPN or the"
        " proxy's own log-in.",
        development=True,
    )

    product = Section("The product")
    STAR_UP_TO_MINUTES = Variable(
        env.int, 30, "Focused minutes up to which a session becomes a star; above, a planet."
    )
    QUOTA_SESSIONS = Variable(env.int, 10_000, "Sessions that one user may keep.")
    QUOTA_TASKS = Variable(env.int, 200, "Tasks of one session.")
    QUOTA_TASKS_OF_USER = Variable(env.int, 20_000, "Tasks that one user may keep.")
    QUOTA_ANSWERS_MIB = Variable(
        env.int,
        32,
        "MiB that the answers to requests with an `Idempotency-Key` may take, of one user.",
    )
    HISTORY_KEPT_DAYS = Variable(
        env.int,
        400,
        "Days for which the log of changes is kept (0: for ever). Sessions stay; the history of an"
        " older one is shorter.",
    )
    QUOTA_PICTURES_MIB = Variable(env.int, 200, "MiB that the pictures of one user may take.")
    SOCKETS_PER_USER = Variable(env.int, 10, "Open sockets of one user in one process.")
    SOCKETS_UNAUTHENTICATED = Variable(
        env.int,
        2_000,
        "Open sockets of one process that are not authenticated. Above it, a socket that has been"
        " silent for a second is closed.",
    )

    files = Section("Files and logs")
    MEDIA_ROOT = Variable(
        env.str,
        "",
        "The folder for pictures of sessions, shared by all servers.",
        shown="`media/` in the checkout",
        example="/var/lib/space/media",
    )
    STATIC_ROOT = Variable(
        env.str,
        "",
        "The folder that `collectstatic` fills with the files of the page, and servers serve."
        " Empty: they are served from `client/`.",
    )
    WATCHDOG = Variable(
        env.bool,
        True,
        "A process that stands still, or receives nothing from Redis by its own fault, exits with"
        " code 75, so that its supervisor starts it again. `false` for a debugger.",
    )
    LOG_LEVEL = Variable(env.str, "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`.")
    LOG_FORMAT = Variable(
        env.str,
        "json",
        "`json`: one object a line. `lines`: for people.",
        development="lines",
    )
    LOG_REQUESTS = Variable(env.bool, True, "A line for each REST request.", development=False)

    metrics = Section("Metrics")
    METRICS_LISTEN: Variable[tuple[str, int] | None] = Variable(
        address,
        "",  # type: ignore[arg-type]  # as it is written; None when read
        "Where servers and timekeepers answer `/metrics` and `/healthz` without a password, each on"
        " a port of its own: an address that only Prometheus reaches. With `--processes` the second"
        " process takes the next port, and so on. Empty: nowhere.",
        example="127.0.0.1:9100",
    )
    METRICS_TOKEN = Variable(
        secret_if_any,
        "",
        "A secret of at least 32 bytes. A request with it (`Authorization: Bearer ...`) is answered"
        " at `/metrics` on the server's own port. Empty: there is no such path.",
    )


given = Environment()


def sections() -> dict[str, list[Variable[Any]]]:
    """All variables by their section, in order."""
    found: dict[str, list[Variable[Any]]] = {}
    for value in vars(Environment).values():
        if isinstance(value, Section):
            found[value] = []
        elif isinstance(value, Variable):
            found[list(found)[-1]].append(value)
    return found
