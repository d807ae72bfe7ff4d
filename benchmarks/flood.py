"""What hostile sockets cost the others: honest ticks, memory and the log while they do their worst.

    python -m benchmarks.flood                     two minutes; starts servers of its own (Linux)
    python -m benchmarks.flood --daphne            the same on Daphne
    python -m benchmarks.flood --json FILE         writes the rows as well

Fifty honest sockets listen to their sessions. Beside them, ten seconds each: one client that sends
5,000 frames a second and comes again at once whenever it is closed; 500 sockets that never
authenticate, opened again when they are closed; 50 that authenticate and never read; then all of
them. The server has one core, everything else the other, and the hostile clients the least of it:
raw sockets, frames made beforehand, the lowest priority.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.tick_listener import Listener

ROOT = Path(__file__).resolve().parents[1]
HONEST, SILENT, STUCK, PER_USER = 50, 500, 50, 10
FRAMES_PER_S = 5_000
LASTS_S, CALM_S = 10.0, 8.0
KINDS = ("floods", "silent", "stuck")

# The goals.
LATEST_MS = 250.0
GROWS_MB, STAYS_MB = 50.0, 10.0


# -- frames, made beforehand ---------------------------------------------------------------------


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A client's frame (masked with zeros)."""
    length = len(payload)
    first = (0x80 * fin) | opcode
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2)
    return bytes([first]) + size + bytes(4) + payload


def message(**fields: Any) -> bytes:
    return masked(0x1, json.dumps(fields).encode())


# What a flood is made of: the first frame, and the one that is sent over and over. The next kind is
# taken at each connection.
FLOODS: dict[str, tuple[bytes, bytes]] = {
    "messages": (b"", message(type="ping", id="p", client_time=1)),
    "nonsense": (b"", masked(0x1, b"nonsense")),
    "pings": (b"", masked(0x9, b"x" * 125)),
    "a message that never ends": (masked(0x1, b"", fin=False), masked(0x0, b"", fin=False)),
    "large messages": (b"", masked(0x1, b"x" * 16_000)),
}


