"""Uses a running Space as a user does: the page, REST, a socket with ticks.

    python -m tools.container.tour URL                     through a proxy, or straight at a server
    python -m tools.container.tour URL --from 127.0.0.2    and the server must see this address
    python -m tools.container.tour URL --quick             without waiting for a timekeeper
    python -m tools.container.tour URL --until-4503        opens a socket and waits for a restart

Each step prints a line; the first that fails ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import secrets
import sys
import time
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TIMEOUT_S = 15.0
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REMINDER_S = 56  # seconds before the end of a session of one minute: comes after four


class WentWrong(Exception):
    """A step has not gone as it must."""


def must(condition: object, sentence: str) -> None:
    if not condition:
        raise WentWrong(sentence)


async def the_page(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    must(page.status_code == 200, f"the page is {page.status_code}")
    found = re.search(r'src="(/static/[0-9a-f]{12}/[^"]+\.js)"', page.text)
    must(found, "the page names no module below /static/<hash>/")
    assert found
    module = await http.get(found[1], headers={"Accept-Encoding": "gzip"})
    must(module.status_code == 200, f"{found[1]} is {module.status_code}")
    must("immutable" in module.headers["cache-control"], "static files are not immutable")
    must(module.headers.get("content-encoding") == "gzip", "static files are not compressed")
    docs = await http.get("/docs/")
    for url in set(re.findall(r'"(/static/[^"]+\.(?:js|css))"', docs.text)):
        must((await http.get(url)).status_code == 200, f"{url} of /docs/ is missing")


async def sign_up(http: httpx.AsyncClient) -> dict[str, Any]:
    name = f"tourist{secrets.token_hex(5)}"
    body = {"username": name, "email": f"{name}@example.org", "password": "a long walk at dusk"}
    answer = await http.post(
        "/users/signup/", json=body, headers={"X-Forwarded-For": "203.0.113.7"}
    )
    must(answer.status_code == 201, f"signing up is {answer.status_code}: {answer.text[:300]}")
    account: dict[str, Any] = answer.json()
    http.headers["Authorization"] = f"Bearer {account['access']}"
    return account


async def where_from(http: httpx.AsyncClient, expected: str) -> None:
    logins = (await http.get("/users/me/logins/")).json()
    logins = logins["results"] if isinstance(logins, dict) else logins
    seen = {login["address"] for login in logins}
    must(seen == {expected}, f"the server saw {seen}, not {expected}")


async def too_large(http: httpx.AsyncClient) -> None:
    for size in (9_000_000, 300_000):
        path = "/sessions/" if size > 1_000_000 else "/users/me/"
        body = json.dumps({"title": "x" * size}).encode()
        how = {"Content-Type": "application/json"}
        method = "POST" if path == "/sessions/" else "PATCH"
        answer = await http.request(method, path, content=body, headers=how)
        must(answer.status_code == 413, f"a body of {size} bytes is {answer.status_code}")
        must(answer.json()["code"] == "too_large", "a 413 is not in the API's form")


async def a_picture(http: httpx.AsyncClient) -> None:
    body = {"title": "With a picture", "duration": 5, "image": PIXEL}
    answer = await http.post("/sessions/", json=body)
    must(answer.status_code == 201, f"a session with a picture is {answer.text[:300]}")
    path = re.search(r"/media/.+", answer.json()["image"])
    must(path, "the picture has no address")
    assert path
    stored = await http.get(path[0])
    must(stored.headers["content-type"] == "image/webp", "the picture is not served")


async def until(socket: ClientConnection, kind: str, **values: Any) -> dict[str, Any]:
    """The next frame of this kind with these values."""
    async with asyncio.timeout(TIMEOUT_S):
        async for text in socket:
            frame: dict[str, Any] = json.loads(text)
            if frame["type"] == kind and all(frame.get(k) == v for k, v in values.items()):
                return frame
    raise WentWrong(f"the socket was closed before {kind} came")


async def opened(socket: ClientConnection, account: dict[str, Any]) -> None:
    await socket.send(
        json.dumps({"type": "authenticate", "token": account["access"], "device": "Tour"})
    )
    await until(socket, "ready")


async def a_session(http: httpx.AsyncClient, socket: ClientConnection, *, reminded: bool) -> None:
    """Started, ticking, reminded of by a timekeeper, finished: heard on the socket."""
    await http.patch("/users/me/", json={"reminders": [REMINDER_S]})
    session = (await http.post("/sessions/", json={"title": "Tour", "duration": 1})).json()["id"]
    started = time.monotonic()
    answer = await http.post(f"/sessions/{session}/start/")
    must(answer.status_code == 200, f"starting is {answer.status_code}: {answer.text[:300]}")
    await until(socket, "session.state", session=session)
    first = await until(socket, "session.tick", session=session)
    second = await until(socket, "session.tick", session=session)
    must(first["remaining_ms"] - second["remaining_ms"] == 1000, "ticks are not a second apart")
    if reminded:
        await until(socket, "session.reminder", session=session)
        late = time.monotonic() - started - (60 - REMINDER_S)
        must(late < 1.5, f"the timekeeper was {late:.1f} s late")
    await http.post(f"/sessions/{session}/finish/")
    await until(socket, "session.ended", session=session)


def client(url: str, address: str | None) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT_S)


async def tour(url: str, address: str | None, *, quick: bool) -> None:
    async with client(url, address) as http:
        await the_page(http)
        say("the page and its files")
        account = await sign_up(http)
        say("signed up")
        if address:
            await where_from(http, address)
            say(f"seen as {address}")
        await too_large(http)
        say("large bodies are refused")
        await a_picture(http)
        say("a picture is stored and served")
        async with connect(url.replace("http", "ws", 1) + "/ws/") as socket:
            await opened(socket, account)
            await a_session(http, socket, reminded=not quick)
        say(f"a session: ticks, {'' if quick else 'a reminder, '}the end")


async def until_4503(url: str) -> None:
    async with client(url, None) as http:
        account = await sign_up(http)
    async with connect(url.replace("http", "ws", 1) + "/ws/") as socket:
        await opened(socket, account)
        say("watching")
        try:
            closing = await until(socket, "closing")
            must(closing["code"] == 4503, f"closing says {closing}")
            await socket.recv()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            must(code == 4503, f"the socket was closed with {code}")
    say("closed with 4503")


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--from", dest="address")
    parser.add_argument("--until-4503", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    try:
        if options.until_4503:
            asyncio.run(until_4503(options.url))
        else:
            asyncio.run(tour(options.url, options.address, quick=options.quick))
    except (WentWrong, TimeoutError, httpx.HTTPError, ConnectionClosed) as error:
        say(f"WENT WRONG: {str(error) or type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
