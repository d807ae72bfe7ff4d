"""One example of each message, as the AsyncAPI document and the page at /docs/socket/ show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from realtime.protocol import messages as m
from sessions_app.changes import Change
from sessions_app.events import SessionState, SpaceState, TaskState, TimerState

STARTED = datetime(2026, 11, 22, 16, 34, 21, 947_000, tzinfo=UTC)
ENDS = STARTED + timedelta(minutes=25)
EPOCH = "e70c2f92-4e95-40af-9bb8-cd79ae883352"
TASK = TaskState(id=5, title="First page", duration=10, session=2, created_at=STARTED, done=False)
RUNNING = SessionState(
    id=2,
    title="Write",
    duration=25,
    image=None,
    sound="",
    created_at=STARTED - timedelta(minutes=1),
    user=3,
    reminders=None,
    tasks=[TASK],
    timer=TimerState(
        status="running",
        version=2,
        remaining_ms=1_500_000,
        ends_at=ENDS,
        started_at=STARTED,
        ended_at=None,
        focused_ms=0,
        planned_ms=1_500_000,
        server_time=STARTED,
    ),
)
COMPLETED = msgspec.structs.replace(
    RUNNING,
    timer=TimerState(
        status="completed",
        version=3,
        remaining_ms=0,
        ends_at=None,
        started_at=STARTED,
        ended_at=ENDS,
        focused_ms=1_500_000,
        planned_ms=1_500_000,
        server_time=ENDS + timedelta(milliseconds=7),
    ),
)
STAR = SpaceState(
    id=3,
    session=2,
    type="star",
    x=272,
    y=74,
    image="https://space.example/static/7b4690f7d6f0/sky/star-3.svg",
    created_at=ENDS,
    title="Write",
    focused_minutes=25,
    radius=4,
    hue=290,
    seed=188_387_077,
    month="2026-11",
)
CHANGE: dict[str, Any] = {"session": 2, "version": 3, "revision": 42, "device": "Laptop"}

EXAMPLES: tuple[m.Message, ...] = (
    m.Authenticate(token="<access token>", device="Laptop", epoch=EPOCH, since=41),  # noqa: S106
    m.Command(id="c0", session=2, action="extend", seconds=300, version=2, key="4f9c2a"),
    m.Ping(id="p1", client_time=81_234.5),
    m.Ticks(every_ms=60_000),
    m.Sync(epoch=EPOCH, since=41),
    m.Ready(
        connection="735b4558c6fef73d",
        user=3,
        server_time=STARTED,
        token_expires_at=STARTED + timedelta(days=1),
        heartbeat_s=15,
        epoch=EPOCH,
        revision=42,
        reset=False,
        active=RUNNING,
        changes=[
            Change(
                revision=42,
                session=2,
                version=2,
                kind="started",
                at=STARTED,
                device="Laptop",
                data={},
                state=RUNNING,
            )
        ],
    ),
    m.SessionStateFrame(**CHANGE | {"version": 2}, cause="started", state=RUNNING),
    m.SessionEnded(
        **CHANGE | {"device": ""},
        cause="completed",
        state=COMPLETED,
        ended_at=ENDS,
        late_ms=7,
        space=STAR,
    ),
    m.SessionDeleted(**CHANGE, cause="deleted", state=None),
    m.TaskChanged(**CHANGE, cause="tasks_edited", state=RUNNING, task=TASK),
    m.TaskDeleted(**CHANGE, cause="tasks_edited", state=RUNNING, task=5),
    m.SessionTick(
        session=2,
        version=2,
        remaining_ms=1_499_000,
        server_time=STARTED + timedelta(seconds=1),
    ),
    m.SessionReminder(session=2, version=2, remaining_ms=299_978, offset_s=300),
    m.Ack(id="c0", session=2, version=2, state=RUNNING),
    m.Error(
        id="c0",
        code="stale_version",
        message="The session has changed since the version that you saw.",
        session=2,
        version=2,
        state=RUNNING,
    ),
    m.Pong(
        id="p1",
        client_time=81_234.5,
        server_received=1795365262972.967,
        server_sent=1795365262973.0,
    ),
    m.Heartbeat(server_time=STARTED),
    m.Closing(code=4503, reason="restarting", reconnect=True, after_ms=1000),
)


def example_of(kind: type[m.Message]) -> dict[str, Any]:
    """As plain data, without optional fields that are null, as a client leaves them out."""
    (message,) = (example for example in EXAMPLES if type(example) is kind)
    plain: dict[str, Any] = msgspec.json.decode(message.as_text())
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    return {
        name: value
        for name, value in plain.items()
        if value is not None or name in required or name == "type"
    }
