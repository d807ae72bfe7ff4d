"""A process that shuts down closes all its sockets, and answers running commands first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from benchmarks.device import device
from realtime.hub import drain, draining
from realtime.hub.background import BackgroundTasks, Node
from realtime.protocol.close_codes import Close
from realtime.sockets import consumer as consumers
from realtime.stats import stats
from server.asgi.headers import completed
from tests.support.devices import Person, raw, until


@pytest.fixture
async def drained(base: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A function that has this process drain, once; afterwards it never was."""
    monkeypatch.setattr(draining, "_draining", False)  # and so it will be
    monkeypatch.setattr(drain, "SPREAD_S", 0.05)
    begun: list[asyncio.Task[None]] = []

    def begin() -> asyncio.Task[None]:
        begun.append(asyncio.create_task(drain.drain()))
        return begun[0]

    yield begin
    await asyncio.gather(*begun)


async def test_an_unauthenticated_socket_is_closed_for_the_restart(base: str, drained: Any) -> None:
    async with raw(base) as socket:
        await until(lambda: len(Node.here().open_sockets) == 1)
        drained()
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (Close.RESTARTING, "restarting")
    assert ending.closing["reconnect"] is True


async def test_a_socket_that_is_authenticating_is_closed_for_the_restart(
    ada: Person, drained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()
    admit = Node.here().admission.admit

    async def slow(token: str) -> Any:
        asked.set()
        await may_answer.wait()
        return await admit(token)

    monkeypatch.setattr(Node.here().admission, "admit", slow)
    async with raw(ada.account.base) as socket:
        await socket.send(type="authenticate", token=ada.account.access)
        await asked.wait()
        drained()
        ending = await socket.ending()
        may_answer.set()
    assert ending.code == Close.RESTARTING


async def test_a_running_command_is_answered_before_the_close(
    ada: Person, drained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    perform = consumers.perform

    async def slow(*given: Any) -> Any:
        begun.set()
        await may_end.wait()
        return await perform(*given)

    monkeypatch.setattr(consumers, "perform", slow)
    session = await ada.has_session()
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send(type="command", id="1", session=session.id, action="start")
        await begun.wait()
        drained()
        [consumer] = Node.here().open_sockets
        await until(lambda: "restart" in consumer._timers)  # type: ignore[attr-defined]
        may_end.set()
        ending = await socket.ending()
    assert ending.code == Close.RESTARTING
    assert "ack" in [frame["type"] for frame in ending.frames]


async def test_a_command_that_takes_too_long_does_not_delay_the_close(
    ada: Person, drained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def stuck(*_: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(consumers, "ANSWERED_WITHIN_S", 0.05)
    monkeypatch.setattr(consumers, "perform", stuck)
    monkeypatch.setattr(drain, "SOCKETS_CLOSE_WITHIN_S", 0.3)
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send(type="command", id="1", session=1, action="start")
        await begun.wait()
        drained()
        ending = await socket.ending()
        assert ending.code == Close.RESTARTING


async def test_answers_of_a_draining_process_close_their_connection(
    base: str, drained: Any
) -> None:
    scope = {"path": "/sessions/", "headers": [], "scheme": "http"}
    assert b"connection" not in dict(completed(scope, []))
    await drained()
    assert dict(completed(scope, []))[b"connection"] == b"close"


async def test_a_task_that_lost_a_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime.hub.background.CANCEL_AGAIN_AFTER_S", 0.01)
    started = asyncio.Event()

    async def loses_the_first() -> None:
        with suppress(asyncio.CancelledError):
            started.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    tasks = BackgroundTasks({"stubborn": loses_the_first})
    tasks.start()
    await started.wait()
    async with asyncio.timeout(5):
        await tasks.stop()
    assert tasks.running["stubborn"].cancelled()


async def test_a_background_task_that_ended_is_started_again(
    ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("realtime.hub.background.RESTART_AFTER_S", 0.01)
    tasks, before = Node.here().tasks.running, stats.tasks_restarted
    async with device(ada.account) as laptop:
        for task in tuple(tasks.values()):
            task.cancel()
        await until(lambda: not any(task.done() for task in tasks.values()))
        await ada.has_session()
        await laptop.heard_type("session.state", revision=1)
    assert stats.tasks_restarted == before + len(tasks)
    assert "hub: reconcile has ended" in caplog.text
