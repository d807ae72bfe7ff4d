"""Every name of a library that its documentation does not promise, with the module that uses it.

An upgrade of the library fails here with a sentence, and not at run time. `requirements.in` pins
each of these libraries to a minor version.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("accounts", "config", "ops", "realtime", "runtime", "server", "sessions_app", "web")

# By the module (or package) that uses them: the owner of the names, as `module:Class`, or the
# module itself for names that are imported from it.
BORROWED = {
    "server/uvicorn/http.py": {
        "uvicorn.protocols.http.httptools_impl": "STATUS_LINE HttpToolsProtocol",
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol": (
            "_unsupported_upgrade_warning connection_lost connection_made cycle data_received flow"
            " handle_websocket_upgrade loop on_body on_header on_headers_complete on_message_begin"
            " on_message_complete on_url pipeline resume_writing send_400_response"
            " timeout_keep_alive_task transport"
        ),
        "uvicorn.protocols.http.httptools_impl:RequestResponseCycle": (
            "disconnected keep_alive message_event response_complete response_started"
            " waiting_for_100_continue"
        ),
        "uvicorn.protocols.http.flow_control:FlowControl": "read_paused",
    },
    "server/uvicorn/websocket.py": {
        "uvicorn.protocols.websockets.websockets_sansio_impl": "WebSocketsSansIOProtocol",
        "uvicorn.protocols.websockets.websockets_sansio_impl:WebSocketsSansIOProtocol": (
            "close_sent config conn connection_lost data_received frames handle_connect"
            " handle_events handle_ping handshake_complete handshake_initiated keepalive_timeout"
            " loop pending_ping_payload ping_interval ping_sent_at ping_timeout queue read_paused"
            " receive request response scope start_keepalive stop_keepalive transport"
        ),
        "websockets.server:ServerProtocol": (
            "data_to_send events events_received handshake_exc max_message_size parser"
        ),
    },
    "server/run.py": {
        "uvicorn:Server": "run shutdown startup",
        "uvicorn.importer": "import_from_string",
    },
    "server/daphne.py": {
        "daphne.http_protocol": "WebRequest",
        "daphne.server:Server": (
            "connections create_application endpoints handle_reply http_factory"
            " kill_all_applications listen_error listen_success run"
        ),
        "daphne.ws_protocol:WebSocketFactory": "protocol",
        "daphne.ws_protocol:WebSocketProtocol": (
            "STATE_CONNECTING STATE_OPEN application_queue current_frame data dataReceived"
            " dropConnection factory maxFramePayloadSize maxMessagePayloadSize onConnect"
            " onFrameBegin onMessage onPing processData sendFrame state transport"
        ),
        "twisted.internet.tcp:Connection": (
            "_tempDataLen abortConnection connected dataBuffer offset pauseProducing"
            " resumeProducing writeSomeData"
        ),
        "twisted.internet.asyncioreactor:AsyncioSelectorReactor": "adoptStreamPort",
    },
    "server/asgi/django_handler.py": {
        "django.core.handlers.asgi": "ASGIHandler get_script_prefix",
        "django.core.handlers.asgi:ASGIHandler": (
            "create_request get_response load_middleware read_body send_response"
        ),
        "django.core.handlers.base": "BaseHandler",
        "django.http:HttpResponse": "_handler_class",
    },
    "runtime/database/pool.py": {
        "django.db.backends.postgresql.base:DatabaseWrapper": "_connection_pools pool",
    },
    "web/errors.py": {"django.utils.log": "_has_been_logged"},
    "web/middleware.py": {
        "corsheaders.middleware:CorsMiddleware": "origin_found_in_white_lists",
        "django.contrib.auth.middleware": "_cached_user",
    },
    "web/page.py": {"django.utils._os": "safe_join"},
    "web/static.py": {
        "whitenoise.middleware:WhiteNoiseMiddleware": "immutable_file_test serve",
        "whitenoise.responders:StaticFile": "get_response",
    },
    "runtime/database/connections.py": {
        "psycopg.errors": "_WaitTimeout",
        "psycopg:Connection": "execute pgconn rollback set_autocommit wait",
    },
    "realtime/broker/channel_layer.py": {
        "channels_redis.pubsub:RedisPubSubChannelLayer": "_get_layer serialize",
        "channels_redis.pubsub:RedisPubSubLoopLayer": (
            "_get_group_channel_name _get_shard _shards groups"
        ),
        "channels_redis.pubsub:RedisSingleShardConnection": (
            "_ensure_receiver _ensure_redis _lock _pubsub _receive_task _redis _subscribed_to"
        ),
    },
    "realtime/broker/connection.py": {
        "redis.asyncio.client:PubSub": "connection",
        "redis.asyncio.connection": "parse_url",
        "redis.asyncio.connection:Connection": "_reader _writer connect is_connected read_response",
    },
}
# Only the modules above may import from these.
INTERNALS = (
    *("autobahn", "channels_redis", "corsheaders", "daphne", "django.core.handlers", "httptools"),
    *("psycopg", "redis.asyncio", "twisted", "uvicorn", "websockets", "whitenoise"),
)
# Documented in spite of their underscore.
DOCUMENTED = {"_meta", "_state", "_base_manager", "_exit", "_current_frames"}

NAMES = [
    (user, owner, name)
    for user, owners in BORROWED.items()
    for owner, names in owners.items()
    for name in names.split()
]


@pytest.mark.parametrize(("user", "owner"), [(u, o) for u in BORROWED for o in BORROWED[u]])
def test_a_library_still_has_the_names_that_a_module_borrows(user: str, owner: str) -> None:
    for name in BORROWED[user][owner].split():
        assert _has(owner, name), (
            f"{owner} has no {name} any more: {user} uses it. See what the new version has instead."
        )


def test_every_listed_name_is_used_where_the_list_says() -> None:
    unused = [
        (user, name)
        for user, _, name in NAMES
        if not any(re.search(rf"\b{name}\b", path.read_text()) for path in _files(user))
    ]
    assert unused == []


def test_no_module_uses_an_internal_name_that_is_not_listed() -> None:
    unlisted = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for package in PACKAGES
        for path in _files(package)
        for name, line in _borrowed_by(path)
        if name not in _listed(path) and name.partition(".")[0] not in _libraries(path)
    ]
    assert unlisted == [], "List these in BORROWED, or do without them."


@pytest.mark.parametrize(
    "code",
    [
        "import twisted.internet",
        "from psycopg.errors import _WaitTimeout",
        "from library import _private",
        "def use(pool): return pool._pool",
        "class Ours(Theirs):\n    _reader: Any\n    def read(self): return self._reader",
    ],
)
def test_the_scan_finds_a_borrowed_name(code: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(code)
    assert list(_borrowed_by(path))


def test_the_libraries_with_borrowed_names_are_pinned_to_a_minor_version() -> None:
    pins = dict(
        re.findall(r"^([\w-]+)(?:\[.*\])?(~=\d+\.\d+\.\d+|==\S+)", _requirements("in"), re.M)
    )
    borrowed_from = {
        *("channels-redis", "daphne", "autobahn", "twisted", "django", "django-cors-headers"),
        *("psycopg", "redis", "uvicorn", "websockets", "whitenoise"),
    }
    assert borrowed_from <= pins.keys()
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", _requirements("txt"), re.M))
    for name in borrowed_from:
        series = pins[name].lstrip("~=").rpartition(".")[0]
        assert f"{locked[name]}.".startswith(f"{series}."), name


def _has(owner: str, name: str) -> bool:
    """Whether the module or class has the name, or its source sets it on an instance."""
    module, _, kind = owner.partition(":")
    found: Any = import_module(module)
    if kind:
        found = getattr(found, kind)
    if hasattr(found, name):
        return True
    sets_it = re.compile(rf"\.{name}\b[^=\n]*=[^=]|\"{name}\"")
    return any(sets_it.search(_source(part)) for part in (found.__mro__ if kind else [found]))


def _source(part: Any) -> str:
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):  # compiled, or it says that it is from another module
        return ""


@cache
def _requirements(kind: str) -> str:
    return (ROOT / f"requirements.{kind}").read_text()


def _files(where: str) -> list[Path]:
    path = ROOT / where
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _listed(path: Path) -> set[str]:
    relative = path.relative_to(ROOT).as_posix()
    return {name for user, _, name in NAMES if relative.startswith(user)} | DOCUMENTED


def _libraries(path: Path) -> set[str]:
    relative = path.relative_to(ROOT).as_posix()
    return {re.split("[.:]", owner)[0] for user, owner, _ in NAMES if relative.startswith(user)}


def _borrowed_by(path: Path) -> Iterator[tuple[str, int]]:
    """Imports of internals, and private names that the file does not itself define."""
    tree = ast.parse(path.read_text())
    own = set(_defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            yield from ((a.name, node.lineno) for a in node.names if _is_private(a.name))
        else:
            if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own:
                yield node.attr, node.lineno
            continue
        for module in modules:
            if any(module == each or module.startswith(f"{each}.") for each in INTERNALS):
                yield module, node.lineno


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _defined(tree: ast.AST) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    unset = [n.target for n in nodes if isinstance(n, ast.AnnAssign) and n.value is None]
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) if node not in unset:
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name
