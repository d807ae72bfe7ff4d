"""Each rule of `./space load` finds what breaks it, and nothing in a day that goes well.

What the server says is made here; the sentence of each test names the rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

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
        """What the laptop must do after the last of them."""
        must: set[str] = set()
        for frame in frames:
            must = self.laptop.heard(frame, at, lagging=lagging)
        return must

    @property
    def broken(self) -> set[str]:
        return set(self.findings.count)


@pytest.fixture
def desk() -> Desk:
    return Desk()


BREAKS: dict[str, Callable[[Desk], Any]] = {}


def breaks(rule: str) -> Callable[[Callable[[Desk], Any]], Callable[[Desk], Any]]:
    """What the function does to the desk breaks this rule. A rule may be broken in several ways."""

    def register(do: Callable[[Desk], Any]) -> Callable[[Desk], Any]:
        BREAKS[f"{rule}: {(do.__doc__ or '').strip()}"] = do
        return do

    return register


# -- ticks ---------------------------------------------------------------------------------------


@breaks("tick_off_its_second")
def _(desk: Desk) -> None:
    """half a second beside the deadline's phase"""
    desk.hears(tick(30_000, server_time=instant(DEADLINE - 29_500)), at=DEADLINE - 29_500)


@breaks("tick_off_its_second")
def _(desk: Desk) -> None:
    """no whole second"""
    desk.hears(tick(30_500), at=DEADLINE - 30_500)


@breaks("tick_late")
def _(desk: Desk) -> None:
    """after the next one was due"""
    desk.hears(tick(30_000), at=DEADLINE - 30_000 + 1_001)


@breaks("tick_early")
def _(desk: Desk) -> None:
    """before its second"""
    desk.hears(tick(30_000), at=DEADLINE - 30_000 - 20)


@breaks("tick_of_a_stopped_session")
def _(desk: Desk) -> None:
    """of the version that paused it"""
    desk.hears(changed(3, "paused", state(3, "paused")), tick(30_000, 3))


@breaks("tick_of_an_old_version")
def _(desk: Desk) -> None:
    """long after the pause was heard"""
    desk.hears(changed(3, "paused", state(3, "paused")))
    desk.hears(tick(30_000), at=DEADLINE - 30_000)


@breaks("tick_repeated")
def _(desk: Desk) -> None:
    """the same second twice"""
    desk.hears(tick(30_000), tick(30_000), at=DEADLINE - 30_000)


@breaks("tick_not_asked_for")
def _(desk: Desk) -> None:
    """none was wanted, and the pong says that this was understood"""
    desk.laptop.ticks.asked(0, "p1")
    desk.laptop.ticks.ponged("p1")
    desk.hears(tick(30_000), at=DEADLINE - 30_000)


@breaks("tick_not_asked_for")
def _(desk: Desk) -> None:
    """every fifth was wanted"""
    desk.laptop.ticks.asked(5_000, "p1")
    desk.laptop.ticks.ponged("p1")
    desk.hears(tick(31_000), at=DEADLINE - 31_000)


@breaks("ticks_left_out")
def _(desk: Desk) -> None:
    """one of two"""
    desk.hears(tick(30_000), at=DEADLINE - 30_000)
    desk.hears(tick(28_000), at=DEADLINE - 28_000)
    judge_left_out(desk.tally, desk.findings, Lag())


# -- changes -------------------------------------------------------------------------------------


@breaks("revision_backwards")
def _(desk: Desk) -> None:
    """`ready` of the same epoch with an older one"""
    desk.hears(ready(1))


@breaks("gap_not_healed")
def _(desk: Desk) -> None:
    """a change is left out of `ready`"""
    desk.hears(ready(4, row(4, "paused", state(4, "paused"))))


@breaks("gap_not_healed")
def _(desk: Desk) -> None:
    """`ready` knows less than was told before"""
    desk.hears(changed(5, "paused", state(5, "paused")), ready(2))


@breaks("gap_not_healed")
def _(desk: Desk) -> None:
    """ticks of a version that `sync` does not bring"""
    assert desk.hears(tick(30_000, 3)) == {"sync"}
    desk.hears(ready(2), tick(29_000, 3))


@breaks("version_gap")
def _(desk: Desk) -> None:
    """revisions without one, versions with"""
    desk.hears(changed(3, "paused", state(4, "paused")))


