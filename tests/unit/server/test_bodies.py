"""Large bodies are for logged-in users, few at a time, and only from clients that send in time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.auth.tokens import AccessToken, Claims
from accounts.exceptions import TokenExpired
from server.asgi import bodies, client_identity
from server.asgi.bodies import KEPT, LARGE_AT_A_TIME, LARGE_OF_A_USER, BodySpooling
from tests.support.asgi import Answer, ask, until

LARGE = 1_000_000


def token(user_id: int, valid_for: timedelta = timedelta(hours=1)) -> bytes:
    """A token that is signed by us. Its user need not exist here."""
    made = AccessToken()
    made.payload |= {"jti": "j", "user_id": str(user_id), "login": 1}
    made.set_exp(from_time=datetime.now(UTC), lifetime=valid_for)
    return str(made).encode()


class Requests:
    """Requests to an application that holds each of them until it is released."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.bodies: list[bytes] = []
        self.lengths: list[bytes] = []
        self.release = asyncio.Event()
        self.app = BodySpooling(self._hold)

    async def _hold(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.lengths.append(dict(scope["headers"]).get(b"content-length", b""))
        self.bodies.append(scope[KEPT].read() if KEPT in scope else (await receive())["body"])
        await self.release.wait()
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def post(
        self,
        path: str = "/sessions/",
        length: int | None = LARGE,
        receive: Any = None,
        *,
        by: bytes | None = None,
        **headers: bytes,
    ) -> asyncio.Task[Answer]:
        named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        if length is not None:
            named.append((b"content-length", str(length).encode()))
        if by is not None:
            named.append((b"authorization", b"Bearer " + by))
        receive = receive or parts(length or 0)
        return asyncio.create_task(ask(self.app, path, headers=named, receive=receive))


@pytest.fixture
async def held() -> Requests:
    return Requests()


@pytest.fixture
async def requests(held: Requests) -> Requests:
    """These are answered at once."""
    held.release.set()
    return held


def parts(length: int) -> Any:
    """A body of this length, by 64 KiB; then nothing more."""
    left = [length]

    async def receive() -> Any:
        part = min(left[0], 65_536)
        left[0] -= part
        return {"type": "http.request", "body": b"x" * part, "more_body": left[0] > 0}

    return receive


async def never() -> Any:
    await asyncio.Event().wait()


async def not_received() -> Any:
    raise AssertionError("this body must not be asked for")


# -- few at a time -------------------------------------------------------------------------------


async def test_no_more_than_a_few_large_bodies_are_inside_at_once(held: Requests) -> None:
    sent = [held.post(by=token(n + 1)) for n in range(30)]
    await until(lambda: held.inside == LARGE_AT_A_TIME)
    held.release.set()
    await asyncio.gather(*sent)
    assert held.most == LARGE_AT_A_TIME
    assert held.bodies == [b"x" * LARGE] * 30, "each is passed on whole"


async def test_one_user_cannot_take_all_places(requests: Requests) -> None:
    stalled = [requests.post(by=token(1), receive=never) for _ in range(20)]
    await asyncio.sleep(0)
    assert (await requests.post(by=token(2))).status == 200
    assert requests.app._arriving.in_use == LARGE_OF_A_USER
    for one in stalled:
        one.cancel()


async def test_a_user_with_too_many_large_bodies_is_refused_and_no_other(
    held: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held.app._arriving, "_queue_share", lambda _: 5)
    asked = [held.post(by=token(1)) for _ in range(12)]
    await until(lambda: sum(one.done() for one in asked) == 12 - LARGE_OF_A_USER - 5)
    other = held.post(by=token(2))
    held.release.set()
    assert (await other).status == 200
    refused = [answer for answer in await asyncio.gather(*asked) if answer.status == 429]
    assert len(refused) == 12 - LARGE_OF_A_USER - 5
    headers, error = refused[0].headers, json.loads(refused[0].body)
    assert (error["code"], headers[b"retry-after"]) == ("throttled", b"10")
    assert error["request_id"] == headers[b"x-request-id"].decode()


async def test_small_bodies_do_not_wait_for_large_ones(held: Requests) -> None:
    large = [held.post(by=token(n + 1)) for n in range(20)]
    await until(lambda: held.inside == LARGE_AT_A_TIME)
    small = [held.post(path, 100) for path in ("/sessions/", "/users/login/")]
    await until(lambda: held.inside == LARGE_AT_A_TIME + 2)
    held.release.set()
    await asyncio.gather(*large, *small)


async def test_a_large_body_without_room_on_the_disk_is_503(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies, "_keep", full)
    assert (await requests.post(by=token(1))).status == 503


# -- only for logged-in users --------------------------------------------------------------------

INVALID_TOKENS = {
    "no token": None,
    "garbage": b"abc",
    "not even text": b"\xff\xfe",
    "expired": token(1, timedelta(hours=-2)),
    "changed": token(1)[:-3] + b"abc",
}


@pytest.mark.parametrize("by", INVALID_TOKENS.values(), ids=INVALID_TOKENS)
@pytest.mark.parametrize("length", [LARGE, None], ids=["with its length", "in chunks"])
async def test_a_large_body_without_a_valid_token_is_discarded(
    requests: Requests, by: bytes | None, length: int | None
) -> None:
    headers = {"transfer_encoding": b"chunked"} if length is None else {}
    sent = await requests.post(length=length, receive=parts(LARGE), by=by, **headers)
    assert sent.status == 200, "from here on it is an ordinary request: Django answers 401"
    assert (requests.bodies, requests.lengths) == ([b""], [b"0"])


async def test_requests_without_a_valid_token_take_no_places(requests: Requests) -> None:
    stalled = [requests.post(receive=never) for _ in range(50)]
    await asyncio.sleep(0)
    assert requests.app._arriving.in_use == 0
    assert (await requests.post(by=token(1))).status == 200
    for one in stalled:
        one.cancel()


async def test_a_token_is_checked_once_and_refused_when_it_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client_identity._claims.cache_clear()
    scope = {"headers": [(b"authorization", b"Bearer " + token(7))]}
    assert [client_identity.user_of(scope) for _ in range(3)] == [7, 7, 7]
    assert client_identity._claims.cache_info().misses == 1

    now = client_identity.clock.now()
    monkeypatch.setattr(client_identity.clock, "now", lambda: now + timedelta(hours=2))
    assert client_identity.user_of(scope) is None


@pytest.mark.parametrize(("ago", "is_good"), [(20, True), (40, False)])
def test_a_token_is_good_for_a_picture_as_long_as_for_the_view(ago: int, is_good: bool) -> None:
    """Else the view would let the request in, and find it without its body."""
    expired = token(7, timedelta(seconds=-ago))
    scope = {"headers": [(b"authorization", b"Bearer " + expired)]}
    assert (client_identity.user_of(scope) == 7) is is_good
    claims = Claims.of(AccessToken, expired.decode())
    if is_good:
        assert claims.good_at(datetime.now(UTC)).user_id == 7
    else:
        with pytest.raises(TokenExpired):
            claims.good_at(datetime.now(UTC))


# -- in time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["LARGE_WITHIN_S", "SILENT_S"])
async def test_a_body_that_comes_too_slowly_is_408(
    requests: Requests, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(bodies, limit, 0.01)
    sent = await requests.post(receive=never, by=token(1))
    assert requests.bodies == [], "without an answer the server would send 500"
    assert (sent.status, sent.code) == (408, "too_slow")


async def test_a_closed_connection_is_not_answered(requests: Requests) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    assert await requests.post(receive=gone, by=token(1)) == []
    assert requests.bodies == []


async def test_the_work_after_the_body_has_another_limit(
    held: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LARGE_WITHIN_S", 0.05)
    asked = held.post(by=token(1))
    await until(lambda: held.inside == 1)
    await asyncio.sleep(0.1)
    held.release.set()
    assert (await asked).status == 200


# -- too large -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "length"),
    [("/users/login/", 300_000), ("/sessions/", 9_000_000), ("/nowhere/sessions/", 300_000)],
)
async def test_a_body_over_its_limit_is_discarded_and_its_length_stays(
    requests: Requests, path: str, length: int
) -> None:
    receive = parts(length)
    await requests.post(path, length, receive, by=token(1))
    assert (requests.bodies, requests.lengths) == ([b""], [str(length).encode()])
    assert (await receive())["body"] == b"", "all of it was read"


async def test_no_more_than_a_bound_is_discarded(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_DISCARDED", 1_000_000)
    receive = parts(9_000_000)
    await requests.post(length=9_000_000, receive=receive, by=token(1))
    assert (await receive())["more_body"]


async def test_a_client_that_expects_100_is_refused_before_it_sends(requests: Requests) -> None:
    expect = {"expect": b"100-continue"}
    for asked in (
        requests.post("/users/login/", 300_000, not_received, **expect),
        requests.post(receive=not_received, **expect),
    ):
        sent = await asked
        assert (b"connection", b"close") in sent[0]["headers"], "the body may follow or not"
    assert requests.lengths == [b"300000", b"0"]


@pytest.mark.parametrize("length", ["9" * 25, "-1", "", "1e3", "٣"])
def test_an_invalid_length_is_left_to_the_server(length: str) -> None:
    scope = {"path": "/sessions/", "headers": [(b"content-length", length.encode())]}
    assert bodies._length(scope) is None
    assert not bodies.is_large(scope)
