"""pip inside a build finds packages as pip here does: by the report of `pip config list`.

Settings go in as a secret of the build, and folders that they name as read-only volumes of it:
nothing of this machine gets into the image.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.pip import SOURCES, without_other_places
from tools.container.commands import output_of

LINE = re.compile(r"([^=]+)\.([a-z-]+)=(.*)")


def read(python: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Where packages come from, by the names that pip.conf has for it."""
    output = output_of([python, "-m", "pip", "config", "list"], without_other_places(environment))
    return parse(output)


def parse(output: str) -> dict[str, str]:
    """The lines are sorted, with those of the environment (`:env:`) first; they win."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        match = LINE.fullmatch(line)
        if match and match[2].upper().replace("-", "_") in SOURCES - {"CONFIG_FILE", "CACHE_DIR"}:
            found.setdefault(match[2], " ".join(str(ast.literal_eval(match[3])).split()))
    return found


def as_file(settings: Mapping[str, str]) -> str:
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def folders(settings: Mapping[str, str]) -> Iterable[Path]:
    """Files and folders that the settings name. An index by file: links to the files beside it."""
    words = (word for value in settings.values() for word in value.split())
    named = {
        Path(word.removeprefix("file://")).parent if word.startswith("file://") else Path(word)
        for word in words
        if word.startswith(("/", "file:///"))
    }
    return sorted(path for path in named if path.exists() and path != Path("/"))
