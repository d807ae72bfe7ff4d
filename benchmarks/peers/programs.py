"""The peers, and how each is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.compiler import compiled
from benchmarks.peers import npm
from benchmarks.peers.peer import Peer

HERE = Path(__file__).resolve().parent
IN_THE_CHECKOUT = {"PYTHONPATH": str(HERE.parents[1])}  # wherever the harness stands
RAW = HERE / "raw.c"
REDIS = "REDIS"  # stands for its address


def _python(name: str, module: str, *arguments: str) -> Peer:
    def command(port: int, _build_dir: Path, redis_url: str) -> list[str]:
        program = [sys.executable, "-m", f"benchmarks.peers.{module}", str(port)]
        return [*program, *_filled(arguments, redis_url)]

    return Peer(name, command, REDIS in arguments, env=IN_THE_CHECKOUT)


def _node(name: str, script: str, *arguments: str, **more: Any) -> Peer:
    def command(port: int, build_dir: Path, redis_url: str) -> list[str]:
        return ["node", str(build_dir / script), str(port), *_filled(arguments, redis_url)]

    prepared: dict[str, Any] = {"prepare": npm.install, "env": npm.PRODUCTION}
    return Peer(name, command, REDIS in arguments, **prepared, **more)


def _filled(arguments: tuple[str, ...], redis_url: str) -> list[str]:
    return [redis_url if argument == REDIS else argument for argument in arguments]


def _raw(port: int, build_dir: Path, _redis_url: str) -> list[str]:
    return [str(build_dir / RAW.stem), str(port)]


def _compile_raw(build_dir: Path) -> None:
    compiled(RAW, build_dir)


PEERS: list[Peer] = [
    _python("group_send (pub/sub)", "group_send", "pubsub", REDIS),
    _python("group_send (core)", "group_send", "core", REDIS),
    _python("sleep loop per socket", "sleep_loop"),
    _node("Node ws", "ws.mjs"),
    _node("socket.io (no adapter)", "socketio.mjs", protocol="socket.io"),
    _node("socket.io (Redis adapter)", "socketio.mjs", REDIS, protocol="socket.io"),
    _python("websockets.broadcast", "broadcast"),
    Peer("raw C", _raw, prepare=_compile_raw),
]