@breaks("version_gap")
def _(desk: Desk) -> None:
    """a session that nobody has told of is changed"""
    desk.hears(changed(3, "edited", state(2, "ready", OTHER)))


@breaks("two_states_of_one_version")
def _(desk: Desk) -> None:
    """the deadline moves, the version does not"""
    desk.hears(ready(2, active=state(2, "running", ends_at=instant(DEADLINE + 1_000))))


@breaks("two_states_of_one_version")
def _(desk: Desk) -> None:
    """the other device is shown another one"""
    desk.comes(desk.phone)
    desk.phone.learnt(state(2, "running") | {"title": "Another"}, 0)


@breaks("told_differently")
def _(desk: Desk) -> None:
    """two changes have one revision"""
    desk.comes(desk.phone)
    desk.phone.heard(changed(2, "edited", state(1, "ready", OTHER)), 0)


@breaks("told_late")
def _(desk: Desk) -> None:
    """heard 10 s after it was made"""
    desk.hears(changed(3, "paused", state(3, "paused")), at=10_001)


@breaks("frame_disagrees_with_its_state")
def _(desk: Desk) -> None:
    """another version"""
    desk.hears(changed(3, "paused", state(3, "paused")) | {"version": 2})


# -- ends ----------------------------------------------------------------------------------------


@breaks("ended_early")
def _(desk: Desk) -> None:
    """it says so itself"""
    desk.hears(ended(late_ms=-1), at=DEADLINE + 10)


@breaks("ended_early")
def _(desk: Desk) -> None:
    """it was read before the deadline"""
    early = state(3, "completed", server_time=instant(DEADLINE - 1))
    desk.hears(ended(state=early), at=DEADLINE + 10)


@breaks("ended_early")
def _(desk: Desk) -> None:
    """it comes before the deadline"""
    desk.hears(ended(), at=DEADLINE - 20)


@breaks("ended_not_at_its_deadline")
def _(desk: Desk) -> None:
    """the moment at which it was noticed"""
    desk.hears(ended(ended_at=instant(DEADLINE + 7)), at=DEADLINE + 10)


@breaks("ended_late")
def _(desk: Desk) -> None:
    """recorded after 3 s"""
    desk.hears(ended(late_ms=3_001), at=DEADLINE + 3_010)


@breaks("ended_twice")
def _(desk: Desk) -> None:
    """with another revision"""
    desk.hears(ended(), ended(4, 4), at=DEADLINE + 10)


@breaks("ended_twice")
def _(desk: Desk) -> None:
    """in the log"""
    log = [stored(1, "created"), stored(2, "completed"), stored(3, "finished")]
    check_log(state(3, "finished"), log, desk.user, desk.findings)


@breaks("ended_early")
def _(desk: Desk) -> None:
    """in the log"""
    log = [stored(1, "created"), stored(2, "completed", late_ms=-3)]
    check_log(state(2, "completed"), log, desk.user, desk.findings)


@breaks("not_ended")
def _(desk: Desk) -> None:
    """nothing 10 s after the deadline"""
    desk.hears({"type": "heartbeat"}, at=DEADLINE + 10_000)
    desk.laptop.look_around(DEADLINE + 10_001, lagging=False)


# -- answers -------------------------------------------------------------------------------------


@breaks("ack_not_told")
def _(desk: Desk) -> None:
    """nobody is ever told"""
    desk.laptop.asks("c0", "pause", 0)
    desk.hears(ack(3, state(3, "paused")))
    desk.user.look_for_lost_acks(15_001, somebody_listens=True)


@breaks("ack_not_stored")
def _(desk: Desk) -> None:
    """the version is another change"""
    desk.laptop.asks("c0", "pause", 0)
    desk.hears(ack(3, state(3, "paused")), changed(3, "edited", state(3, "paused")))


@breaks("ack_not_stored")
def _(desk: Desk) -> None:
    """the log ends before it"""
    desk.laptop.asks("c0", "pause", 0)
    desk.hears(ack(3, state(3, "paused")))
    log = [stored(1, "created"), stored(2, "started")]
    check_log(state(2, "running"), log, desk.user, desk.findings)


@breaks("key_done_twice")
def _(desk: Desk) -> None:
    """two versions for one key"""
    person = Person(None, desk.user, 1, None, desk.findings, desk.tally)  # type: ignore[arg-type]
    person._same((ack(3, state(3, "paused")), ack(4, state(4, "paused"))), SESSION)


