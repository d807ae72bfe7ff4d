"""The steps of `./space test` and `./space check`."""

from __future__ import annotations

import os
import sys

import pytest

from local.steps import Step, Steps


def python(code: str, *, quiet: bool = False) -> Step:
    return Step(code, [sys.executable, "-c", code], quiet=quiet)


def test_a_failed_step_keeps_no_other_from_running_and_gives_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = Steps()
    codes = [steps.run(python(f"exit({code})"), os.environ) for code in (0, 5, 0, 3)]
    assert (codes, steps.summary()) == ([0, 5, 0, 3], 5)
    summary = capsys.readouterr().out.partition("Summary\n")[2].splitlines()
    assert [line.split()[0] for line in summary] == ["ok", "FAILED", "ok", "FAILED"]


def test_a_step_that_is_stopped_by_a_signal_stops_the_command() -> None:
    with pytest.raises(KeyboardInterrupt):
        Steps().run(python("import os; os.kill(os.getpid(), 15)"), os.environ)


def test_a_quiet_step_shows_its_output_only_if_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    steps.run(python("print(6 * 7)", quiet=True), os.environ)
    assert "42" not in capsys.readouterr().out
    steps.run(python("exit(print(6 * 7) or 1)", quiet=True), os.environ)
    assert "42" in capsys.readouterr().out
