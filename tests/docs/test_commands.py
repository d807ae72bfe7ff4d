"""Commands in documents work: they are run here, or are on the list of those run by hand.

A command stands in a fence marked `sh`. Three kinds are known:

    ./space ..., manage.py ...    parsed here by the parser that would get it
    blocks with curl              run as they stand, against a server of the tests
    the rest                      BY_HAND, with where or how it was run
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError

from local import commands as space
from tests.support.servers import Server

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("./space", "curl", "docker", "git ", "python", "deploy/", "pip ")

# What no test runs as it stands. A new command is run by its author first.
BY_HAND = {
    # tests/system/test_published_clients.py runs the client with other arguments.
    '.venv/bin/python docs/clients/client.py $SPACE $NAME "a long walk at dusk"',
    # tests/app/sessions_app/test_after_restore.py
    "python manage.py after_restore",
    # tests/system/deploy/test_new_env.py
    "deploy/new-env",
    "deploy/new-env https://space.example",
    "git pull",
}
# There is no Docker where this is developed: deploy.md says what was tried instead.
NOT_RUN = ("docker compose ",)


def fences(document: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(document.read_text()) if kind == language]


def blocks() -> Iterator[tuple[str, str]]:
    """Each block of commands, with where it stands."""
    for document in DOCUMENTS:
        for number, block in enumerate(fences(document, "sh")):
            yield f"{document.relative_to(ROOT)}-{number}", block


def lines(block: str) -> Iterator[str]:
    """The commands of a block: continued lines joined, comments gone."""
    for line in block.replace("\\\n", " ").splitlines():
        command = re.sub(r"\s+# .*|^#.*", "", line).strip()
        if command:
            yield command


BLOCKS = list(blocks())
TO_PARSE = [
    pytest.param(line, id=f"{where}: {line}")
    for where, block in BLOCKS
    for line in lines(block)
    if "curl" not in block and line not in BY_HAND and not line.startswith(NOT_RUN)
]
TO_RUN = [pytest.param(block, id=where) for where, block in BLOCKS if "curl" in block]
IN_TEXT = sorted(
    {
        " ".join(command.split())
        for document in DOCUMENTS
        for command in re.findall(
            r"`((?:\./space|python manage\.py) [^`]+)`", FENCE.sub("", document.read_text())
        )
        if "..." not in command and "|" not in command
    }
)


def understood(command: str) -> bool:
    """Whether the program that would get this line takes it."""
    words = shlex.split(command)
    if words[:2] == ["python", "manage.py"]:
        return _manage(words[2:])
    if words[0] != "./space":
        return False
    if words[1] == "manage":
        return _manage(words[2:])
    if words[1] == "test":  # the rest is pytest's
        return all((ROOT / word).exists() for word in words[2:] if word.startswith("tests/"))
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            space._parse(["1" if word == "N" else word for word in words[1:]])
    except SystemExit as stopped:
        return stopped.code == 0  # --help
    return True


def _manage(words: list[str]) -> bool:
    name, *arguments = words
    app = get_commands().get(name)
    if app is None:
        return False
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    parser.called_from_command_line = False  # so it raises
    try:
        parser.parse_args(arguments)
    except CommandError:
        return False
    return True


@pytest.mark.parametrize("command", TO_PARSE)
def test_a_command_is_accepted_by_its_program_or_was_run_by_hand(command: str) -> None:
    assert understood(command)


@pytest.mark.parametrize("command", IN_TEXT)
def test_a_command_in_a_sentence_is_accepted_by_its_program(command: str) -> None:
    assert understood(command)


@pytest.mark.parametrize(
    "command", ["./space fly", "./space run --fast", "rm -rf /", "./space manage fly"]
)
def test_an_unknown_command_is_noticed(command: str) -> None:
    assert not understood(command)


@pytest.mark.parametrize("block", TO_RUN)
def test_a_block_with_curl_runs_as_it_stands(block: str, one: Server, tmp_path: Path) -> None:
    script = block.replace("http://127.0.0.1:8000", one.base)
    assert one.base in script, "the block says where the server is"
    script = script.replace("curl -s", "curl -s --fail-with-body")
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout


def test_some_blocks_are_run() -> None:
    assert TO_RUN
    assert len(TO_PARSE) > 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_fence_with_commands_is_marked_sh(document: Path) -> None:
    for block in fences(document, ""):
        for line in block.splitlines():
            assert not line.startswith(PROGRAMS), f"mark the fence of {line!r} as sh"


def test_each_command_run_by_hand_is_still_in_a_document() -> None:
    known = {line for _, block in BLOCKS for line in lines(block)}
    assert known >= BY_HAND
