"""When `.venv` is made, filled, or replaced. Nothing is really installed here."""

import json
from pathlib import Path

import pytest

from local import pip, venv
from local.problem import Problem
from local.venv import Venv

ROOT = Path(__file__).resolve().parents[3]
PINS = "django==5.2.19\ncbor2==5.9.0 ; implementation == 'PyPy'  # slower\n"


@pytest.fixture
def installed(monkeypatch):
    """The pins that each installation was asked for."""
    calls = []
    monkeypatch.setattr(pip, "install", lambda pins, *_: calls.append(pins))
    return calls


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "requirements.txt").write_text(PINS)
    return tmp_path


def ensure(checkout):
    Venv(checkout).ensure(["requirements.txt"], {})


def test_the_packages_are_installed_once(checkout, installed):
    ensure(checkout)
    ensure(checkout)
    assert installed == [["cbor2==5.9.0 ; implementation == 'PyPy'", "django==5.2.19"]]


def test_a_changed_pin_is_installed_and_the_others_stay(checkout, installed):
    ensure(checkout)
    (checkout / "requirements.txt").write_text(PINS.replace("5.2.19", "5.2.20"))
    ensure(checkout)
    ensure(checkout)
    assert installed[1:] == [["django==5.2.20"]]


def test_an_interrupted_installation_starts_again(checkout, installed, monkeypatch):
    def interrupted(pins, python, _):
        (Venv(checkout).site_packages / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pip, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ensure(checkout)
    ensure(checkout)
    assert len(installed) == 1
    assert not (Venv(checkout).site_packages / "half").exists()


def test_an_unreachable_registry_keeps_the_installed_packages(checkout, installed, monkeypatch):
    def unreachable(*_):
        raise Problem("no network")

    ensure(checkout)
    (checkout / "requirements.txt").write_text(PINS.replace("5.2.19", "5.2.20"))
    with monkeypatch.context() as patch:
        patch.setattr(pip, "install", unreachable)
        with pytest.raises(Problem, match="no network"):
            ensure(checkout)
    (checkout / "requirements.txt").write_text(PINS)
    ensure(checkout)
    assert len(installed) == 1


@pytest.mark.parametrize("change", [{"python": "3.5"}, {"folder": "/elsewhere/.venv"}])
def test_another_python_or_a_moved_checkout_replaces_it(checkout, installed, change):
    ensure(checkout)
    stamp = checkout / ".venv" / "space-stamp.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | change))
    ensure(checkout)
    assert len(installed) == 2


def test_settings_of_another_project_do_not_reach_pip():
    given = {"PIP_TARGET": "/x", "PIP_INDEX_URL": "https://index.example", "PYTHONPATH": "/y"}
    assert pip.without_other_places(given) == {"PIP_INDEX_URL": "https://index.example"}


def test_the_files_of_this_checkout_are_pinned():
    for files in (venv.RUN, venv.TEST, venv.DEVELOP):
        assert all("==" in pin for file in files for pin in venv.pins(ROOT / file))