@breaks("unanswered")
def _(desk: Desk) -> None:
    """a ping for more than 10 s"""
    desk.laptop.asks("p1", "ping", 0)
    desk.laptop.look_around(10_001, lagging=False)


@breaks("error_not_allowed")
def _(desk: Desk) -> None:
    """a command cannot cause it"""
    desk.hears({"type": "error", "id": "c0", "code": "internal", "message": "?"})


# -- the connection ------------------------------------------------------------------------------


@breaks("not_a_frame")
def _(desk: Desk) -> None:
    """no JSON"""
    desk.hears(None)


@breaks("not_a_frame")
def _(desk: Desk) -> None:
    """a list"""
    desk.hears([1])


@breaks("not_a_frame")
def _(desk: Desk) -> None:
    """a field is missing"""
    desk.hears({"type": "session.tick", "session": SESSION})


@breaks("frame_before_ready")
def _(desk: Desk) -> None:
    """a tick"""
    desk.phone.connected(0)
    desk.phone.heard(tick(30_000), 0)


@breaks("silent")
def _(desk: Desk) -> None:
    """for two heartbeats"""
    desk.laptop.look_around(30_001, lagging=False)


@breaks("close_not_allowed")
def _(desk: Desk) -> None:
    """nobody has sent too much"""
    desk.hears({"type": "closing", "code": 4429, "reason": "rate_limited"})
    desk.laptop.closed(4429)


@breaks("close_not_allowed")
def _(desk: Desk) -> None:
    """it was said, and then the connection was cut"""
    desk.hears({"type": "closing", "code": 4400, "reason": "bad_message"})
    desk.laptop.closed(1006)


@breaks("closed_without_closing")
def _(desk: Desk) -> None:
    """a restart"""
    desk.laptop.closed(4503)


# -- the end of the run --------------------------------------------------------------------------


def stored(version: int, kind: str, **data: Any) -> Frame:
    """A row of a session's log."""
    return {"version": version, "revision": version, "kind": kind, "data": data}


@breaks("devices_differ")
def _(desk: Desk) -> None:
    """another state than the stored one"""
    check_devices([state(3, "paused")], 2, [desk.laptop], desk.findings)


@breaks("devices_differ")
def _(desk: Desk) -> None:
    """a session that is gone"""
    check_devices([], 2, [desk.laptop], desk.findings)


@breaks("devices_differ")
def _(desk: Desk) -> None:
    """another revision"""
    check_devices([state(2, "running")], 3, [desk.laptop], desk.findings)


@breaks("log_not_whole")
def _(desk: Desk) -> None:
    """a version is missing"""
    log = [stored(1, "created"), stored(3, "paused")]
    check_log(state(3, "paused"), log, desk.user, desk.findings)


@breaks("log_not_whole")
def _(desk: Desk) -> None:
    """two rows have one revision"""
    log = [stored(1, "created"), stored(2, "started") | {"revision": 1}]
    check_log(state(2, "running"), log, desk.user, desk.findings)


# -- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", BREAKS)
def test_a_rule_finds_what_breaks_it(case: str, desk: Desk) -> None:
    assert desk.broken == set()
    BREAKS[case](desk)
    assert desk.broken == {case.split(":")[0]}


async def test_the_rule_of_requests_finds_an_answer_that_they_cannot_cause(
    desk: Desk, httpx_answers: Callable[[int], None]
) -> None:
    rest = Rest("http://space.test", desk.findings, desk.tally, print)
    httpx_answers(409)
    await rest.ask("GET", "/sessions/")
    assert desk.broken == set()
    httpx_answers(500)
    await rest.ask("GET", "/sessions/")
    assert desk.broken == {"rest_not_allowed"}
    await rest.close()


@pytest.fixture
def httpx_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def answer(status: int) -> None:
        async def request(*_args: Any, **_options: Any) -> httpx.Response:
            return httpx.Response(status, json={})

        monkeypatch.setattr(httpx.AsyncClient, "request", request)

    return answer


def test_every_rule_has_a_test_that_it_can_fail() -> None:
    assert {case.split(":")[0] for case in BREAKS} | {"rest_not_allowed"} == set(RULES)


def test_a_day_that_goes_well_breaks_none(desk: Desk) -> None:
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
    desk.laptop.look_around(DEADLINE + 11_000, lagging=False)
    desk.laptop.closed(1012)
    assert desk.findings.example == {}


def test_what_this_program_was_late_for_is_not_held_against_the_server(desk: Desk) -> None:
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
