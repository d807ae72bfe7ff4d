"""Each rule of `./space load` finds what breaks it, and nothing in a run without faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest

from benchmarks.load_generator.device_check import DeviceCheck, Frame
from benchmarks.load_generator.lag import Lag
from benchmarks.load_generator.log_check import check_devices, check_log
from benchmarks.load_generator.people import Person
from benchmarks.load_generator.report import judge_left_out
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import RULES, Findings
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000  # ms; the server's clock at 0
SESSION = 7
DEADLINE = 60_000  # ms after noon
OTHER = 8


def instant(ms: float) -> str:
    return datetime.fromtimestamp((NOON + ms) / 1000, UTC).isoformat().replace("+00:00", "Z")


def state(version: int, status: str, session: int = SESSION, **timer: Any) -> dict[str, Any]:
    running = status == "running"
    return {
        "id": session,
        "title": "Load",
        "image": None,
        "tasks": [],
        "timer": {
            "status": status,
            "version": version,
            "remaining_ms": 5_000,
            "ends_at": instant(DEADLINE) if running else None,
            "ended_at": None,
            "server_time": instant(0),
            "focused_ms": 0,
            **timer,
        },
    }


def changed(
    revision: int, cause: str, stands: dict[str, Any], kind: str = "session.state", **more: Any
) -> Frame:
    return {
        "type": kind,
        "session": stands["id"],
        "version": stands["timer"]["version"],
        "revision": revision,
        "cause": cause,
        "device": "",
        "state": stands,
        **more,
    }


def row(revision: int, cause: str, stands: dict[str, Any]) -> Frame:
    """A change as `ready` lists it."""
    frame = changed(revision, cause, stands)
    return {k: v for k, v in frame.items() if k not in {"type", "cause"}} | {"kind": cause}


def ready(revision: int, *changes: Frame, reset: bool = False, **more: Any) -> Frame:
    return {
        "type": "ready",
        "heartbeat_s": 15,
        "epoch": "e",
        "revision": revision,
        "reset": reset,
        "active": None,
        "changes": list(changes),
        **more,
    }


def tick(remaining_ms: int, version: int = 2, session: int = SESSION, **more: Any) -> Frame:
    return {
        "type": "session.tick",
        "session": session,
        "version": version,
        "remaining_ms": remaining_ms,
        "server_time": instant(DEADLINE - remaining_ms),
        **more,
    }


def ended(version: int = 3, revision: int = 3, **more: Any) -> Frame:
    stands = state(version, "completed", remaining_ms=0, server_time=instant(DEADLINE + 7))
    frame = changed(revision, "completed", stands, "session.ended", space=None)
    return frame | {"ended_at": instant(DEADLINE), "late_ms": 7} | more


def ack(version: int, stands: dict[str, Any], frame_id: str = "c0") -> Frame:
    return {"type": "ack", "id": frame_id, "session": SESSION, "version": version, "state": stands}


@dataclass
class Desk:
    """Two devices of one user; the laptop is connected, in step, and watches a running session."""

    findings: Findings = field(default_factory=Findings)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.user = UserCheck("ada", self.findings)
        self.laptop = self.device("Laptop")
        self.phone = self.device("Phone")
        self.comes(self.laptop)
        self.hears(changed(2, "started", state(2, "running")))
        self.laptop.clock.take({"client_time": 0, "server_received": NOON, "server_sent": NOON}, 0)

    def device(self, name: str) -> DeviceCheck:
        return DeviceCheck(name, self.user, self.findings, self.tally)

    def comes(self, device: DeviceCheck) -> None:
        device.connected(0)
        device.heard(ready(1, reset=True), 0)
        device.loaded([state(1, "ready")], 0)

    def hears(self, *frames: Any, at: float = 0, lagging: bool = False) -> set[str]:
        """The laptop receives these frames. What it must do after the last of them."""
        must: set[str] = set()
        for frame in frames:
            must = self.laptop.heard(frame, at, lagging=lagging)
        return must

    def wants(self, every_ms: int) -> None:
        self.laptop.ticks.asked(every_ms, "p1")
        self.laptop.ticks.ponged("p1")

    def waits(self, until: float) -> None:
        """The laptop receives heartbeats only."""
        self.hears({"type": "heartbeat"}, at=until - 1)
        self.laptop.check_overdue(until, lagging=False)

    def phone_hears(self, frame: Frame) -> None:
        self.comes(self.phone)
        self.phone.heard(frame, 0)

    def pauses(self) -> None:
        self.laptop.asks("c0", "pause", 0)
        self.hears(ack(3, PAUSED))

    def answers(self, *two: Frame) -> None:
        """Of a command that was sent twice with one key."""
        person = Person(None, self.user, 1, None, self.findings, self.tally)  # type: ignore[arg-type]
        person._same(two, SESSION)  # type: ignore[arg-type]

    def log(self, stands: dict[str, Any], *rows: Frame) -> None:
        check_log(stands, list(rows), self.user, self.findings)

    @property
    def broken(self) -> set[str]:
        return set(self.findings.count)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def stored(version: int, kind: str, **data: Any) -> Frame:
    """A row of a session's log."""
    return {"version": version, "revision": version, "kind": kind, "data": data}


