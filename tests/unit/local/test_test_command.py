"""Which tests `./space test` runs, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import tests
from local.tests import DAILY, GENERATED, MORE_EXAMPLES, REST, WITH_PSYCOPG2, Request, left_out

ROOT = Path(__file__).resolve().parents[3]
JOURNEY = "tests/system/test_two_devices.py"


def request(*arguments: str, here: Path = ROOT) -> Request:
    return Request.of(arguments, here, ROOT)


def commands(*arguments: str) -> dict[str, list[str]]:
    """The arguments of pytest, or the files for Node, by the name of the step."""
    steps = tests.steps(request(*arguments), ROOT, Path("python"))
    return {step.name: list(step.command[3:]) for step in steps}


@pytest.fixture(autouse=True)
def _node_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.shutil, "which", lambda name: f"/bin/{name}")


def test_the_daily_run_has_three_tiers_one_journey_and_the_logic_of_the_page() -> None:
    daily = commands("-x")
    assert list(daily) == ["logic of the page", "tests"]
    assert daily["tests"][0] == "-n"
    assert daily["tests"][2:] == [*DAILY, JOURNEY, "-x"]


def test_the_rest_is_what_all_runs_and_the_daily_run_does_not() -> None:
    rest, everything = commands("--rest"), commands("--all")
    assert list(rest) == ["tests", "generated tests", "tests with psycopg2"]
    assert rest["tests"][2:] == [MORE_EXAMPLES, *REST, f"--ignore={JOURNEY}"]
    assert rest["generated tests"][2:] == [MORE_EXAMPLES, *DAILY, "-m", GENERATED]
    assert list(everything) == ["logic of the page", "tests", "tests with psycopg2"]
    assert everything["tests"][2:] == [MORE_EXAMPLES, *DAILY, *REST]
    assert rest["tests with psycopg2"] == everything["tests with psycopg2"]


def test_every_folder_with_tests_belongs_to_a_tier() -> None:
    folders = {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in _test_files()}
    assert folders == {*DAILY, *REST}
    assert all((ROOT / file).is_file() for file in WITH_PSYCOPG2)


def test_a_named_test_runs_alone_and_without_workers() -> None:
    named = request("tests/hostile/test_rest_bodies.py::test_it", "-x")
    assert (named.chosen, named.options(), named.paths(ROOT)) == (True, [], [])
    elsewhere = request("test_countdown.py", here=ROOT / "tests" / "unit" / "sessions_app")
    assert elsewhere.arguments == [f"{ROOT}/tests/unit/sessions_app/test_countdown.py"]


@pytest.mark.parametrize("choice", ["-kpause", "--lf", "--co"])
def test_an_option_that_chooses_does_so_from_every_tier(choice: str) -> None:
    assert request(choice).chosen
    assert request(choice).paths(ROOT) == [*DAILY, *REST]
    assert request(choice, "--rest").paths(ROOT) == commands("--rest")["tests"][3:]


@pytest.mark.parametrize("option", ["-n2", "--numprocesses=2", "--pdb", "-s"])
def test_options_that_rule_out_workers_add_none(option: str) -> None:
    assert request(option).options() == []
    assert request("--color=no", "--tb=short").options()[0] == "-n"


def test_a_run_says_in_one_line_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(tier in left_out(request()) for tier in (*REST, "--rest", "--all"))
    assert "\n" not in left_out(request())
    assert left_out(request("--all")) == ""
    monkeypatch.setattr(tests.shutil, "which", lambda _: None)
    assert "tests/client" in left_out(request("--all"))
    assert list(commands()) == ["tests"]


def _test_files() -> list[Path]:
    return list((ROOT / "tests").rglob("test_*.py"))
