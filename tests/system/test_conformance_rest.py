"""REST on Daphne, and on a process of its own, is as on uvicorn (`tests/unit/server`)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from benchmarks.device import device
from sessions_app import services
from tests.support.devices import Person, person, raw
from tests.support.servers import Server, servers


@pytest.fixture(scope="session")
def apart(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """A server for REST alone, and one for sockets alone."""
    folder = tmp_path_factory.mktemp("apart")
    with servers(folder, "uvicorn --only rest", "daphne --only sockets") as both:
        yield both


@pytest.fixture(params=["daphne", "apart"])
def server(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Server]:
    found = request.getfixturevalue(request.param)
    server: Server = found[0] if request.param == "apart" else found
    before = len(server.log)
    yield server
    new = server.log[before:]
    assert "Traceback" not in new, new


@pytest.fixture
async def ada(server: Server) -> Person:
    return await person(server.base, "ada")


async def test_rest_and_the_page_are_served_too(ada: Person) -> None:
    session = await ada.has_session()
    await ada.does(services.start, session.id)
    async with ada.account.http() as http:
        page, health = await http.get("/"), await http.get("/healthz")
        shown = await http.get(f"/sessions/{session.id}/")
        missing = await http.get("/nowhere/")
    assert (page.status_code, health.status_code) == (200, 200)
    assert shown.headers["x-request-id"]
    assert shown.json()["timer"]["status"] == "running"
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not said beforehand."""
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@pytest.mark.parametrize("length_said", [True, False])
async def test_a_body_that_is_too_large_is_answered_and_not_reset(
    ada: Person, length_said: bool
) -> None:
    body = b" " * (20 * 1024 * 1024)
    async with ada.account.http() as http:
        answer = await http.post(
            "/sessions/",
            content=body if length_said else in_chunks(body),
            headers={"Content-Type": "application/json", "Origin": "http://localhost:5173"},
        )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"


async def test_a_body_in_chunks_is_read_as_any_other(ada: Person) -> None:
    async with ada.account.http() as http:
        answer = await http.post(
            "/sessions/",
            content=in_chunks(b'{"title": "Write", "duration": 5}'),
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 201


async def test_probes_are_answered_under_any_name(ada: Person) -> None:
    async with ada.account.http() as http:
        for path in ("/healthz", "/readyz"):
            answer = await http.get(path, headers={"Host": "10.1.2.3"})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


async def test_static_files_are_kept_for_ever_and_compressed(ada: Person) -> None:
    async with ada.account.http() as http:
        page = (await http.get("/")).text
        found = re.search(r'src="(/static/[^"]+\.js)"', page)
        assert found
        answer = await http.get(found[1])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


async def test_a_request_that_is_no_handshake_is_an_error_of_the_api(ada: Person) -> None:
    async with ada.account.http() as http:
        refused = await http.put("/changes/")
        plain = await http.get("/ws/")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert (plain.status_code, plain.json()["code"]) == (404, "not_found")


async def test_many_at_once_are_all_answered(ada: Person) -> None:
    async with ada.account.http() as http:
        answers = await asyncio.gather(*(http.get("/sessions/") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}


# -- apart ---------------------------------------------------------------------------------------


async def test_a_command_at_the_rest_server_reaches_sockets_of_the_other(
    apart: list[Server], transactional_db: None
) -> None:
    rest, sockets = apart
    ada = await person(rest.base, "ada")
    session = await ada.has_session()
    async with device(ada.account.at(sockets.base)) as watcher, ada.account.http() as http:
        started = (await http.post(f"/sessions/{session.id}/start/")).json()
        heard = await watcher.heard_type("session.state", cause="started")
        await watcher.heard_type("session.tick")
    assert heard["version"] == started["timer"]["version"]


async def test_where_rest_is_served_alone_a_socket_is_refused(
    apart: list[Server], transactional_db: None
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with raw(apart[0].base):
            pass
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/sessions/", "/nowhere/"])
async def test_where_sockets_are_served_alone_nothing_else_is_there(
    apart: list[Server], transactional_db: None, path: str
) -> None:
    ada = await person(apart[1].base, "ada")
    async with ada.account.http() as http:
        answer = await http.post(path, content=b" " * 300_000)
        ready = await http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert ready.status_code == 200