def closing(code: int) -> Frame:
    return {"type": "closing", "code": code, "reason": "?"}


PAUSED, RUNNING, COMPLETED = state(3, "paused"), state(2, "running"), state(2, "completed")
PAUSE = changed(3, "paused", PAUSED)
AT_30 = DEADLINE - 30_000  # when a tick with 30 s left is due
CREATED, STARTED = stored(1, "created"), stored(2, "started")
ENDED_TWICE = stored(2, "completed"), stored(3, "finished")

# What the laptop receives, and when: the rule that it breaks.
RECEIVED: list[tuple[str, float, list[Any]]] = [
    # half a second beside the deadline's phase; no whole second
    ("tick_off_its_second", AT_30, [tick(30_000, server_time=instant(AT_30 + 500))]),
    ("tick_off_its_second", AT_30 - 500, [tick(30_500)]),
    ("tick_late", AT_30 + 1_001, [tick(30_000)]),
    ("tick_early", AT_30 - 20, [tick(30_000)]),
    ("tick_of_a_stopped_session", 0, [PAUSE, tick(30_000, 3)]),
    ("tick_repeated", AT_30, [tick(30_000), tick(30_000)]),
    ("revision_backwards", 0, [ready(1)]),
    # a change is left out of `ready`; `ready` knows less than a frame before it; `sync` brings
    # nothing of a version that ticks
    ("gap_not_healed", 0, [ready(4, row(4, "paused", state(4, "paused")))]),
    ("gap_not_healed", 0, [changed(5, "paused", state(5, "paused")), ready(2)]),
    ("gap_not_healed", 0, [tick(30_000, 3), ready(2), tick(29_000, 3)]),
    # a version is left out; a session that no frame has named is changed
    ("version_gap", 0, [changed(3, "paused", state(4, "paused"))]),
    ("version_gap", 0, [changed(3, "edited", state(2, "ready", OTHER))]),
    # the deadline moves, the version does not
    (
        "two_states_of_one_version",
        0,
        [ready(2, active=state(2, "running", ends_at=instant(DEADLINE + 1_000)))],
    ),
    ("told_late", 10_001, [PAUSE]),
    ("frame_disagrees_with_its_state", 0, [PAUSE | {"version": 2}]),
    # by its own `late_ms`; by the instant at which its state was read; by its arrival
    ("ended_early", DEADLINE + 10, [ended(late_ms=-1)]),
    (
        "ended_early",
        DEADLINE + 10,
        [ended(state=state(3, "completed", server_time=instant(DEADLINE - 1)))],
    ),
    ("ended_early", DEADLINE - 20, [ended()]),
    ("ended_not_at_its_deadline", DEADLINE + 10, [ended(ended_at=instant(DEADLINE + 7))]),
    ("ended_late", DEADLINE + 3_010, [ended(late_ms=3_001)]),
    ("ended_twice", DEADLINE + 10, [ended(), ended(4, 4)]),
    ("error_not_allowed", 0, [{"type": "error", "id": "c0", "code": "internal", "message": "?"}]),
    # no JSON; a list; a field is missing
    ("not_a_frame", 0, [None]),
    ("not_a_frame", 0, [[1]]),
    ("not_a_frame", 0, [{"type": "session.tick", "session": SESSION}]),
]


@pytest.mark.parametrize(("rule", "at", "frames"), RECEIVED)
def test_frames_break_a_rule(rule: str, at: float, frames: list[Any], desk: Desk) -> None:
    desk.hears(*frames, at=at)
    assert desk.broken == {rule}


