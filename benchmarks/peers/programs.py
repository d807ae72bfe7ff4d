"""The peers, and how each is started."""

from __future__ import annotations

from pathlib import Path

from benchmarks.compiler import compiled
from benchmarks.peers import npm
from benchmarks.peers.peer import Command, Peer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RAW = HERE / "raw.c"
IN_THE_CHECKOUT = {"PYTHONPATH": str(ROOT)}  # wherever the harness stands


def _python(module: str, *arguments: str) -> Command:
    def command(port: int, python: str, _node: Path, redis_url: str, _build: Path) -> list[str]:
        filled = [redis_url if argument == "REDIS" else argument for argument in arguments]
        return [python, "-m", f"benchmarks.peers.{module}", str(port), *filled]

    return command


def _node(script: str, *arguments: str) -> Command:
    def command(port: int, _python: str, node_dir: Path, redis_url: str, _build: Path) -> list[str]:
        filled = [redis_url if argument == "REDIS" else argument for argument in arguments]
        return ["node", str(node_dir / script), str(port), *filled]

    return command


def _compile_raw(build_dir: Path) -> None:
    compiled(RAW, build_dir)


def _raw(port: int, _python: str, _node: Path, _redis_url: str, build_dir: Path) -> list[str]:
    return [str(build_dir / RAW.stem), str(port)]


PEERS: list[Peer] = [
    Peer(
        "group_send (pub/sub)",
        _python("group_send", "pubsub", "REDIS"),
        needs=("redis",),
        env=IN_THE_CHECKOUT,
    ),
    Peer(
        "group_send (core)",
        _python("group_send", "core", "REDIS"),
        needs=("redis",),
        env=IN_THE_CHECKOUT,
    ),
    Peer("sleep loop per socket", _python("sleep_loop"), env=IN_THE_CHECKOUT),
    Peer("Node ws", _node("ws.mjs"), needs=("node",), prepare=npm.install, env=npm.PRODUCTION),
    Peer(
        "socket.io (no adapter)",
        _node("socketio.mjs"),
        needs=("node",),
        protocol="socket.io",
        prepare=npm.install,
        env=npm.PRODUCTION,
    ),
    Peer(
        "socket.io (Redis adapter)",
        _node("socketio.mjs", "REDIS"),
        needs=("node", "redis"),
        protocol="socket.io",
        prepare=npm.install,
        env=npm.PRODUCTION,
    ),
    Peer("websockets.broadcast", _python("broadcast"), env=IN_THE_CHECKOUT),
    Peer("raw C", _raw, needs=("cc",), prepare=_compile_raw),
]
