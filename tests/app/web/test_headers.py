"""The security headers of every answer, from Django or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from server.asgi.early_errors import no_rest
from server.asgi.headers import Headers
from server.asgi.health import Health
from tests.support.asgi import ask
from tests.support.devices import Person, person
from tests.support.live_server import served
from web.page import CONTENT_SECURITY_POLICY as OF_THE_PAGE

API = "default-src 'none'; frame-ancestors 'none'"
ORIGIN = "http://localhost:5173"
HSTS = b"strict-transport-security"


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
        yield http


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


async def test_an_answer_for_programs_cannot_be_run_framed_or_cached(
    web: httpx.AsyncClient,
) -> None:
    for method, path, status in PROGRAMS:
        answer = await web.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-security-policy"] == API
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        everywhere(answer)


async def test_pages_run_scripts_of_ours_only(web: httpx.AsyncClient) -> None:
    for path in ("/", "/docs/", "/docs/rest/", "/docs/socket/"):
        answer = await web.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy == OF_THE_PAGE
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-cache"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        everywhere(answer)


async def test_a_session_has_an_etag_although_no_cache_keeps_it(
    web: httpx.AsyncClient, ada: Person
) -> None:
    session = await ada.has_session()
    header = {"Authorization": f"Bearer {ada.account.access}"}
    answer = await web.get(f"/sessions/{session.id}/", headers=header)
    assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"1"', "no-store")
    stale = header | {"If-Match": '"7"'}
    answer = await web.post(f"/sessions/{session.id}/start/", headers=stale)
    assert answer.status_code == 412


async def test_static_files_are_cached_and_may_be_shown_by_other_origins(
    web: httpx.AsyncClient, settings: Any
) -> None:
    for name in ("js/main.js", "sky/star-0.svg"):
        foreign = {"Origin": "http://evil.example"}
        answer = await web.get(f"{settings.STATIC_URL}{name}", headers=foreign)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "access-control-allow-origin" not in answer.headers
        everywhere(answer)


def everywhere(answer: httpx.Response) -> None:
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names)), "a header comes twice"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


async def test_over_https_browsers_are_told_to_stay_there(
    web: httpx.AsyncClient, settings: Any
) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    https = {"X-Forwarded-Proto": "https"}
    for path in ("/", "/healthz", "/sessions/"):
        secure = await web.get(path, headers=https)
        assert secure.headers["strict-transport-security"].startswith("max-age=60;")
        plain = await web.get(path)
        assert "strict-transport-security" not in plain.headers


async def test_without_a_trusted_proxy_a_header_is_no_https(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    for proxy, names in ((None, set()), (("HTTP_X_FORWARDED_PROTO", "https"), {HSTS})):
        settings.SECURE_PROXY_SSL_HEADER = proxy
        https = [(b"x-forwarded-proto", b"https")]
        answer = await ask(Headers(Health(no_rest)), "/healthz", headers=https)
        assert answer.headers.keys() & {HSTS} == names


# -- other origins -------------------------------------------------------------------------------


async def test_an_origin_on_the_list_may_use_the_api(web: httpx.AsyncClient) -> None:
    asks = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-match",
    }
    answer = await web.options("/sessions/1/", headers=asks)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert {"authorization", "idempotency-key", "if-match"} <= set(allowed.split(", "))
    assert "*" not in allowed
    real = await web.get("/sessions/", headers={"Origin": ORIGIN})
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


async def test_no_other_page_may(web: httpx.AsyncClient) -> None:
    for origin in FOREIGN:
        for path in ("/sessions/", "/users/login/", "/nowhere/", "/media/x.webp"):
            asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for answer in (
                await web.options(path, headers=asks),
                await web.get(path, headers={"Origin": origin}),
            ):
                allowed = [name for name in answer.headers if name.startswith("access-control-")]
                assert not allowed, origin


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


async def test_a_process_for_sockets_only_has_the_headers_too() -> None:
    from config.asgi import only_sockets

    answer = await ask(only_sockets, "/sessions/")
    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.headers[b"content-security-policy"] == API.encode()
    assert answer.headers[b"cache-control"] == b"no-store"