# What is done at the desk, in these steps: the rule that it breaks.
DONE: list[tuple[str, Callable[[Desk], Any]]] = [
    # long after the pause was received
    ("tick_of_an_old_version", lambda d: (d.hears(PAUSE), d.hears(tick(30_000), at=AT_30))),
    # no ticks are wanted, then every fifth, and the pong says that this was understood
    ("tick_not_asked_for", lambda d: (d.wants(0), d.hears(tick(30_000), at=AT_30))),
    ("tick_not_asked_for", lambda d: (d.wants(5_000), d.hears(tick(31_000), at=AT_30 - 1_000))),
    (
        "ticks_left_out",
        lambda d: (
            d.hears(tick(30_000), at=AT_30),
            d.hears(tick(28_000), at=AT_30 + 2_000),
            judge_left_out(d.tally, d.findings, Lag()),
        ),
    ),
    # another device is shown another state; two changes have one revision
    ("two_states_of_one_version", lambda d: d.phone.learnt(RUNNING | {"title": "Another"}, 0)),
    ("told_differently", lambda d: d.phone_hears(changed(2, "edited", state(1, "ready", OTHER)))),
    ("not_ended", lambda d: d.waits(DEADLINE + 10_001)),
    # no device receives the change; it is another change; the log ends before it
    (
        "ack_not_told",
        lambda d: (d.pauses(), d.user.look_for_lost_acks(15_001, somebody_listens=True)),
    ),
    ("ack_not_stored", lambda d: (d.pauses(), d.hears(changed(3, "edited", PAUSED)))),
    ("ack_not_stored", lambda d: (d.pauses(), d.log(RUNNING, CREATED, STARTED))),
    ("key_done_twice", lambda d: d.answers(ack(3, PAUSED), ack(4, state(4, "paused")))),
    ("unanswered", lambda d: (d.laptop.asks("p1", "ping", 0), d.waits(10_001))),
    ("frame_before_ready", lambda d: (d.phone.connected(0), d.phone.heard(tick(30_000), 0))),
    ("silent", lambda d: d.laptop.check_overdue(30_001, lagging=False)),
    ("close_not_allowed", lambda d: (d.hears(closing(4429)), d.laptop.closed(4429))),
    ("close_not_allowed", lambda d: (d.hears(closing(4400)), d.laptop.closed(1006))),
    ("closed_without_closing", lambda d: d.laptop.closed(4503)),
    # the log of a session in this state
    ("ended_twice", lambda d: d.log(state(3, "finished"), CREATED, *ENDED_TWICE)),
    ("ended_early", lambda d: d.log(COMPLETED, CREATED, stored(2, "completed", late_ms=-3))),
    ("log_not_whole", lambda d: d.log(PAUSED, CREATED, stored(3, "paused"))),
    ("log_not_whole", lambda d: d.log(RUNNING, CREATED, STARTED | {"revision": 1})),
    # another state is stored; the session is gone; the revision is another
    ("devices_differ", lambda d: check_devices([PAUSED], 2, [d.laptop], d.findings)),
    ("devices_differ", lambda d: check_devices([], 2, [d.laptop], d.findings)),
    ("devices_differ", lambda d: check_devices([RUNNING], 3, [d.laptop], d.findings)),
]


@pytest.mark.parametrize(("rule", "do"), DONE)
def test_what_happens_breaks_a_rule(rule: str, do: Callable[[Desk], Any], desk: Desk) -> None:
    do(desk)
    assert desk.broken == {rule}


async def test_a_request_must_not_be_answered_with_a_status_that_it_cannot_cause(
    desk: Desk,
) -> None:
    http = AsyncMock()
    rest = Rest("http://space.test", desk.findings, desk.tally, print, http)
    for status, broken in ((409, set()), (500, {"rest_not_allowed"})):
        http.request.return_value = httpx.Response(status)
        await rest.ask("GET", "/sessions/")
        assert desk.broken == broken


def test_every_rule_has_a_test_that_it_can_fail() -> None:
    tables = {rule for rule, *_ in (*RECEIVED, *DONE)}
    assert tables | {"rest_not_allowed"} == set(RULES)


def test_a_run_without_faults_breaks_no_rule(desk: Desk) -> None:
    for remaining_ms in (60_000, 59_000, 58_000):
        desk.hears(tick(remaining_ms), at=DEADLINE - remaining_ms + 8)
    desk.laptop.asks("c0", "pause", 2_100)
    desk.hears(ack(3, state(3, "paused")), changed(3, "paused", state(3, "paused")), at=2_110)
    desk.hears(tick(57_000), at=3_008)  # was on its way when it was paused
    assert desk.hears(changed(5, "resumed", state(5, "running")), at=4_000) == {"sync"}
    missed = row(4, "tasks_edited", state(4, "paused")) | {"state": None}
    desk.hears(ready(5, missed, row(5, "resumed", state(5, "running"))), at=4_020)
    desk.hears(changed(4, "tasks_edited", state(4, "paused")), at=4_030)  # late, and known
    desk.hears(ended(6, 6), at=DEADLINE + 12)
    desk.comes(desk.phone)
    desk.phone.connected(DEADLINE + 20)
    desk.phone.heard(ready(6, reset=True), DEADLINE + 20)
    desk.phone.loaded([ended(6, 6)["state"]], DEADLINE + 30)
    check_devices([ended(6, 6)["state"]], 6, [desk.laptop, desk.phone], desk.findings)
    desk.laptop.check_overdue(DEADLINE + 11_000, lagging=False)
    desk.laptop.closed(1012)
    assert desk.findings.example == {}


def test_a_tick_is_not_judged_while_this_program_is_late_itself(desk: Desk) -> None:
    desk.hears(tick(30_000), at=DEADLINE - 25_000, lagging=True)
    assert desk.broken == set()
    assert not desk.tally.took["a tick after its second"].count


def test_a_gap_is_asked_for_once(desk: Desk) -> None:
    assert desk.hears(changed(4, "paused", state(4, "paused"))) == {"sync"}
    assert desk.hears(changed(5, "resumed", state(5, "running"))) == set()


def test_a_running_session_may_be_read_at_different_moments(desk: Desk) -> None:
    later = state(2, "running", remaining_ms=1_000, focused_ms=59_000, server_time=instant(59_000))
    desk.hears(ready(2, active=later))
    assert desk.broken == set()
