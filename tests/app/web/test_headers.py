"""What each answer says about how browsers may use it, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import websockets

from server.asgi.early_errors import no_rest
from server.asgi.headers import Headers
from server.asgi.health import Health
from tests.support.devices import Person, person
from tests.support.live_server import served
from web.page import CONTENT_SECURITY_POLICY as OF_THE_PAGE

API = "default-src 'none'; frame-ancestors 'none'"
ORIGIN = "http://localhost:5173"
HSTS = b"strict-transport-security"


@dataclass
class Web:
    """What a browser would get."""

    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, path, **more)


@pytest.fixture
async def base(transactional_db: None) -> AsyncIterator[str]:
    async with served() as base:
        yield base


@pytest.fixture
async def ada(base: str) -> Person:
    return await person(base, "ada")


@pytest.fixture
async def web(base: str) -> Any:
    async with httpx.AsyncClient(base_url=base) as http:
        yield Web(http)


PROGRAMS = [
    ("GET", "/sessions/", 401),
    ("GET", "/nowhere/", 404),
    ("POST", "/users/login/", 400),
    ("POST", "/docs/", 405),
    ("OPTIONS", "/sessions/", 401),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/docs/asyncapi.yaml", 200),
    ("GET", "/docs/protocol.md", 200),
    ("GET", "/sessions/?%FF=%FF", 401),
]


async def test_what_is_for_programs_is_run_framed_and_kept_by_nobody(web: Web) -> None:
    for method, path, status in PROGRAMS:
        answer = await web.ask(method, path)
        assert answer.status_code == status
        assert answer.headers["content-security-policy"] == API
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        everywhere(answer)


async def test_pages_run_scripts_of_ours_only(web: Web) -> None:
    for path in ("/", "/docs/", "/docs/rest/", "/docs/socket/"):
        page_runs_scripts_of_ours_only(await web.ask("GET", path))


def page_runs_scripts_of_ours_only(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert policy == OF_THE_PAGE
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-cache"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    everywhere(answer)


async def test_the_session_s_tag_is_told_though_nobody_keeps_the_answer(
    web: Web, ada: Person
) -> None:
    session = await ada.has_session()
    header = {"Authorization": f"Bearer {ada.account.access}"}
    answer = await web.ask("GET", f"/sessions/{session.id}/", headers=header)
    assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"1"', "no-store")
    stale = header | {"If-Match": '"7"'}
    answer = await web.ask("POST", f"/sessions/{session.id}/start/", headers=stale)
    assert answer.status_code == 412


async def test_files_are_kept_and_pictures_shown_elsewhere(web: Web, settings: Any) -> None:
    for name in ("js/main.js", "sky/star-0.svg"):
        answer = await web.ask(
            "GET", f"{settings.STATIC_URL}{name}", headers={"Origin": "http://evil.example"}
        )
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "access-control-allow-origin" not in answer.headers
        everywhere(answer)


def everywhere(answer: httpx.Response) -> None:
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names)), "a header is said twice"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


async def test_over_https_browsers_are_told_to_stay_there(web: Web, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    https = {"X-Forwarded-Proto": "https"}
    for path in ("/", "/healthz", "/sessions/"):
        secure = await web.ask("GET", path, headers=https)
        assert secure.headers["strict-transport-security"].startswith("max-age=60;")
        plain = await web.ask("GET", path)
        assert "strict-transport-security" not in plain.headers


async def test_without_a_proxy_anybody_can_say_https(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    for proxys, names in ((None, set()), (("HTTP_X_FORWARDED_PROTO", "https"), {HSTS})):
        settings.SECURE_PROXY_SSL_HEADER = proxys
        sent = await asked(Headers(Health(no_rest)), "/healthz", (b"x-forwarded-proto", b"https"))
        assert {name for name, _ in sent[0]["headers"]} & {HSTS} == names


# -- other origins -------------------------------------------------------------------------------


async def test_a_page_on_the_list_may_ask(web: Web) -> None:
    asks = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-match",
    }
    answer = await web.ask("OPTIONS", "/sessions/1/", headers=asks)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert {"authorization", "idempotency-key", "if-match"} <= set(allowed.split(", "))
    assert "*" not in allowed
    real = await web.ask("GET", "/sessions/", headers={"Origin": ORIGIN})
    assert real.headers["access-control-allow-origin"] == ORIGIN
    assert "origin" in real.headers["vary"].lower()
    for each in (answer, real):
        assert "access-control-allow-credentials" not in each.headers


FOREIGN = [
    *("null", "*", "http://evil.example", "https://localhost:5173", "http://localhost:5174"),
    *("http://localhost:5173.evil.example", "http://localhost", "HTTP://evil.example"),
    *("http://localhost:5173/", "file://", "http://127.0.0.1:5173@evil.example"),
    *("http://localhost:5173, http://evil.example", "http://LOCALHOST:5173"),
]


async def test_no_other_page_may(web: Web) -> None:
    for origin in FOREIGN:
        for path in ("/sessions/", "/users/login/", "/nowhere/", "/media/x.webp"):
            asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for answer in (
                await web.ask("OPTIONS", path, headers=asks),
                await web.ask("GET", path, headers={"Origin": origin}),
            ):
                told = [name for name in answer.headers if name.startswith("access-control-")]
                assert not told, origin


# -- what does not come through Django -----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "origin"), [("/ws/", "http://evil.example"), ("/elsewhere/", None)]
)
async def test_a_refused_handshake_has_nothing_to_run_or_keep(
    base: str, path: str, origin: Any
) -> None:
    """The server library writes it; a 403 without a word is not kept, and there is no body."""
    url = base.replace("http", "ws", 1) + path
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, origin=origin)
    answer = refused.value.response
    assert (answer.status_code, answer.body) == (403, b"")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_what_serves_sockets_only_says_the_same() -> None:
    from config.asgi import only_sockets

    sent = await asked(only_sockets, "/sessions/")
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 404
    assert headers[b"content-security-policy"] == API.encode()
    assert headers[b"cache-control"] == b"no-store"


async def asked(app: Any, path: str, *headers: tuple[bytes, bytes]) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
    }
    await app(scope, receive, send)
    return sent
