"""A device that waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from benchmarks.load_generator.accounts import Account
from benchmarks.load_generator.device import Device
from benchmarks.load_generator.device_check import DeviceCheck
from benchmarks.load_generator.lag import Lag
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck


class Socket:
    """A connection on which nothing is ever answered."""

    close_code = 1006

    def __init__(self) -> None:
        self.said = asyncio.Event()

    async def send(self, text: str) -> None:
        self.said.set()


@pytest.fixture
def device() -> Device:
    findings, tally = Findings(), Tally()
    check = DeviceCheck("Laptop", UserCheck("ada", findings), findings, tally)
    rest = cast(Rest, None)
    return Device("Laptop", "", Account("ada", ""), check, rest, Lag(), tally)


async def waiting(device: Device, ask: Callable[[Device], Any]) -> asyncio.Task[Any]:
    """A task that has asked and waits."""
    socket = Socket()
    device._socket = cast(Any, socket)
    task = asyncio.create_task(ask(device))
    await socket.said.wait()
    return task


async def test_a_person_who_is_stopped_while_waiting_for_an_answer_stops(device: Device) -> None:
    task = await waiting(device, lambda device: device.command("pause", 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_command_whose_connection_goes_is_not_waited_for(device: Device) -> None:
    task = await waiting(device, lambda device: device.twice("pause", 1))
    await device._lost(cast(Any, device._socket))
    assert await task == [None, None]
