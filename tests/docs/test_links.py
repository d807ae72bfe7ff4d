"""What documents point at is there: files, headings, and paths that are named in passing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
# Made at run time or by its reader, so not in the repository.
NOT_HERE = (".space", ".venv", ".env", "media")
# The history names paths of its time.
PRESENT = [document for document in DOCUMENTS if document.name != "CHANGELOG.md"]


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The headings, as hosting platforms name them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(prose(document))
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", PRESENT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_path_that_is_named_is_there(document: Path) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in NOT_HERE}
    for named in re.findall(r"`([\w.\-]+/[\w.\-/*]*)`", prose(document)):
        top = named.split("/", 1)[0]
        if top in tops:
            assert any(ROOT.glob(named.rstrip("/"))), named