def handshake(port: int) -> bytes:
    return (
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


# -- who is hostile ------------------------------------------------------------------------------


@dataclass
class Done:
    """What hostile clients did, and the codes with which they were closed (0: cut)."""

    frames: int = 0
    connections: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    def ended(self, heard: bytes) -> None:
        """Counts the close that is at the end of what was heard."""
        at = heard.rfind(b"\x88")
        code = int.from_bytes(heard[at + 2 : at + 4]) if at >= 0 else 0
        self.codes[code if 1000 <= code < 5000 else 0] += 1


def floods(port: int, seconds: float, token: str) -> Done:
    """`FRAMES_PER_S` from one connection at a time, as far as they are taken."""
    done, until = Done(), time.monotonic() + seconds
    hello = message(type="authenticate", token=token)
    kinds = list(FLOODS.values())
    while time.monotonic() < until:
        first, frame = kinds[done.connections % len(kinds)]
        done.connections += 1
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as tcp:
            tcp.sendall(handshake(port))
            tcp.recv(4096)
            tcp.sendall(hello + first)
            tcp.setblocking(False)
            _flood(tcp, frame, until, done)
    return done


def _flood(tcp: socket.socket, frame: bytes, until: float, done: Done) -> None:
    step_s, batch = 0.01, frame * (FRAMES_PER_S // 100)
    heard, waiting, at = b"", b"", time.monotonic()
    while (now := time.monotonic()) < until:
        if now >= at:
            at += step_s
            if not waiting:
                waiting = batch
                done.frames += FRAMES_PER_S // 100
        readable, writable, _ = select.select(
            [tcp], [tcp] if waiting else [], [], max(0.0, at - now)
        )
        if readable:
            try:
                data = tcp.recv(65_536)
            except OSError:
                data = b""
            heard = (heard + data)[-4096:]
            if not data or b"\x88" in heard[max(0, heard.rfind(b'"closing"')) :]:
                done.ended(heard)
                return
        if writable:
            try:
                waiting = waiting[tcp.send(waiting) :]
            except OSError:
                done.ended(heard)
                return


class _Silent(asyncio.Protocol):
    """A socket that says nothing, and comes again when it is closed."""

    def __init__(self, port: int, done: Done, until: float) -> None:
        self._port, self._done, self._until = port, done, until
        self._heard = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        _open.add(transport)
        self._done.connections += 1
        transport.write(handshake(self._port))

    def data_received(self, data: bytes) -> None:
        self._heard = (self._heard + data)[-4096:]
        if b'"closing"' in self._heard:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        _open.discard(self._transport)
        if time.monotonic() >= self._until:
            return
        self._done.ended(self._heard)
        _Silent.come(self._port, self._done, self._until)

    @staticmethod
    def come(port: int, done: Done, until: float) -> None:
        loop = asyncio.get_running_loop()
        coming = loop.create_task(
            loop.create_connection(lambda: _Silent(port, done, until), "127.0.0.1", port)
        )
        _coming.add(coming)
        coming.add_done_callback(_coming.discard)


_coming: set[asyncio.Task[Any]] = set()
_open: set[asyncio.Transport] = set()


async def silent(port: int, seconds: float, count: int = SILENT) -> Done:
    """So many sockets that never authenticate."""
    done, until = Done(), time.monotonic() + seconds
    for _ in range(count):
        _Silent.come(port, done, until)
    await asyncio.sleep(seconds)
    await asyncio.gather(*_coming, return_exceptions=True)
    while _open:
        for transport in tuple(_open):
            transport.abort()
        await asyncio.sleep(0)
    return done


def stuck(port: int, seconds: float, tokens: list[str], count: int = STUCK) -> Done:
    """So many that authenticate and never read; each sends as many pings as it may."""
    done, opened = Done(), []
    ping = masked(0x9, b"x" * 125)
    for number in range(count):
        tcp = socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        tcp.connect(("127.0.0.1", port))
        tcp.sendall(handshake(port))
        tcp.recv(129)  # of the answer's head
        tcp.sendall(message(type="authenticate", token=tokens[number % len(tokens)]))
        tcp.setblocking(False)
        opened.append(tcp)
        done.connections += 1
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for tcp in opened:
            with contextlib.suppress(OSError):
                tcp.send(ping)
                done.frames += 1
        time.sleep(0.1)
    for tcp in opened:
        tcp.close()
    return done


def attack(kind: str, port: int, seconds: float, tokens: list[str]) -> Done:
    if kind == "floods":
        return floods(port, seconds, tokens[0])
    if kind == "silent":
        return asyncio.run(silent(port, seconds))
    return stuck(port, seconds, tokens[1:])


# -- who is honest -------------------------------------------------------------------------------


class _Honest(Listener):
    """Also notes the ends of connections."""

    lost = 0

    def connection_lost(self, error: Exception | None) -> None:
        _Honest.lost += 1
        super().connection_lost(error)


async def listen(port: int, tokens: list[str]) -> None:
    """Opens a socket for each token. A line of figures for each line that is read."""
    late_ms: list[float] = []
    loop = asyncio.get_running_loop()
    for token in tokens:
        made = lambda token=token: _Honest(token, port, late_ms)  # noqa: E731
        _, listener = await loop.create_connection(made, "127.0.0.1", port)
        await listener.ready
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("{}", flush=True)
    while await reader.readline():
        late = sorted(late_ms)
        figures = {
            "ticks": len(late),
            "p50_ms": round(late[len(late) // 2], 1) if late else None,
            "p99_ms": round(late[len(late) * 99 // 100], 1) if late else None,
            "max_ms": round(late[-1], 1) if late else None,
            "lost": _Honest.lost,
        }
        late_ms.clear()
        print(json.dumps(figures), flush=True)


# -- measuring -----------------------------------------------------------------------------------


@dataclass
class Row:
    """What happened to everybody else meanwhile."""

    server: str
    what: str
    ticks: int
    missed: int  # ticks that should have come and did not
    p99_ms: float
    max_ms: float
    closed: int  # honest sockets
    before_mb: float
    grew_mb: float  # at most, meanwhile
    stayed_mb: float  # some seconds later
    cpu_s: float  # of the server, meanwhile
    waited_s: float  # by server and listener for a core that others had: makes ticks late
    frames: int
    connections: int
    codes: dict[int, int]
    errors: int  # lines of the log, ERROR or worse, and tracebacks

    def misses(self) -> list[str]:
        """The goals that were missed."""
        codes = {code for code, count in self.codes.items() if count}
        reached = {
            f"ticks within {LATEST_MS:.0f} ms": self.max_ms <= LATEST_MS and not self.missed,
            "no honest socket closed": self.closed == 0,
            f"memory grows by less than {GROWS_MB:.0f} MB": self.grew_mb < GROWS_MB,
            f"and is back within {STAYS_MB:.0f} MB": self.stayed_mb <= STAYS_MB,
            "no 1011 and no 4500": not codes & {1011, 4500},
            "no error in the log": self.errors == 0,
        }
        return [goal for goal, is_reached in reached.items() if not is_reached]


def waited_s(*pids: int) -> float:
    """How long their main threads were ready to run, and did not."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9


def rss_mb(pid: int) -> float:
    """Of the process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return own + sum(rss_mb(int(child)) for child in children)


class Honest:
    """The process with the honest sockets."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._process = _start("listen", port, 0, stdin=subprocess.PIPE)
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(tokens).encode() + b"\n")
        self._process.stdin.flush()
        self._read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def figures(self) -> dict[str, Any]:
        """Since they were asked for last."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _start(what: str, port: int, seconds: float, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.flood", what, str(port), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **more)


def measure(
    server: str, kinds: tuple[str, ...], honest: Honest, port: int, pid: int, tokens: list[str],
    log: Path,
) -> Row:  # fmt: skip
    from benchmarks.rest import cpu_s

    size, before, cpu = log.stat().st_size, rss_mb(pid), cpu_s(pid)
    honest.figures()
    began, waited = time.monotonic(), waited_s(pid, honest.pid)
    hostile = []
    for kind in kinds:
        process = _start(kind, port, LASTS_S, stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(" ".join(tokens).encode())
        process.stdin.close()
        hostile.append(process)
    most = before
    while any(process.poll() is None for process in hostile):
        most = max(most, rss_mb(pid))
        time.sleep(0.1)
    figures, lasted = honest.figures(), time.monotonic() - began
    spent, waited = cpu_s(pid) - cpu, waited_s(pid, honest.pid) - waited
    total = Done()
    for process in hostile:
        assert process.stdout is not None
        did = json.loads(process.stdout.read())
        total.frames += did["frames"]
        total.connections += did["connections"]
        total.codes.update({int(code): count for code, count in did["codes"].items()})
    time.sleep(CALM_S)
    with log.open("rb") as lines:
        lines.seek(size)
        errors = [
            line
            for line in lines
            if any(word in line for word in (b" ERROR ", b" CRITICAL ", b"Traceback", b'"error"'))
        ]
    for line in errors[:5]:
        print(line.decode(errors="replace").rstrip(), file=sys.stderr)
    return Row(
        server=server,
        what=" + ".join(kinds) if len(kinds) < len(KINDS) else "all together",
        ticks=figures["ticks"],
        missed=max(0, HONEST * int(lasted - 1) - figures["ticks"]),
        p99_ms=figures["p99_ms"],
        max_ms=figures["max_ms"],
        closed=figures["lost"],
        before_mb=round(before, 1),
        grew_mb=round(most - before, 1),
        stayed_mb=round(rss_mb(pid) - before, 1),
        cpu_s=round(spent, 2),
        waited_s=round(waited, 2),
        frames=total.frames,
        connections=total.connections,
        codes=dict(total.codes),
        errors=len(errors),
    )


@contextmanager
def serving(kind: str, port: int, core: int, log: Path) -> Iterator[int]:
    """The pid of a server on a core of its own; its log goes to the file."""
    from benchmarks import rest

    with (
        log.open("wb") as lines,
        rest.server(["serve", "--server", kind], port, core, lines) as pid,
    ):
        yield pid


def run(kind: str, lasting: list[Row]) -> None:
    from benchmarks import rest
    from local.network import free_port

    os.environ.setdefault("LOG_LEVEL", "WARNING")  # not a line for each of the honest
    cores = sorted(os.sched_getaffinity(0))
    with rest.database(), tempfile.TemporaryDirectory() as folder:
        os.environ["SOCKETS_PER_USER"] = str(PER_USER)
        everybody = rest.users(HONEST + 1 + STUCK // PER_USER)
        tokens = [user.token for user in everybody]
        port, log = free_port(), Path(folder) / "log"
        os.sched_setaffinity(0, cores[:-1] or cores)
        with serving(kind, port, cores[-1], log) as pid:
            honest = Honest(port, tokens[:HONEST])
            try:
                time.sleep(CALM_S)
                for kinds in ((), *((each,) for each in KINDS), KINDS):
                    if not kinds:
                        row = _calm(kind, honest, port, pid, log)
                    else:
                        row = measure(kind, kinds, honest, port, pid, tokens[HONEST:], log)
                    lasting.append(row)
                    print(_line(row), flush=True)
            finally:
                honest.stop()
        os.sched_setaffinity(0, cores)


def _calm(kind: str, honest: Honest, port: int, pid: int, log: Path) -> Row:
    """The same without anybody hostile, to compare."""
    from benchmarks.rest import cpu_s

    before, cpu = rss_mb(pid), cpu_s(pid)
    honest.figures()
    waited = waited_s(pid, honest.pid)
    time.sleep(LASTS_S)
    found = honest.figures()
    waited = waited_s(pid, honest.pid) - waited
    return Row(
        kind, "nobody hostile", found["ticks"], 0, found["p99_ms"], found["max_ms"], found["lost"],
        round(before, 1), round(rss_mb(pid) - before, 1), 0.0, round(cpu_s(pid) - cpu, 2),
        round(waited, 2), 0, 0, {},
        0,
    )  # fmt: skip


HEADINGS = (
    "| server | what | ticks | missed | p99 ms | latest ms | closed | MB before | grew | stayed "
    "| CPU s | waited s | frames | connections | closes | errors | goals |\n|" + "---|" * 17
)


def _line(row: Row) -> str:
    closes = ", ".join(f"{code}: {count}" for code, count in sorted(row.codes.items()))
    cells = [*asdict(row).values()]
    cells[14] = closes or "-"
    return "| " + " | ".join(map(str, cells)) + f" | {', '.join(row.misses()) or 'all met'} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood", description=__doc__)
    parser.add_argument("--daphne", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[Row] = []
    print(HEADINGS, flush=True)
    run("daphne" if given.daphne else "uvicorn", rows)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if any(row.misses() for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["listen"]:
        tokens = sys.stdin.readline().split()
        asyncio.run(listen(int(sys.argv[2]), tokens))
    elif sys.argv[1:2] and sys.argv[1] in KINDS:
        os.nice(19)
        told = sys.stdin.read().split()
        print(json.dumps(vars(attack(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), told))))
    else:
        main()
