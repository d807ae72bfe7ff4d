"""How exact Space is, measured from outside on running servers.

    python -m benchmarks.exactness latency URL [URL2]     a command to the frame on the other device
    python -m benchmarks.exactness ends URL [URL2]        how late an end is committed and heard
    python -m benchmarks.exactness watch URL [--minutes]  every tick of a session with a pause in it

URL is a server (`./space run` prints one); with URL2 the second device is on another process.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from contextlib import AsyncExitStack
from datetime import datetime

from benchmarks.device import Account, Device, Frame, device


def quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99)]
    return f"p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, max {ordered[-1]:.1f} ms, n {len(ordered)}"


def instant_ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


async def latency(one: str, two: str, times: int) -> None:
    """Pause and resume in turn on one device; the frame on the other."""
    account = await Account.sign_up(one)
    session = (await account.session(duration=600))["id"]
    waits: list[float] = []
    async with device(account) as sender, device(account.at(two), "Phone") as other:
        await sender.command("start", session)
        for n in range(times):
            action, cause = (("pause", "paused"), ("resume", "resumed"))[n % 2]
            clock = asyncio.get_running_loop().time()
            ack = await sender.command(action, session)
            heard = await other.heard_type("session.state", cause=cause, version=ack["version"])
            waits.append((heard["arrived"] - clock) * 1000)
            await asyncio.sleep(0.5)  # under the limit of frames per socket
    print(f"command to the other device: {quantiles(waits)}")


async def ends(one: str, two: str, sessions: int, within_s: float) -> None:
    """Sessions of as many users, due within a few seconds; each heard where it arrives."""
    async with AsyncExitStack() as stack:
        watched: list[tuple[Device, int]] = []
        for n in range(sessions):
            account = await Account.sign_up(one)
            session = (await account.session(duration=10))["id"]
            opened = await stack.enter_async_context(device(account.at((one, two)[n % 2])))
            await opened.command("start", session)
            watched.append((opened, session))
        await asyncio.gather(*(opened.measure_clock() for opened, _ in watched))
        asked = [_due_in(o, s, 3 + within_s * n / sessions) for n, (o, s) in enumerate(watched)]
        await asyncio.gather(*asked)
        heard = [await o.heard_type("session.ended", 60, cause="completed") for o, _ in watched]
        await asyncio.sleep(3)
    twice = sum(1 for o, _ in watched if sum(f["type"] == "session.ended" for f in o.frames) != 1)
    frame_late = [
        f["arrived"] * 1000 + o.offset_ms - instant_ms(f["ended_at"])
        for (o, _), f in zip(watched, heard, strict=True)
    ]
    print(f"end to commit: {quantiles([float(f['late_ms']) for f in heard])}")
    print(f"end to frame:  {quantiles(frame_late)}")
    print(f"early: {sum(late < 0 for late in frame_late)}, not exactly once: {twice}")


async def _due_in(opened: Device, session: int, seconds: float) -> Frame:
    """Moves the deadline so that `seconds`, to the second, are left."""
    state = (await opened.heard_type("ack"))["state"]
    left = (instant_ms(state["timer"]["ends_at"]) - opened.now_ms()) / 1000
    return await opened.command("extend", session, seconds=-int(left - seconds))


async def watch(one: str, minutes: float) -> None:
    """Each tick against its second, by the deadline that the last state said."""
    account = await Account.sign_up(one)
    session = (await account.session(duration=max(2, int(minutes) + 2)))["id"]
    async with device(account) as opened:
        await opened.measure_clock()
        await opened.command("start", session)
        half = minutes * 30
        await asyncio.sleep(half)
        await opened.command("pause", session)
        await asyncio.sleep(min(10, half / 5))
        await opened.command("resume", session)
        await asyncio.sleep(half)
        await opened.measure_clock()
        await opened.command("finish", session)
        _report(opened)


def _report(opened: Device) -> None:
    ends_at, off, gaps, last = None, [], 0, None
    for frame in opened.frames:
        if frame["type"] == "session.state":
            ends_at, last = frame["state"]["timer"]["ends_at"], None
        if frame["type"] == "session.tick":
            if ends_at is None:
                raise SystemExit("a tick came while the session was paused")
            due = instant_ms(ends_at) - frame["remaining_ms"]
            off.append(frame["arrived"] * 1000 + opened.offset_ms - due)
            gaps += last is not None and last - frame["remaining_ms"] != 1000
            last = frame["remaining_ms"]
    print(f"tick after its second: {quantiles(off)}, min {min(off):.1f} ms")
    print(f"mean {statistics.mean(off):.1f} ms, seconds left out or repeated: {gaps}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["latency", "ends", "watch"])
    parser.add_argument("url")
    parser.add_argument("url2", nargs="?")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--within", type=float, default=10, help="seconds")
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    one, two = given.url.rstrip("/"), (given.url2 or given.url).rstrip("/")
    if given.what == "latency":
        asyncio.run(latency(one, two, given.times))
    elif given.what == "ends":
        asyncio.run(ends(one, two, given.sessions, given.within))
    else:
        asyncio.run(watch(one, given.minutes))


if __name__ == "__main__":
    main()
