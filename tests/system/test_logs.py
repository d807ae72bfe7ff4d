"""Whole servers, logging everything they can: what users know only must not be in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.models import User
from realtime.database import in_database
from tests.support.devices import raw
from tests.support.servers import Server, servers

PASSWORD = "Verschwiegen-4711"
ANOTHER = "Verschwiegener-4712"
TITLE = "Zahnarzttermin"
NAME = "quiet-person"
EMAIL = "quiet.person@mail.example.org"
IN_THE_QUERY = "abfrage-geheim"
IN_A_HEADER = "kopfzeile-geheim"
ESCAPES = "\x1b[31m"


@pytest.fixture(scope="module")
def _talkative(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("logs")
    more = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "LOG_REQUESTS": "true"}
    with servers(folder, "uvicorn", "daphne", EMAIL_URL="dummymail://", **more) as both:
        yield both


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: Any, _talkative: list[Server], transactional_db: None) -> Server:
    return _talkative[request.param == "daphne"]


class Visit:
    """Somebody who tells the server all they know, well and badly; and what it answers."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.errors: list[str] = []
        self.ids: set[str] = set()
        self.tokens: set[str] = set()

    async def ask(self, http: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
        answer = await http.request(method, path, **more)
        assert answer.status_code < 500, answer.text
        self.ids.add(answer.headers["x-request-id"])
        if answer.status_code >= 400:
            self.errors.append(answer.text)
        return answer

    async def over_rest(self) -> None:
        async with httpx.AsyncClient(base_url=self.base) as http:
            known = {"username": NAME, "email": EMAIL, "password": PASSWORD}
            entered = (await self.ask(http, "POST", "/users/signup/", json=known)).json()
            self.access, refresh = entered["access"], entered["refresh"]
            self.tokens |= {self.access, refresh}
            await self.ask(http, "POST", "/users/signup/", json=known)
            for body in ({"username": EMAIL, "password": ANOTHER}, {"username": PASSWORD}):
                await self.ask(http, "POST", "/users/login/", json=body)
            broken = json.dumps(known).encode()[:-2] + b"\xff"
            kind = {"Content-Type": "application/json"}
            await self.ask(http, "POST", "/users/login/", content=broken, headers=kind)
            form = {"username": NAME, "password": PASSWORD}
            await self.ask(http, "POST", "/users/login/", data=form)
            await self.ask(http, "POST", "/admin/login/", data=form)
            pair = await self.ask(http, "POST", "/users/token/refresh/", json={"refresh": refresh})
            self.access = pair.json()["access"]
            self.tokens |= {self.access, pair.json()["refresh"]}
            mine = {"Authorization": f"Bearer {self.access}", "Cookie": f"x={IN_A_HEADER}"}
            wrong = {"Authorization": f"Bearer {self.access}x", "X-Request-Id": f"{IN_A_HEADER} !"}
            session = {"title": TITLE, "duration": 25}
            made = await self.ask(http, "POST", "/sessions/", json=session, headers=mine)
            its = f"/sessions/{made.json()['id']}/"
            session["duration"] = TITLE
            await self.ask(http, "POST", "/sessions/", json=session, headers=mine)
            await self.ask(http, "PUT", its, json=[TITLE], headers=mine)
            query = f"?token={self.access}&q={IN_THE_QUERY}"
            for path in ("/sessions/", "/", "/nowhere/", f"/{self.access}/", f"/x/{EMAIL}/"):
                await self.ask(http, "GET", path + query, headers=mine)
                await self.ask(http, "GET", path + query, headers=wrong)
            profile = {"email": EMAIL, "time_zone": PASSWORD}
            await self.ask(http, "PATCH", "/users/me/", json=profile, headers=mine)
            old = {"old_password": ANOTHER, "new_password": PASSWORD}
            await self.ask(http, "POST", "/users/password/", json=old, headers=mine)
            await self.ask(http, "GET", "/users/me/export/", headers=mine)

    async def over_the_socket(self) -> None:
        async with raw(self.base) as socket:
            ready = await socket.authenticate(self.access, device=TITLE)
            self.connection = ready["connection"]
            for frame in (
                {"type": "command", "id": TITLE, "session": PASSWORD, "action": "start"},
                {"type": "authenticate", "token": [self.access]},
                {"type": "unheard of", "password": PASSWORD},
            ):
                await socket.send(**frame)
                answer = await socket.next("error")
                self.errors.append(json.dumps(answer | {"id": None}))
            await socket.send_raw(f'{{"password": "{PASSWORD}"')
            await socket.send_raw(PASSWORD.encode())
            with contextlib.suppress(ConnectionClosed):
                await socket.ending()
        async with raw(self.base) as stranger:
            await stranger.send(type="authenticate", token=self.access + "x")
            await stranger.ending()
        with pytest.raises(InvalidStatus):
            async with raw(self.base, f"/nowhere/?token={self.access}"):
                pass

    async def without_manners(self) -> None:
        """Bytes that are no request, or hardly one."""
        host, port = self.base.removeprefix("http://").split(":")
        for said in (
            f"GET /{ESCAPES}{PASSWORD} HTTP/1.1\r\nHost: {IN_A_HEADER}\r\n\r\n",
            f"{PASSWORD}\r\n\r\n",
            f"GET /?{IN_THE_QUERY}=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            "GET /sessions/%0AERROR%20forged%1b[31m HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            f"POST /users/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: {PASSWORD}\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said.encode("latin-1"))
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(2):
                    await reader.read(4096)
            writer.close()


async def test_secrets_of_a_user_are_in_no_log_line_and_no_error(server: Server) -> None:
    visit = Visit(server.base)
    await visit.over_rest()
    await visit.over_the_socket()
    await visit.without_manners()
    user = await in_database(User.objects.get, username=NAME)
    secrets = {PASSWORD, ANOTHER, TITLE, NAME, EMAIL, IN_THE_QUERY, IN_A_HEADER, user.password}
    for token in visit.tokens:
        secrets |= {token, token.split(".")[2], token.split(".")[1]}
    server.terminate()  # what waits is written
    server.seconds_to_exit()
    log = server.log
    lines = [json.loads(line) for line in log.split("\n") if line.startswith("{")]
    others = [line for line in log.split("\n") if line and not line.startswith(("{", "Serving on"))]
    assert others == []
    for secret in secrets:
        assert secret not in log, f"{secret!r} is in the log"
        for error in visit.errors:
            assert secret not in error
    assert "\x1b" not in log
    # It is not that nothing was logged.
    requests = [line for line in lines if line["logger"] == "space.requests"]
    assert visit.ids <= {line["request_id"] for line in requests}
    assert {line.get("user") for line in requests} == {None, user.pk}
    assert any(line["logger"] == "space.security" for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"]) for line in lines)
    assert not any(line["level"] in {"ERROR", "CRITICAL"} for line in lines), log
    server.start_again()
