"""The promises of docker-compose.yml, read as YAML; `./space check container` runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.variables import variables

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRETS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "TOKEN_SIGNING_KEY"}
HAS_A_DEFAULT = {"HTTPS", "TRUSTED_PROXIES", "SPACE_NETWORK", "SPACE_LISTEN", "SPACE_TAG"}

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def test_there_are_two_servers_and_two_timekeepers():
    commands = [service.get("command") for service in SERVICES.values()]
    assert sum(command is not None and command[0] == "run_timekeeper" for command in commands) == 2
    assert {"db", "redis", "migrate", "server-1", "server-2", "proxy"} <= SERVICES.keys()


def test_no_secret_has_a_default():
    variables = re.findall(r"\$\{([A-Z_]+)(:?[-?])?", TEXT)
    required = {name for name, rule in variables if rule == ":?"}
    assert required > SECRETS
    assert {name for name, rule in variables if rule != ":?"} == HAS_A_DEFAULT


@every_service
def test_a_service_is_not_root_and_can_write_to_nothing_but_its_volumes(service):
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]


@every_service
def test_a_service_has_limits_a_health_check_and_a_rule_to_restart(service):
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    health = service["healthcheck"]
    assert health.get("disable") or health["test"][0] in ("CMD", "CMD-SHELL")
    once = service.get("command", [""])[0] == "migrate"
    assert service["restart"] == ("no" if once else "unless-stopped")


def test_servers_and_timekeepers_wait_for_the_migration():
    for name in ("server-1", "server-2", "timekeeper-1", "timekeeper-2"):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_proxy_can_be_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    reach_out = {name for name, network in COMPOSE["networks"].items() if not network}
    assert reach_out == {"public"}
    assert [n for n, service in SERVICES.items() if "public" in service["networks"]] == ["proxy"]


def test_the_servers_trust_the_address_of_the_proxy():
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
    assert SERVICES["server-1"]["environment"]["FORWARDED_ALLOW_IPS"] == address
    known = {f"{n}:{SERVICES[n]['networks']['front']['ipv4_address']}" for n in SERVERS}
    assert set(SERVICES["proxy"]["extra_hosts"]) == known
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()
    assert all(f"server {name}:8000 " in nginx for name in SERVERS)


def test_all_services_of_space_share_one_image():
    ours = {name: s for name, s in SERVICES.items() if s["image"].startswith("space:")}
    assert len(ours) == 5
    assert [name for name, service in ours.items() if "build" in service] == ["migrate"]


def test_every_variable_that_is_passed_on_is_a_setting():
    declared = {variable.name for variable in variables()}
    assert set(SERVICES["server-1"]["environment"]) <= declared


def test_every_limit_can_be_set():
    kinds = ("LIMIT_", "LOGINS_", "QUOTA_", "SOCKETS_")
    declared = {variable.name for variable in variables()}
    limits = {name for name in declared if name.startswith(kinds)}
    assert limits <= set(SERVICES["server-1"]["environment"])


def test_the_data_of_postgresql_18_is_on_the_volume():
    assert SERVICES["db"]["image"] == "postgres:18"
    assert SERVICES["db"]["volumes"] == ["db:/var/lib/postgresql"]


SERVERS = ("server-1", "server-2")
