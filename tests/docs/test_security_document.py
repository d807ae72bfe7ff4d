"""Each claim of docs/security.md names an existing test, and its limits are those of the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from config.variables import NONE, variables

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
TESTS = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", TEXT)))
# Requirements of the standard are the items that begin with the number of one.
ITEM = r"^- \*\*(\d+\.\d+\.\d+)\*\* (.*(?:\n  .*)*)"
STANDARD = TEXT.partition("## The standard")[2].partition("## What is not met")[0]
ROWS = re.findall(ITEM, STANDARD, re.MULTILINE)


@cache
def functions_of(name: str) -> frozenset[str]:
    """The functions and classes of the test files of this name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(
        node.name
        for path in (ROOT / "tests").rglob(name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds)
    )


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in functions_of(file)


def test_many_tests_are_named() -> None:
    assert len(TESTS) >= 50


@pytest.mark.parametrize(("number", "cells"), ROWS, ids=[number for number, _ in ROWS])
def test_each_claimed_requirement_names_a_test_or_a_document(number: str, cells: str) -> None:
    assert re.search(r"`test|\]\(", cells), f"{number} has nothing that shows it"


def test_no_requirement_stands_twice() -> None:
    numbers = [number for number, _ in ROWS]
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) >= 40


def test_every_limit_that_can_be_set_is_in_the_table() -> None:
    limits = [
        variable
        for variable in variables()
        if variable.name.startswith(("LIMIT_", "QUOTA_", "SOCKETS_"))
        or variable.name.endswith("_PER_USER")
    ]
    assert limits
    for variable in limits:
        relaxed = variable.default if variable.development is NONE else variable.development
        row = f"| `{variable.name}` | {variable.default:,} | {relaxed:,} |"
        assert row in TEXT, f"the table has not: {row}"
