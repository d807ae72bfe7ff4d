"""The checkout that `./space` belongs to: its folders, its Python, its manage.py."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from local.environment import own_environment, without_foreign
from local.part import guarded, tail_of
from local.problem import Problem
from local.servers import Programs, Servers, lasting_servers, throw_away_servers
from local.venv import Venv


class Checkout:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.space = root / ".space"
        self.log = self.space / "log"
        self.venv = Venv(root)
        try:
            self.space.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Problem(f"{self.space} cannot be made: {error.strerror}.") from error
        if not os.access(self.space, os.W_OK):
            raise Problem(f"{self.space} belongs to another user: remove it, or run as that user.")

    def environment(self) -> dict[str, str]:
        """For our programs, without the addresses of servers that we start."""
        return own_environment(self.root, os.environ)

    def environment_for_tests(self) -> dict[str, str]:
        """The user's own, without the variables of other places. The tests set the rest."""
        return without_foreign(os.environ) | {"DJANGO_SETTINGS_MODULE": "config.settings"}

    def programs(self) -> Programs:
        return Programs.below(self.venv.site_packages)

    def lasting_servers(self) -> AbstractContextManager[Servers]:
        self.fresh_log("postgres")
        self.fresh_log("valkey")
        return lasting_servers(self.space, self.log, self.programs, self.environment())

    def throw_away_servers(self) -> AbstractContextManager[Servers]:
        return throw_away_servers(self.space, self.programs, self.environment())

    def manage_command(self, *arguments: str) -> list[str]:
        return [str(self.venv.python), str(self.root / "manage.py"), *arguments]

    def manage(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command of manage.py quietly; if it fails, say why."""
        log = self.fresh_log(arguments[0])
        with log.open("wb") as output:
            done = subprocess.run(
                guarded(self.manage_command(*arguments)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=self.root,
            )
        if done.returncode != 0:
            tail = "\n".join(f"    {line}" for line in tail_of(log, 20))
            raise Problem(f"manage.py {' '.join(arguments)} failed:\n{tail}")

    def fresh_log(self, name: str) -> Path:
        """An empty log; the one of the run before is kept beside it."""
        self.log.mkdir(parents=True, exist_ok=True)
        log = self.log / f"{name}.log"
        if log.exists():
            log.replace(self.log / f"{name}.log.before")
        return log
