"""The parts of `./space check container` that need neither root nor buildah."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.problem import Problem
from tools.container import needs, pip_config
from tools.container.buildah import base_of
from tools.container.needs import Need

ROOT = Path(__file__).resolve().parents[3]
# Put together here, so that a search for committed settings of pip finds none.
INDEX = "-".join(("index", "url"))
HERE = Need("here", lambda: True, "")
AWAY = Need("buildah", lambda: False, "apt install buildah")
SPARE = Need("caddy", lambda: False, "apt install caddy", required=False)


def test_a_machine_that_meets_every_need_gets_no_message(capsys):
    assert not needs.unmet([HERE])
    assert capsys.readouterr().err == ""


def test_a_missing_program_is_named_with_the_way_to_install_it(capsys):
    assert needs.unmet([HERE, AWAY])
    assert "needs buildah: apt install buildah" in capsys.readouterr().err


def test_a_missing_proxy_only_leaves_its_step_out(capsys):
    assert not needs.unmet([SPARE])
    assert "runs without caddy" in capsys.readouterr().err


def test_the_environment_wins_over_the_files_of_pip():
    output = ":env:.find-links='/one'\nglobal.find-links='/two'\nglobal.cert='/c.pem'"
    assert pip_config.parse(output) == {"find-links": "/one", "cert": "/c.pem"}


def test_only_the_sources_of_packages_get_into_a_build():
    output = f"global.{INDEX}='https://index.example/simple'\nglobal.target='/x'\ninstall.user='1'"
    assert pip_config.parse(output) == {INDEX: "https://index.example/simple"}


def test_several_values_become_one_line():
    settings = pip_config.parse(f"global.extra-{INDEX}='https://a.example\\nhttps://b.example'")
    assert pip_config.as_file(settings).splitlines()[1:] == [
        f"extra-{INDEX} = https://a.example https://b.example"
    ]


def test_the_folders_in_pips_settings_are_found(tmp_path):
    (tmp_path / "index" / "simple").mkdir(parents=True)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    settings = {
        f"extra-{INDEX}": f"file://{tmp_path}/index/simple https://index.example",
        "find-links": f"{wheels} /not/there",
    }
    assert pip_config.folders(settings) == [tmp_path / "index", wheels]


def test_the_base_is_the_one_that_the_dockerfile_names(tmp_path):
    python, release = base_of(ROOT / "Dockerfile")
    assert python.startswith("3.")
    assert release.isalpha()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(Problem, match="ARG BASE"):
        base_of(tmp_path / "Dockerfile")
