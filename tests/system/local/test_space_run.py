"""`./space run` as its user sees it: real servers, a stand-in for manage.py."""

import os
import signal
import socket
import stat

import httpx
import pytest

from local.part import wait_for
from tests.system.local.conftest import TIMEOUT_S
from tools.container.needs import CANNOT_RUN_HERE


def test_a_stopped_run_leaves_no_process_behind(place):
    process = place.start()
    state = place.state()
    assert set(state["processes"]) == {"PostgreSQL", "Valkey", "server", "timekeeper"}
    assert httpx.get(state["address"] + "/readyz").status_code == 200

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert place.processes() == []
    assert place.space("env").returncode == 1


def test_a_killed_run_leaves_no_process_and_the_next_one_starts(place):
    process = place.start()
    process.kill()
    process.wait()
    assert wait_for(lambda: place.processes() == [], TIMEOUT_S)

    place.start()


def test_a_process_that_dies_is_started_again(place):
    place.start()
    before = set(place.state()["processes"].values())
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    assert wait_for(lambda: before.isdisjoint(place.state()["processes"].values()), TIMEOUT_S)


def test_a_second_run_says_where_the_first_one_is(place):
    place.start()
    second = place.space("run")
    assert second.returncode == 1
    assert place.state()["address"] in second.stderr


def test_another_process_gets_the_addresses_and_secrets(place):
    place.start()
    lines = place.space("env").stdout.splitlines()
    shown = dict(line.split("=", 1) for line in lines)
    assert shown.keys() >= {"SECRET_KEY", "TOKEN_SIGNING_KEY", "SPACE_ENV", "PUBLIC_URL"}
    addresses = f"{shown['DATABASE_URL']} {shown['REDIS_URL']}\n"
    assert place.space("manage", "addresses").stdout == addresses


def test_only_the_owner_can_read_the_secrets(place):
    place.start()
    for name in ("run.json", "secrets.json", "valkey/valkey.conf", "postgres/password"):
        assert stat.S_IMODE((place.root / ".space" / name).stat().st_mode) == 0o600


def test_a_taken_port_is_said_before_the_slow_steps(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = place.space("run", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr
    assert done.stdout == ""


def test_a_failed_migration_says_why_and_stops_the_servers(place):
    (place.root / "migrate-fails").touch()
    done = place.space("run", "--port", "0")
    (place.root / "migrate-fails").unlink()
    assert done.returncode == 1
    assert "a migration is broken" in done.stderr
    assert place.processes() == []


def test_manage_starts_servers_for_itself_if_none_are_running(place):
    shown = place.space("manage", "addresses").stdout
    assert shown.startswith("postgres://space:")
    assert place.processes() == []


def test_given_servers_are_used_instead(place):
    given = {"DATABASE_URL": "postgres://a@db/space", "REDIS_URL": "redis://cache/0"}
    shown = place.space("manage", "addresses", **given).stdout
    assert shown == "postgres://a@db/space redis://cache/0\n"


def test_demo_starts_servers_for_itself_if_none_are_running_and_migrates_them(place):
    done = place.space("demo", "--months", "3", "--user=lin")
    assert "Migrating the database" in done.stdout
    assert "demo got: --months 3 --user=lin" in done.stdout
    assert place.processes() == []


def test_demo_uses_the_servers_that_are_running(place):
    place.start()
    done = place.space("demo")
    assert done.stdout.startswith("demo got:")
    assert place.state()["address"] in done.stdout


def test_a_machine_that_cannot_check_the_image_gets_an_exit_code_of_its_own(place):
    place.environment["PATH"] = "/nowhere"
    done = place.space("check", "container")
    assert done.returncode == CANNOT_RUN_HERE
    assert "needs buildah" in done.stderr


@pytest.mark.parametrize(
    "command", [[], ["run"], ["test"], ["check"], ["env"], ["manage"], ["demo"]]
)
def test_each_command_has_help(place, command):
    assert "usage: ./space" in place.space(*command, "--help").stdout
