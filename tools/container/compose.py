"""docker-compose.yml, read by Docker Compose itself: its binary needs no engine for that."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.environment import read_dotenv
from tools.container.commands import attempt, must, output_of

SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "TOKEN_SIGNING_KEY")
REQUIRED = (*SECRETS, "PUBLIC_URL", "ALLOWED_HOSTS")


class Compose:
    def __init__(self, root: Path, site_packages: Path, home: Path) -> None:
        self.root = root
        self.home = home
        # Not the wheel's script: that one answers 0 whatever comes.
        self.program = site_packages / "compose" / "docker-compose"

    def new_env(self) -> dict[str, str]:
        """The variables that `deploy/new-env` writes; it writes to another folder here."""
        (self.home / "deploy").mkdir(parents=True, exist_ok=True)
        script = self.home / "deploy" / "new-env"
        script.write_bytes((self.root / "deploy" / "new-env").read_bytes())
        (self.home / ".env").unlink(missing_ok=True)
        output_of(["sh", script])
        return read_dotenv(self.home / ".env")

    def read(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The whole file with every variable replaced. Raises `Problem` if it is not valid."""
        read: dict[str, Any] = json.loads(output_of(self._config("--format", "json"), given))
        return read

    def check_that_each_is_required(self, given: Mapping[str, str]) -> None:
        """Without any one of them compose must refuse, and name it."""
        for name in REQUIRED:
            without = {key: value for key, value in given.items() if key != name}
            done = attempt(self._config("--quiet"), without)
            refused = done.returncode != 0 and f"{name} is missing" in done.stderr
            must(refused, f"Compose does not refuse to start without {name}:\n{done.stderr}")

    def _config(self, *options: str) -> list[str | Path]:
        file = self.root / "docker-compose.yml"
        nothing = "/dev/null"  # not the .env of this checkout
        return [self.program, "--env-file", nothing, "--file", file, "config", *options]
