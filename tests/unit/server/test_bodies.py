"""Large bodies are for who is logged in, few at a time, and only from those who send in time."""

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

LARGE = 1_000_000


def token(user_id: int, valid_for: timedelta = timedelta(hours=1)) -> bytes:
    """A token that is signed by us. Whether its user exists nobody asks here."""
    made = AccessToken()
    made.payload |= {"jti": "j", "user_id": str(user_id), "login": 1}
    made.set_exp(from_time=datetime.now(UTC), lifetime=valid_for)
    return str(made).encode()


class Requests:
    """An application that holds each request until it is let go, and requests to it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.bodies: list[bytes] = []
        self.lengths: list[bytes] = []
        self.let_go = asyncio.Event()
        self.app = BodySpooling(self._hold)

    async def _hold(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.lengths.append(dict(scope["headers"]).get(b"content-length", b""))
        if KEPT in scope:
            self.bodies.append(scope[KEPT].read())
        else:
            self.bodies.append((await receive())["body"])
        await self.let_go.wait()
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
    ) -> asyncio.Task[list[Any]]:
        named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        if length is not None:
            named.append((b"content-length", str(length).encode()))
        if by is not None:
            named.append((b"authorization", b"Bearer " + by))
        scope = {"type": "http", "path": path, "headers": named}
        return asyncio.ensure_future(self._ask(scope, receive or parts(length or 0)))

    async def _ask(self, scope: Any, receive: Any) -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


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


async def not_asked() -> Any:
    raise AssertionError("nobody may ask for this body")


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)


def status(sent: list[Any]) -> int:
    return int(sent[0]["status"])


# -- few at a time -------------------------------------------------------------------------------


async def test_a_large_body_comes_whole_once_it_is_here() -> None:
    requests = Requests()
    requests.let_go.set()
    assert status(await requests.post(by=token(1))) == 200
    assert requests.bodies == [b"x" * LARGE]


async def test_no_more_than_a_few_large_bodies_are_inside_at_once() -> None:
    requests = Requests()
    sent = [requests.post(by=token(n + 1)) for n in range(30)]
    await until(lambda: requests.inside == LARGE_AT_A_TIME)
    requests.let_go.set()
    await asyncio.gather(*sent)
    assert requests.most == LARGE_AT_A_TIME
    assert len(requests.bodies) == 30


async def test_one_user_cannot_take_all_places() -> None:
    requests = Requests()
    stalled = [requests.post(by=token(1), receive=never) for _ in range(20)]
    await asyncio.sleep(0)
    requests.let_go.set()
    assert status(await requests.post(by=token(2))) == 200
    assert requests.app._arriving.in_use == LARGE_OF_A_USER
    for one in stalled:
        one.cancel()


async def test_who_sends_a_hundred_at_once_is_refused_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests = Requests()
    monkeypatch.setattr(requests.app._arriving, "_queue_share", lambda _: 5)
    asked = [requests.post(by=token(1)) for _ in range(12)]
    await until(lambda: sum(one.done() for one in asked) == 12 - LARGE_OF_A_USER - 5)
    other = requests.post(by=token(2))
    requests.let_go.set()
    assert status(await other) == 200
    refused = [sent for sent in await asyncio.gather(*asked) if status(sent) == 429]
    assert len(refused) == 12 - LARGE_OF_A_USER - 5
    headers = dict(refused[0][0]["headers"])
    error = json.loads(refused[0][1]["body"])
    assert (error["code"], headers[b"retry-after"]) == ("throttled", b"10")
    assert error["request_id"] == headers[b"x-request-id"].decode()


async def test_small_bodies_do_not_wait_for_large_ones() -> None:
    requests = Requests()
    large = [requests.post(by=token(n + 1)) for n in range(20)]
    await until(lambda: requests.inside == LARGE_AT_A_TIME)
    small = [requests.post(path, 100) for path in ("/sessions/", "/users/login/")]
    await until(lambda: requests.inside == LARGE_AT_A_TIME + 2)
    requests.let_go.set()
    await asyncio.gather(*large, *small)


async def test_where_there_is_no_room_on_the_disk_the_client_may_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies, "_keep", full)
    assert status(await Requests().post(by=token(1))) == 503


# -- only for who is logged in -------------------------------------------------------------------

STRANGERS = {
    "no token": None,
    "garbage": b"abc",
    "not even text": b"\xff\xfe",
    "expired": token(1, timedelta(hours=-2)),
    "changed": token(1)[:-3] + b"abc",
}


@pytest.mark.parametrize("by", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("length", [LARGE, None], ids=["said", "in chunks"])
async def test_a_large_body_of_a_stranger_is_thrown_away(
    by: bytes | None, length: int | None
) -> None:
    requests = Requests()
    requests.let_go.set()
    headers = {"transfer_encoding": b"chunked"} if length is None else {}
    sent = await requests.post(length=length, receive=parts(LARGE), by=by, **headers)
    assert status(sent) == 200, "from here on it is an ordinary request: Django says 401"
    assert (requests.bodies, requests.lengths) == ([b""], [b"0"])


async def test_strangers_take_no_places() -> None:
    requests = Requests()
    stalled = [requests.post(receive=never) for _ in range(50)]
    await asyncio.sleep(0)
    assert requests.app._arriving.in_use == 0
    requests.let_go.set()
    assert status(await requests.post(by=token(1))) == 200
    for one in stalled:
        one.cancel()


async def test_a_token_is_checked_once_and_forgotten_when_it_expires(
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
    """Or the view would let the request in, and find it without its body."""
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
async def test_who_sends_too_slowly_is_told_so(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(bodies, limit, 0.01)
    requests = Requests()
    sent = await requests.post(receive=never, by=token(1))
    assert requests.bodies == [], "without an answer the server would say 500"
    assert (status(sent), json.loads(sent[1]["body"])["code"]) == (408, "too_slow")


async def test_who_is_really_gone_is_told_nothing() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    requests = Requests()
    assert await requests.post(receive=gone, by=token(1)) == []
    assert requests.bodies == []


async def test_what_follows_the_body_may_take_as_long_as_it_likes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "LARGE_WITHIN_S", 0.05)
    requests = Requests()
    asked = requests.post(by=token(1))
    await until(lambda: requests.inside == 1)
    await asyncio.sleep(0.1)
    requests.let_go.set()
    assert status(await asked) == 200


# -- too large -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "length"),
    [("/users/login/", 300_000), ("/sessions/", 9_000_000), ("/nowhere/sessions/", 300_000)],
)
async def test_a_body_over_its_limit_is_thrown_away_and_its_length_is_told(
    path: str, length: int
) -> None:
    requests = Requests()
    requests.let_go.set()
    receive = parts(length)
    await requests.post(path, length, receive, by=token(1))
    assert (requests.bodies, requests.lengths) == ([b""], [str(length).encode()])
    assert (await receive())["body"] == b"", "all of it was taken"


async def test_no_more_than_a_bound_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_DISCARDED", 1_000_000)
    requests = Requests()
    requests.let_go.set()
    receive = parts(9_000_000)
    await requests.post(length=9_000_000, receive=receive, by=token(1))
    assert (await receive())["more_body"]


async def test_who_asks_before_sending_is_refused_before_sending() -> None:
    requests = Requests()
    requests.let_go.set()
    expect = {"expect": b"100-continue"}
    for asked in (
        requests.post("/users/login/", 300_000, not_asked, **expect),
        requests.post(receive=not_asked, **expect),
    ):
        sent = await asked
        assert (b"connection", b"close") in sent[0]["headers"], "nobody knows what comes next"
    assert requests.lengths == [b"300000", b"0"]


@pytest.mark.parametrize("length", ["9" * 25, "-1", "", "1e3", "٣"])
async def test_a_length_that_is_none_is_left_to_the_server(length: str) -> None:
    scope = {"path": "/sessions/", "headers": [(b"content-length", length.encode())]}
    assert bodies._length(scope) is None
    assert not bodies.is_large(scope)
