"""The dashboard and the alerts ask for numbers that there are, and lead to words that there are."""

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
# What Prometheus makes itself, and what the library's ProcessCollector tells.
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


def there_are() -> set[str]:
    roles: tuple[families.Role, ...] = ("server", "timekeeper")
    found = [family for role in roles for family in families.all_of(role)]
    return {family.name + end for family in found for end in _SUFFIXES[family.type]}


def asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:space|process)_\w+|\bup\b", re.sub(r'"[^"]*"', "", expression)))


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for rule in RULES:
        yield rule["expr"]


def test_every_number_that_is_asked_for_is_told() -> None:
    asked = set().union(*map(asked_for, expressions()))
    assert asked - there_are() - _OTHERS == set()
    assert len(asked) > 40


def test_the_dashboard_shows_all_that_is_told() -> None:
    """A number that nobody looks at need not be counted."""
    shown = set().union(*map(asked_for, expressions()))
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in there_are()}
    assert bases - {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} == set()


def test_a_bound_that_is_asked_for_is_one_that_is_counted() -> None:
    for expression in expressions():
        for name, bound in re.findall(r'(space_\w+)_bucket\{[^}]*le="([\d.]+)"', expression):
            family = next(f for r in families.TITLES.values() if r for f in families.all_of(r)
                          if f.name == name)  # fmt: skip
            assert bound in {sample.labels.get("le") for sample in family.samples}


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
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    name, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    assert anchor in anchors
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.parametrize("name", ["deploy/nginx.conf", "deploy/Caddyfile"])
def test_no_proxy_of_ours_leads_to_the_port_of_the_metrics(name: str) -> None:
    assert not re.search(r":9\d{3}\b", (ROOT / name).read_text())
