"""What describes the API is served with it, and is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from config.management.commands.export_schemas import documents

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("accept", "kind"), [("application/json", "json"), ("*/*", "yaml"), ("text/html", "yaml")]
)
def test_the_schema_is_served_as_the_client_likes_it(
    client: Client, accept: str, kind: str
) -> None:
    answer = client.get("/schema/", headers={"Accept": accept})
    if kind == "json":
        assert answer["Content-Type"].split(";")[0].endswith("json")
    served: dict[str, Any] = yaml.safe_load(answer.content)  # JSON is YAML too
    assert served["openapi"].startswith("3.")
    assert "/sessions/{session_id}/start/" in served["paths"]


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_the_documents_in_the_repository_are_those_of_the_code(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == documents()[name]


def test_the_page_of_the_documents_asks_no_other_host(client: Client) -> None:
    page = client.get("/docs/").content.decode()
    asked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any("swagger-ui-bundle.js" in url for url in asked)
    assert all(url.startswith("/static/") for url in asked)


@pytest.mark.parametrize("accept", ["text/html", "image/png", "nonsense"])
def test_an_answer_is_json_whatever_the_client_accepts(client: Client, accept: str) -> None:
    answer = client.get("/users/me/", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
