"""Measures what hostile sockets cost the others: honest ticks, memory, and errors in the log.

    python -m benchmarks.flood                     two minutes; starts servers of its own (Linux)
    python -m benchmarks.flood --daphne            the same on Daphne
    python -m benchmarks.flood --json FILE         writes the rows as well

Fifty honest sockets receive the ticks of their sessions. Beside them are, for ten seconds each: one
client that sends 5,000 frames a second and reconnects whenever it is closed; 500 sockets that never
authenticate, each opened again when it is closed; 50 that authenticate and never read; then all of
them. The server has one core and everything else the other. The hostile clients have the lowest
priority and need little CPU: raw sockets, and frames that are made beforehand.
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
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bench import client
from benchmarks.bench.machine import cpu_s, memory_kb
from benchmarks.bench.space import ROOT, Stage, lone_stage

HONEST, SILENT, STUCK, PER_USER = 50, 500, 50, 10
FRAMES_PER_S = 5_000
LASTS_S, CALM_S = 10, 8
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


# -- hostile clients ------------------------------------------------------------------------------


@dataclass
class Done:
    """What hostile clients did, and the codes with which they were closed (0: cut)."""

    frames: int = 0
    connections: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    def ended(self, received: bytes) -> None:
        """Counts the close frame at the end of the bytes that were received."""
        at = received.rfind(b"\x88")
        code = int.from_bytes(received[at + 2 : at + 4]) if at >= 0 else 0
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
    received, waiting, at = b"", b"", time.monotonic()
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
            received = (received + data)[-4096:]
            if not data or b"\x88" in received[max(0, received.rfind(b'"closing"')) :]:
                done.ended(received)
                return
        if writable:
            try:
                waiting = waiting[tcp.send(waiting) :]
            except OSError:
                done.ended(received)
                return


class _Silent(asyncio.Protocol):
    """A socket that sends nothing after its handshake, and reconnects when it is closed."""

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


# -- measuring -----------------------------------------------------------------------------------


@dataclass
class Row:
    """The state of the honest sockets and of the server meanwhile."""

    server: str
    what: str
    ticks: int
    missed: int  # ticks that should have arrived and did not
    p99_ms: float
    max_ms: float
    closed: int  # honest sockets
    before_mb: float
    grew_mb: float  # at most, meanwhile
    stayed_mb: float  # some seconds later
    cpu_s: float  # of the server, meanwhile
    waited_s: float  # by server and load client for a core that others had: makes ticks late
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


def _start(kind: str, port: int, tokens: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.flood", kind, str(port), str(LASTS_S)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(" ".join(tokens))
    process.stdin.close()
    return process


def measure(
    made: Stage, program: Path, server: str, kinds: tuple[str, ...], port: int, pid: int, log: Path
) -> Row:
    """The honest sockets, with these hostile clients beside them. Without any: to compare."""
    hostile_tokens = made.tokens()[HONEST : HONEST + 1 + STUCK // PER_USER]
    size, before_kb, cpu = log.stat().st_size, memory_kb(pid), cpu_s(pid)
    with client.load(
        program,
        port=port,
        protocol="space",
        sockets=HONEST,
        per_session=1,
        seconds=LASTS_S,
        tokens=made.tokens_file,
    ) as honest:
        honest.connected()
        waited = waited_s(pid, honest.pid)
        honest.begin()
        hostile = [_start(kind, port, hostile_tokens) for kind in kinds]
        most_kb, until = before_kb, time.monotonic() + LASTS_S
        while time.monotonic() < until or any(process.poll() is None for process in hostile):
            most_kb = max(most_kb, memory_kb(pid))
            time.sleep(0.1)
        honest.measured(LASTS_S)
        spent, waited = cpu_s(pid) - cpu, waited_s(pid, honest.pid) - waited
        ticks = honest.report()
    total = Done()
    for process in hostile:
        assert process.stdout is not None
        did = json.loads(process.stdout.read())
        total.frames += did["frames"]
        total.connections += did["connections"]
        total.codes.update({int(code): count for code, count in did["codes"].items()})
    time.sleep(CALM_S)
    return Row(
        server=server,
        what={0: "no hostile client", len(KINDS): "all together"}.get(len(kinds), "".join(kinds)),
        ticks=ticks["ticks"],
        missed=ticks["missed"],
        p99_ms=ticks["p99_ms"],
        max_ms=ticks["max_ms"],
        closed=sum(ticks["closed"].values()),
        before_mb=round(before_kb / 1024, 1),
        grew_mb=round((most_kb - before_kb) / 1024, 1),
        stayed_mb=round((memory_kb(pid) - before_kb) / 1024, 1),
        cpu_s=round(spent, 2),
        waited_s=round(waited, 2),
        frames=total.frames,
        connections=total.connections,
        codes=dict(total.codes),
        errors=_errors(log, size),
    )


def _errors(log: Path, start: int) -> int:
    """Counts the errors in the log from this position on, and shows the first ones."""
    words = (b" ERROR ", b" CRITICAL ", b"Traceback", b'"error"')
    lines = log.read_bytes()[start:].splitlines()
    errors = [line for line in lines if any(word in line for word in words)]
    for line in errors[:5]:
        print(line.decode(errors="replace"), file=sys.stderr)
    return len(errors)


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
    server = "daphne" if given.daphne else "uvicorn"
    rows: list[Row] = []
    with lone_stage(users=0) as made:
        program = client.build(made.home)
        with made.serve(server, SOCKETS_PER_USER=str(PER_USER)) as (part, port):
            assert part.pid is not None
            print(HEADINGS, flush=True)
            for kinds in ((), *((each,) for each in KINDS), KINDS):
                rows.append(measure(made, program, server, kinds, port, part.pid, part.log))
                print(_line(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if any(row.misses() for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in KINDS:
        os.nice(19)
        given_tokens = sys.stdin.read().split()
        did = attack(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), given_tokens)
        print(json.dumps(vars(did)))
    else:
        main()
