"""The load client where no C compiler is: the options and the output of `load.c`, but slower.

Its own delays count as lateness of the server, so it is for a look, not for figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import selectors
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

IN_FLIGHT = 256
GRACE_S = 1.5
STALLED_BUFFER, STALLED_SEGMENT = 2304, 1460  # bytes; see load.c
MASK = bytes.fromhex("37fa213d")
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
UPPER_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1_000_000)
INSTANT = re.compile(rb'"server_time":"([^"]+)"')
CONNECTING, UPGRADING, JOINING, IN, GONE = range(5)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--port", "--sockets", "--per-session"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--protocol", choices=["space", "plain", "socket.io"], required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--port2", type=int)
    parser.add_argument("--connect-rate", type=float, default=2_000)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--tokens", type=Path)
    parser.add_argument("--epoch")
    parser.add_argument("--since", type=int)
    parser.add_argument("--stall", type=int, default=0)
    return parser.parse_args(arguments)


@dataclass(eq=False, slots=True)
class Client:
    number: int
    socket: socket.socket
    state: int = CONNECTING
    counted: bool = False
    ticks: int = 0
    rest: bytes = b""


@dataclass
class Load:
    given: argparse.Namespace
    clients: list[Client] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    waiting: int = 0
    failed: int = 0
    joined_s: list[float] = field(default_factory=list)
    began: float = 0.0
    window: tuple[float, float] = (0.0, 0.0)  # of CLOCK_REALTIME
    delivered: int = 0
    received: int = 0  # bytes
    late_ms: list[float] = field(default_factory=list)
    closed: dict[int, int] = field(default_factory=dict)

    # -- one socket ----------------------------------------------------------------------------

    def open_one(self) -> None:
        number = len(self.clients)
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if number < self.given.stall:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, STALLED_SEGMENT)
        client = Client(number, made)
        self.clients.append(client)
        self.waiting += 1
        port = self.given.port2 if self.given.port2 and number % 2 else self.given.port
        made.connect_ex(("127.0.0.1", port))
        self.selector.register(made, selectors.EVENT_WRITE, client)

    def connected(self, client: Client) -> None:
        if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.gone(client, 1006)
            return
        self.selector.modify(client.socket, selectors.EVENT_READ, client)
        session = client.number // self.given.per_session
        path = {
            "space": "/ws/",
            "plain": f"/?session={session}",
            "socket.io": f"/socket.io/?EIO=4&transport=websocket&session={session}",
        }[self.given.protocol]
        client.state = UPGRADING
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.given.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        self.send(client, request.encode())

    def send(self, client: Client, data: bytes) -> None:
        with suppress(OSError):
            if client.socket.send(data) == len(data):
                return
        self.gone(client, 1006)

    def send_frame(self, client: Client, opcode: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        masked = bytes(byte ^ MASK[i & 3] for i, byte in enumerate(payload))
        self.send(client, bytes([0x80 | opcode]) + length + MASK + masked)

    def is_in(self, client: Client) -> None:
        client.state = IN
        self.waiting -= 1
        self.joined_s.append(time.monotonic() - self.began)

    def gone(self, client: Client, code: int) -> None:
        if client.state == GONE:
            return
        if client.state != IN:
            self.waiting -= 1
            self.failed += 1
        client.state = GONE
        self.closed[code] = self.closed.get(code, 0) + 1
        with suppress(KeyError):  # it may have stopped reading
            self.selector.unregister(client.socket)
        client.socket.close()

    def upgraded(self, client: Client) -> None:
        client.state = JOINING
        if self.given.protocol == "plain":
            self.is_in(client)
        if self.given.protocol == "space":
            token = self.tokens[client.number // self.given.per_session]
            first = {"type": "authenticate", "token": token, "device": "bench"}
            if self.given.epoch:
                first |= {"epoch": self.given.epoch, "since": self.given.since}
            self.send_frame(client, TEXT, json.dumps(first).encode())

    # -- what comes ----------------------------------------------------------------------------

    def readable(self, client: Client) -> None:
        try:
            data = client.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone(client, 1006)
            return
        self.received += len(data)
        client.rest += data
        if client.state == UPGRADING:
            head, end, rest = client.rest.partition(b"\r\n\r\n")
            if not end:
                return
            if head[9:12] != b"101":
                self.gone(client, 1006)
                return
            client.rest = rest
            self.upgraded(client)
        self.frames(client)

    def frames(self, client: Client) -> None:
        data, at = client.rest, 0
        while client.state != GONE and len(data) - at >= 2:
            size, head = data[at + 1] & 0x7F, 2
            if size > 125:
                head = 4 if size == 126 else 10
                if len(data) - at < head:
                    break
                size = int.from_bytes(data[at + 2 : at + head], "big")
            if len(data) - at < head + size:
                break
            payload = data[at + head : at + head + size]
            opcode = data[at] & 15
            if opcode == TEXT:
                self.text(client, payload)
            elif opcode == PING:
                self.send_frame(client, PONG, payload)
            elif opcode == CLOSE:
                self.gone(client, int.from_bytes(payload[:2], "big") if size >= 2 else 1005)
            at += head + size
        client.rest = data[at:]

    def text(self, client: Client, payload: bytes) -> None:
        if self.given.protocol == "socket.io":
            if payload[:1] == b"0":
                self.send_frame(client, TEXT, b"40")
            elif payload[:1] == b"2":
                self.send_frame(client, TEXT, b"3")
            elif payload[:2] == b"40" and client.state == JOINING:
                self.is_in(client)
        elif client.state == JOINING and b'"ready"' in payload[:64]:
            self.is_in(client)
        if self.window[1] and b"session.tick" in payload[:64]:
            self.tick(client, payload)

    def tick(self, client: Client, payload: bytes) -> None:
        now = time.time()
        since, until = self.window
        self.delivered += now < until
        found = INSTANT.search(payload)
        if found is None:
            return
        due = datetime.fromisoformat(found[1].decode()).timestamp()
        if since <= due < until:
            client.ticks += 1
            self.late_ms.append((now - due) * 1000)

    # -- the course of a run -------------------------------------------------------------------

    def poll(self, timeout: float) -> bool:
        """Whether a line has come on stdin."""
        said = False
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                said = True
            elif key.data.state == CONNECTING:
                self.connected(key.data)
            elif key.data.state != GONE:
                self.readable(key.data)
        return said

    def connect_all(self) -> None:
        given = self.given
        self.began = time.monotonic()
        while len(self.joined_s) + self.failed < given.sockets:
            passed = time.monotonic() - self.began
            if passed > given.patience:
                break
            due = given.sockets if given.connect_rate == 0 else passed * given.connect_rate + 1
            while len(self.clients) < min(due, given.sockets) and (
                given.connect_rate == 0 or self.waiting < IN_FLIGHT
            ):
                self.open_one()
            self.poll(0.001)
        took = time.monotonic() - self.began
        for client in self.clients:
            if client.state != IN:
                self.gone(client, 1006)
        joined = self.joined_s or [0.0]
        told = {
            "seconds": round(took, 3),
            "errors": given.sockets - len(self.joined_s),
            "sockets": len(self.joined_s),
            "first_s": round(joined[0], 3),
            "median_s": round(joined[len(joined) // 2], 3),
            "closed": self.closed,
        }
        print("connected", json.dumps(told), flush=True)

    def wait_for_a_line(self) -> None:
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        while not self.poll(1):
            continue
        if not os.read(0, 64):
            sys.exit(0)
        self.selector.unregister(sys.stdin)

    def measure(self) -> None:
        for client in self.clients:
            stops = client.number < self.given.stall
            client.counted = client.state == IN and not stops
            if client.state == IN and stops:
                self.selector.unregister(client.socket)
        self.closed, self.received = {}, 0
        now = time.time()
        self.window = (now, now + self.given.seconds)
        while time.time() < self.window[1]:
            self.poll(min(0.1, max(0.0, self.window[1] - time.time())))
        print("measured", flush=True)
        while time.time() < self.window[1] + GRACE_S:
            self.poll(0.05)

    def report(self) -> None:
        late = sorted(self.late_ms)
        counted = [client.ticks for client in self.clients if client.counted]
        seconds = int(self.given.seconds)

        def at(q: float) -> float:
            return round(late[int(q * (len(late) - 1))], 3) if late else -1

        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {
            "delivered": self.delivered,
            "expected": len(counted) * seconds,
            "missed": sum(max(0, seconds - ticks) for ticks in counted),
            "ticks": len(late),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "max_ms": at(1),
            "min_ms": at(0),
            "per_socket_min": min(counted, default=0),
            "per_socket_max": max(counted, default=0),
            "bytes": self.received,
            "histogram": histogram(late),
            "closed": self.closed,
            "cut": sum(is_cut(client) for client in self.clients[: self.given.stall]),
            "cpu_s": round(used.ru_utime + used.ru_stime, 3),
        }
        print(json.dumps(told), flush=True)


def histogram(late_ms: list[float]) -> list[list[int]]:
    """How many were below each bound, and not below the one before."""
    found, before = [], 0
    for upper in UPPER_MS:
        below = sum(1 for late in late_ms if late < upper)
        found.append([upper, below - before])
        before = below
    return found


def is_cut(client: Client) -> bool:
    """Whether the server has cut it: who stopped reading finds out when they read again."""
    if client.state == GONE:
        return True
    try:
        while client.socket.recv(1 << 18):
            continue
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def main() -> None:
    given = options(sys.argv[1:])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load(given)
    if given.tokens:
        load.tokens = given.tokens.read_text().split()
    load.connect_all()
    load.wait_for_a_line()
    load.measure()
    load.report()


if __name__ == "__main__":
    main()
