"""Which pages may open a socket, and which token a handshake carries."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.sockets.origins import AllowedOrigins, bearer_token, is_allowed, origin_of


def scope(*headers: tuple[str, str], scheme: str = "ws", **more: Any) -> dict[str, Any]:
    return {
        "type": "websocket",
        "scheme": scheme,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        **more,
    }


@pytest.fixture
def _production(settings: Any) -> None:
    settings.DEVELOPMENT = False
    settings.PUBLIC_URL = "https://space.example"
    settings.WEBSOCKET_ORIGINS = ["https://app.example", "http://localhost:5173"]


@pytest.fixture
def _development(settings: Any) -> None:
    settings.DEVELOPMENT = True
    settings.PUBLIC_URL = ""
    settings.WEBSOCKET_ORIGINS = ["http://localhost:5173"]


def lets_in(origin: str | None, host: str = "space.example", scheme: str = "ws") -> bool:
    headers = [("host", host)]
    if origin is not None:
        headers.append(("origin", origin))
    return is_allowed(origin, scope(*headers, scheme=scheme))


FOREIGN = [
    "http://app.example",  # another scheme
    "https://app.example:8443",  # another port
    *("http://localhost", "http://localhost:51730"),
    "http://space.example",  # our own, but without TLS
    "https://app.example.evil.example",
    "https://evil.example/https://app.example",
    "https://sub.app.example",
    "https://APP.example",  # no browser sends that
    *("https://app.example/", "app.example", "", "*"),
    "null",  # a sandboxed frame or a file
]


@pytest.mark.usefixtures("_production")
def test_listed_pages_the_own_page_and_native_clients_are_allowed_and_no_other_page() -> None:
    for origin in ("https://app.example", "http://localhost:5173", "https://space.example", None):
        assert lets_in(origin), origin
    for origin in FOREIGN:
        assert not lets_in(origin), origin


@pytest.mark.usefixtures("_production")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_in_production_the_host_that_a_client_names_proves_nothing(scheme: str) -> None:
    assert not lets_in("https://evil.example", host="evil.example", scheme=scheme)
    assert not lets_in("http://evil.example", host="evil.example", scheme=scheme)


@pytest.mark.usefixtures("_development")
def test_in_development_a_page_may_use_any_name_of_the_machine() -> None:
    assert lets_in("http://192.168.1.7:8000", host="192.168.1.7:8000")
    assert lets_in("https://laptop.local", host="laptop.local", scheme="wss")
    assert not lets_in("https://laptop.local", host="laptop.local", scheme="ws")
    assert not lets_in("http://laptop.local:3000", host="laptop.local:8000")


@pytest.mark.usefixtures("_development")
def test_a_server_may_leave_out_the_scheme() -> None:
    daphne_s = scope(("host", "laptop.local:8000"))
    del daphne_s["scheme"]
    assert is_allowed("http://laptop.local:8000", daphne_s)
    assert not is_allowed("https://laptop.local:8000", daphne_s)


@pytest.mark.parametrize("mode", ["_production", "_development"])
async def test_a_handshake_with_two_origins_is_refused(
    mode: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(mode)
    doubled = scope(
        ("host", "space.example"),
        ("origin", "http://localhost:5173"),
        ("origin", "http://localhost:5173"),
    )
    sent, reached = [], []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    async def app(*_: Any) -> None:
        reached.append(True)

    await AllowedOrigins(app)(doubled, None, send)
    assert (sent, reached) == (["websocket.close"], [])


def test_the_origin_of_an_address_is_its_scheme_host_and_port() -> None:
    for url, origin in (
        ("https://space.example", "https://space.example"),
        ("https://space.example:8443/app", "https://space.example:8443"),
        ("", None),
    ):
        assert origin_of(url) == origin


def test_a_token_in_the_handshake_is_a_bearer() -> None:
    for header in ("Bearer abc", "bearer  abc "):
        assert bearer_token(scope(("authorization", header))) == "abc"
    for header in ("Basic abc", "abc", ""):
        assert bearer_token(scope(("authorization", header))) is None
    assert bearer_token(scope()) is None
