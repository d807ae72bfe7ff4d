"""The dashboard and the alerts use metrics that exist, and link to headings that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.metrics import families

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
# Made by Prometheus itself, or by the library's ProcessCollector.
_OTHERS = {
    *("up", "process_cpu_seconds_total", "process_resident_memory_bytes"),
    *("process_open_fds", "process_max_fds"),
}
_HISTOGRAM = ("_bucket", "_count", "_sum")
_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": _HISTOGRAM,
    "summary": ("_count", "_sum"),
}


ROLES: tuple[families.Role, ...] = ("server", "timekeeper")
FAMILIES = {family.name: family for role in ROLES for family in families.all_of(role)}


def existing() -> set[str]:
    return {name + end for name, family in FAMILIES.items() for end in _SUFFIXES[family.type]}


def used_by(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:space|process)_\w+|\bup\b", re.sub(r'"[^"]*"', "", expression)))


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for rule in RULES:
        yield rule["expr"]


def test_every_metric_that_is_used_exists() -> None:
    asked = set().union(*map(used_by, expressions()))
    assert asked - existing() - _OTHERS == set()
    assert len(asked) > 40


def test_the_dashboard_shows_every_metric() -> None:
    """A metric that no panel or alert uses need not be counted."""
    shown = set().union(*map(used_by, expressions()))
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in existing()}
    assert bases - {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} == set()


def test_every_bucket_that_is_used_exists() -> None:
    for expression in expressions():
        for name, bound in re.findall(r'(space_\w+)_bucket\{[^}]*le="([\d.]+)"', expression):
            assert bound in {sample.labels.get("le") for sample in FAMILIES[name].samples}


def test_the_dashboard_can_be_imported_anywhere() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {v["name"] for v in DASHBOARD["templating"]["list"]} == {"datasource", "job", "instance"}
    sources = {p["datasource"]["uid"] for p in panels if "datasource" in p}
    assert sources == {"${datasource}"}
    assert "id" not in DASHBOARD
    taken = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(taken)) == len(taken), "panels overlap"
    assert max(x for x, _ in taken) < 24


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_a_summary_and_a_runbook(rule: dict[str, Any]) -> None:
    name, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    assert anchor in anchors
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.parametrize("name", ["deploy/nginx.conf", "deploy/Caddyfile"])
def test_no_proxy_forwards_to_the_port_of_the_metrics(name: str) -> None:
    assert not re.search(r":9\d{3}\b", (ROOT / name).read_text())
