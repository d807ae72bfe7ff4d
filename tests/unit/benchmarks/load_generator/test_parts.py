"""The parts of `./space load`: a device that waits, the clock, quantiles, and the report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.load_generator.accounts import Account
from benchmarks.load_generator.device import Device
from benchmarks.load_generator.device_check import DeviceCheck
from benchmarks.load_generator.histogram import Histogram
from benchmarks.load_generator.lag import Lag, now_ms
from benchmarks.load_generator.report import report
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.run import Plan
from benchmarks.load_generator.server_clock import ServerClock
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck


def test_quantiles_are_right_to_a_twentieth_and_take_no_room() -> None:
    dice = random.Random(1)
    values = [dice.lognormvariate(2, 1.5) for _ in range(50_000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    ordered = sorted(values)
    for share in (0.5, 0.99):
        right = ordered[int(share * len(ordered))]
        assert right * 0.94 < histogram.quantile(share) < right * 1.06
    assert histogram.most == ordered[-1]
    assert histogram.quantile(1) <= histogram.most
    assert len(histogram.buckets) < 400


def test_a_histogram_of_nothing_says_so() -> None:
    assert str(Histogram()) == "none"


def test_the_clock_is_that_of_the_quickest_ping() -> None:
    clock = ServerClock()
    clock.take({"client_time": 0, "server_received": 1_050, "server_sent": 1_050}, 100)
    clock.take({"client_time": 200, "server_received": 1_202, "server_sent": 1_202}, 204)
    assert clock.now(300) == 1_300
    assert clock.unsure_ms == 2
    clock.forget()
    assert not clock.is_known


def test_the_program_knows_that_it_is_late_itself() -> None:
    lag = Lag()
    at = now_ms()
    assert not lag.is_lagging(at)
    assert lag.is_lagging(at + 100)
    lag.slept(at + 100)
    assert lag.is_lagging(at + 1_000)
    assert lag.is_bottleneck


def test_a_user_has_at_most_ten_devices_and_one_running_session(tmp_path: Path) -> None:
    def users(devices: int, sessions: int) -> int:
        return Plan([], devices, sessions, 1, tmp_path).users

    assert users(200, 40) == 40
    assert users(200, 5) == 20
    assert users(3, 40) == 3
    assert users(1, 1) == 1


def test_the_report_names_each_broken_rule_with_an_example() -> None:
    findings = Findings()
    assert "No violation" in report(Tally(), findings, Lag())
    findings.found("tick_late", "Ada's Laptop: a tick")
    findings.found("tick_late", "another")
    said = report(Tally(), findings, Lag())
    assert "2 x tick_late: a tick arrives before the next one is due" in said
    assert "e.g. Ada's Laptop: a tick" in said


class Socket:
    """A connection without answers."""

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


async def test_a_person_can_be_stopped_while_waiting_for_an_answer(device: Device) -> None:
    task = await waiting(device, lambda device: device.command("pause", 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_command_ends_with_its_connection(device: Device) -> None:
    task = await waiting(device, lambda device: device.twice("pause", 1))
    await device._lost(cast(Any, device._socket))
    assert await task == [None, None]
