"""The environment of the programs that we start.

The user's environment wins over `.env`, and `.env` over the values made here.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

# Other places' Python, packages, Django project and PostgreSQL must not leak into ours.
FOREIGN = {
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONOPTIMIZE", "PYTHONUSERBASE"),
    "PYTHONDONTWRITEBYTECODE",  # the packages are installed uncompiled: the first start does it
    *("PYTHONSTARTUP", "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR", "__PYVENV_LAUNCHER__"),
    *("VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"),
}
# The variables by which a second process works on the same data as the first.
SHARED = (
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "TOKEN_SIGNING_KEY", "SPACE_ENV", "PUBLIC_URL"),
    *("DJANGO_SETTINGS_MODULE", "CHANNEL_PREFIX", "MEDIA_ROOT"),
)
SERVERS = ("DATABASE_URL", "REDIS_URL")
SECRETS = ("SECRET_KEY", "TOKEN_SIGNING_KEY")


def own_environment(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment for our programs, as far as it is known without servers."""
    found = {
        "SPACE_ENV": "development",
        "PYTHONUNBUFFERED": "1",
        **_secrets(root / ".space" / "secrets.json"),
        **read_dotenv(root / ".env"),
        **given,
    }
    return without_foreign(found) | {"DJANGO_SETTINGS_MODULE": "config.settings"}


def without_foreign(given: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables of other places.

    PGSSLMODE and the like are for the user's PostgreSQL: they stay only if that is used.
    """
    ours = not given.get("DATABASE_URL")
    return {
        name: value
        for name, value in given.items()
        if name not in FOREIGN and not (ours and name.startswith("PG"))
    }


def settings_for_tests(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that the settings need. The tests take only the servers from `.env`."""
    dotenv = read_dotenv(root / ".env")
    defaults = {"SPACE_ENV": "development"}
    defaults |= {name: secrets.token_urlsafe(48) for name in SECRETS}
    defaults |= {name: dotenv[name] for name in SERVERS if name in dotenv}
    return {name: given.get(name) or value for name, value in defaults.items()}


def read_dotenv(file: Path) -> dict[str, str]:
    """The names and values of a `.env` file."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and not name.startswith("#"):
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def _secrets(file: Path) -> dict[str, str]:
    """Random, made once, readable by their owner only."""
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if not known.keys() >= set(SECRETS):
        known = {name: secrets.token_urlsafe(48) for name in SECRETS} | known
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(known, indent=2))
    return known
