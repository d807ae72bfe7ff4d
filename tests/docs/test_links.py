"""Documents name only what exists: links, headings, files, and names of the code."""

from __future__ import annotations

import fnmatch
import os
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CURRENT = [document for document in DOCUMENTS if document.name != "CHANGELOG.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
ENDINGS = r"py|js|mjs|md|ya?ml|json|toml|txt|in|c|conf|html|css"
FILE = re.compile(rf"(?:[\w.\-]+/)*[\w.\-*]*[\w\-*]\.(?:{ENDINGS})\b")
NAME = re.compile(r"[\w.]+(?:\(.*\))?")  # `turn`, `Session.state()`
GENERATED = re.compile(r"^<!-- Made from .*?^<!-- The end of ", re.MULTILINE | re.DOTALL)
GENERATED_WHOLE = ("benchmarks.md", "reliability.md")
# Made at run time or by its reader, so not in the repository.
NOT_HERE = {".git", ".space", ".venv", ".env", "media", "node_modules", "__pycache__"}
WRITTEN_BY_READERS = {"docker-compose.override.yml", ".space/load/users.json"}
# Names of other programs that our code does not use.
# fmt: off
NOT_OURS = {
    "aclose_old_connections", "archive_command", "archive_mode", "archive_timeout",
    "async_to_sync", "aud", "crun", "gthread", "iss", "pg_basebackup", "podman",
    "setswitchinterval", "synchronous_standby_names", "sys", "tcp_user_timeout", "_ms", "_s",
}
# fmt: on


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The headings, as hosting platforms name them."""
    return {slug(heading) for heading in HEADING.findall(prose(document))}


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@cache
def files() -> frozenset[str]:
    found = []
    for folder, inside, names in os.walk(ROOT):
        inside[:] = [name for name in inside if name not in NOT_HERE and "_cache" not in name]
        found += [str((Path(folder) / name).relative_to(ROOT)) for name in names]
    return frozenset(found)


@cache
def endings() -> frozenset[str]:
    """Every file by its whole path and by each end of it."""
    paths = [Path(name).parts for name in files()]
    return frozenset("/".join(parts[i:]) for parts in paths for i in range(len(parts)))


@cache
def words() -> frozenset[str]:
    """Every word of every file that is no document."""
    sources = (ROOT / name for name in files() if not name.endswith((".md", ".webp", ".pyc")))
    return frozenset(
        word
        for source in sources
        if source.stat().st_size < 2**20
        for word in re.findall(r"\w+", source.read_text(errors="ignore"))
    )


def exists(named: str) -> bool:
    if "*" in named:
        return bool(fnmatch.filter(endings(), named))
    return named in endings() or named in WRITTEN_BY_READERS


def each(documents: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "document", documents, ids=lambda path: str(path.relative_to(ROOT))
    )


@each(DOCUMENTS)
def test_a_link_leads_to_an_existing_file_and_heading(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each(CURRENT)
def test_a_file_or_folder_in_backticks_exists(document: Path) -> None:
    tops = {name.split("/", 1)[0] for name in files() if "/" in name}
    for named in re.findall(r"`([^`\n]+)`", prose(document)):
        for word in named.split():
            if FILE.fullmatch(word.partition("::")[0]):
                assert exists(word.partition("::")[0]), word
        if re.fullmatch(r"[\w.\-]+/[\w.\-/]*", named) and named.split("/", 1)[0] in tops:
            assert (ROOT / named).exists(), named


@each(CURRENT)
def test_a_file_in_a_diagram_exists(document: Path) -> None:
    for language, block in FENCE.findall(document.read_text()):
        if not language:
            for named in re.findall(r"(?:\w+/)*\w+\.(?:py|js)\b", block):
                assert exists(named), named


@each(CURRENT)
def test_a_name_in_backticks_occurs_in_the_code(document: Path) -> None:
    for named in re.findall(r"`([^`\n]+)`", prose(document)):
        if NAME.fullmatch(named) and not FILE.fullmatch(named):
            for word in re.findall(r"[A-Za-z_]\w+", named):
                assert word in words() | NOT_OURS, named


@each(sorted((ROOT / "docs" / "adr").glob("0*.md")))
def test_a_decision_fits_on_one_screen(document: Path) -> None:
    assert len(document.read_text().splitlines()) <= 40


@each([document for document in CURRENT if document.name not in GENERATED_WHOLE])
def test_a_line_has_at_most_120_columns(document: Path) -> None:
    written = GENERATED.sub("", document.read_text())
    written = re.sub(r"`test_\w+\.py::\w+`", "``", written)  # a rename may make it longer
    assert [line for line in written.splitlines() if len(line) > 120] == []


def test_a_message_of_the_log_that_operations_names_is_in_the_code() -> None:
    listed = re.search(
        r"^- In the log: (.*?)^- ", (ROOT / "docs/operations.md").read_text(), re.M | re.S
    )
    assert listed
    code = " ".join(
        (ROOT / name).read_text()
        for name in files()
        if name.endswith(".py") and "tests" not in name
    )
    for message in re.findall(r"`([^`]+)`", listed[1]):
        for part in message.split(" ... "):
            assert part in code, message


def test_a_section_or_decision_that_code_names_exists() -> None:
    decisions = {int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("0*.md")}
    for name in sorted(files()):
        if not name.endswith((".py", ".js", ".yml", ".conf", "Caddyfile", "Dockerfile")):
            continue
        code = (ROOT / name).read_text(errors="ignore")
        for document, section in re.findall(r"(docs/\w+\.md)(?:#|, \")([\w\- ,]+)", code):
            assert slug(section) in anchors(ROOT / document), (name, section)
        assert {int(number) for number in re.findall(r"ADR (\d+)", code)} <= decisions, name
