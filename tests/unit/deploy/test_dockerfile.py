"""The promises of the Dockerfile; `./space check container` builds and runs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LINES = (ROOT / "Dockerfile").read_text().splitlines()
LAST_STAGE = LINES[max(n for n, line in enumerate(LINES) if line.startswith("FROM ")) :]
ALLOWED = [
    line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
]


def test_the_user_is_a_number_and_not_root():
    users = [line.split()[1] for line in LAST_STAGE if line.startswith("USER ")]
    assert users == ["10001:10001"]


def test_signals_reach_the_server_without_a_shell_in_between():
    commands = [line for line in LAST_STAGE if line.startswith(("CMD ", "ENTRYPOINT "))]
    assert len(commands) == 2
    assert all(line.split(" ", 1)[1].startswith("[") for line in commands)


def test_the_last_stage_only_copies():
    assert not [line for line in LAST_STAGE if line.startswith("RUN ")]


def test_only_pinned_packages_and_wheels_are_installed():
    text = "\n".join(LINES)
    assert "--no-deps --only-binary :all:" in text
    assert "requirements-" not in text


def test_the_base_is_pinned_to_a_minor_version():
    base = next(line for line in LINES if line.startswith("ARG BASE="))
    assert re.search(r"python:3\.\d+-slim-[a-z]+$", base)


def test_the_build_context_has_every_package_that_runs_and_no_other():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    ours = {
        name for name in tools["importlinter"]["root_packages"] if name not in {"local", "tools"}
    }
    served = {"client", "docs/*.md"}  # the page, and the prose at /docs/
    assert set(ALLOWED) == ours | served | {"manage.py", "requirements.txt"}
