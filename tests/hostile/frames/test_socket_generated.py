"""Ten thousand frames that nobody thought of: each has a documented answer, and nothing stays."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from realtime.hub.background import Node
from realtime.protocol.examples import example_of
from realtime.protocol.messages import Authenticate, Command, Ping, Sync, Ticks
from tests.hostile.sockets import is_documented
from tests.support.devices import Person, RawSocket, raw, until
from tests.unit.realtime.test_messages import anything, names, values

Frame = str | bytes
pytestmark = pytest.mark.usefixtures("unlimited")
GENERATED, FRAMES, AT_ONCE = 500, 10_000, 100
MARK = '{"type": "ping", "id": "mark %d", "client_time": 1}'


# -- what is generated ---------------------------------------------------------------------------

# Without `authenticate`: whatever its token was, a wrong one would end the socket.
GOOD = [example_of(kind) for kind in (Command, Ping, Ticks, Sync)]
texts = st.text(st.characters(codec="utf-8"), max_size=100)


def changed(message: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """With other values, under names that it may have; "" takes one away."""
    merged = message | fields
    return {name: value for name, value in merged.items() if value != ""}


@st.composite
def cut(draw: st.DrawFn) -> str:
    """A good message, somewhere of which something stands that does not belong there."""
    text = json.dumps(draw(st.sampled_from(GOOD)))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(texts) + text[end:]


mutated = st.builds(changed, st.sampled_from(GOOD), st.dictionaries(names, values, max_size=3))
as_json = st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only),
    mutated | anything,
    st.just(True),
)
frames = as_json | cut() | texts | st.binary(max_size=100)


def is_let_be(frame: Frame) -> bool:
    """No token is presented: that may end the socket, and is tried elsewhere."""
    return isinstance(frame, bytes) or '"authenticate"' not in frame


batches = st.lists(frames.filter(is_let_be), min_size=AT_ONCE, max_size=AT_ONCE)


def generated(count: int) -> list[Frame]:
    """So many frames. Made before they are sent: hypothesis and the event loop do not mix."""
    found: list[Frame] = []

    @seed(random.randrange(2**32))
    @settings(
        max_examples=max(1, count // AT_ONCE),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(batches)
    def make(batch: list[Frame]) -> None:
        found.extend(batch)

    make()
    return list(itertools.islice(itertools.cycle(found), count))


def crossed(frames: list[Frame]) -> Frame:
    """The head of one frame with the tail of another: much quicker than to generate one."""
    one, other = random.choice(frames), random.choice(frames)
    head, tail = one[: random.randint(0, len(one))], other[random.randint(0, len(other)) :]
    if isinstance(head, str) and isinstance(tail, str) and is_let_be(head + tail):
        return head + tail
    return head


# -- what is sent --------------------------------------------------------------------------------

marks = itertools.count()


async def answers(socket: RawSocket, batch: list[Frame]) -> list[dict[str, Any]]:
    """All that comes back until the answer to a good frame that is sent last."""
    mark = MARK % next(marks)
    for frame in (*batch, mark):
        await socket.send_raw(frame)
    heard = []
    async with asyncio.timeout(60):
        while True:
            frame = await socket.next()
            if frame["type"] == "pong" and frame["id"] == json.loads(mark)["id"]:
                return heard
            heard.append(frame)


@pytest.mark.timeout(180)
async def test_ten_thousand_frames_have_documented_answers_and_leave_nothing(
    ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    session = await ada.has_session()
    made = await asyncio.to_thread(generated, GENERATED)
    own = f'"session": {session.id},'  # half of the commands are about a session that is there
    made += [f.replace('"session": 2,', own) if isinstance(f, str) else f for f in made]
    frames = made + [crossed(made) for _ in range(FRAMES - len(made))]
    node = Node.here()
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        for start in range(0, FRAMES, AT_ONCE):
            batch = frames[start : start + AT_ONCE]
            heard = await answers(socket, batch)
            assert [frame for frame in heard if not is_documented(frame)] == [], batch
            assert list(node.hub.rooms) == [ada.id]
            assert len(node.hub.rooms[ada.id].sockets) == 1
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
    await until(lambda: node.hub.rooms == {} and len(node.unauthenticated) == 0)


STRANGERS = 500


async def test_any_first_frame_authenticates_nobody_and_leaves_nothing(ada: Person) -> None:
    made = await asyncio.to_thread(generated, STRANGERS)
    node = Node.here()
    token = example_of(Authenticate)
    said = [
        *made,
        *(json.dumps(token | {"token": value}) for value in ("", "a.b.c", "é", "x" * 4096)),
    ][-STRANGERS:]

    async def says(frame: Frame) -> None:
        async with raw(ada.account.base) as socket:
            await socket.send_raw(frame)
            answer = await socket.next()
            assert answer["type"] in {"error", "closing"}
            assert answer["code"] in {"bad_message", 4401}, (frame, answer)

    for start in range(0, len(said), 50):
        await asyncio.gather(*(says(frame) for frame in said[start : start + 50]))
    await until(lambda: node.hub.rooms == {} and len(node.unauthenticated) == 0)
