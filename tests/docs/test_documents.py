"""The API documents are generated from the code, and served by it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from tests.support.contract import FROM_CLIENT, FROM_SERVER, check_frame

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("accept", "kind"), [("application/json", "json"), ("*/*", "yaml"), ("text/html", "yaml")]
)
def test_the_schema_is_served_in_the_format_that_the_client_accepts(
    client: Client, accept: str, kind: str
) -> None:
    answer = client.get("/schema/", headers={"Accept": accept})
    if kind == "json":
        assert answer["Content-Type"].split(";")[0].endswith("json")
    served: dict[str, Any] = yaml.safe_load(answer.content)  # JSON is YAML too
    assert served["openapi"].startswith("3.")
    assert "/sessions/{session_id}/start/" in served["paths"]


PAGES = ["/docs/", "/docs/rest/", "/docs/socket/"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_documents_loads_nothing_from_other_hosts_and_nothing_inline(
    client: Client, path: str
) -> None:
    answer = client.get(path)
    page = answer.content.decode()
    assert all(url.startswith(("/", "#")) for url in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_each_link_of_a_page_of_the_documents_exists(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    ids = set(re.findall(r'id="([^"]*)"', page))
    for url in set(re.findall(r'(?:src|href)="([^"]*)"', page)):
        if url.startswith("#"):
            assert url[1:] in ids
        else:
            assert client.get(url).status_code == 200, url


def test_the_page_of_the_socket_names_every_frame_and_close_code(client: Client) -> None:
    page = client.get("/docs/socket/").content.decode()
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
    for name in document["components"]["messages"]:
        assert f'<section id="{name}">' in page
    for code in document["x-close-codes"]:
        assert f">{code}<" in page


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/docs", "/docs/"),
        ("/docs/rest", "/docs/rest/"),
        ("/docs/openapi.yaml", "/schema/"),
        ("/schema", "/schema/"),
    ],
)
def test_a_guessed_address_redirects_to_the_document(client: Client, old: str, new: str) -> None:
    assert client.get(old)["Location"] == new


def test_the_security_document_is_linked_and_served(client: Client) -> None:
    assert "/docs/security.md" in client.get("/docs/").content.decode()
    assert client.get("/docs/security.md").status_code == 200


def test_a_document_is_served_unchanged(client: Client) -> None:
    served = client.get("/docs/asyncapi.yaml").content.decode()
    assert (ROOT / "docs" / "asyncapi.yaml").read_text().endswith(served)
    answer = client.get("/docs/protocol.md")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == (ROOT / "docs" / "protocol.md").read_text()
    for name in ("asyncapi", "nothing", "README", "..%2fREADME"):
        assert client.get(f"/docs/{name}.md").status_code == 404


def test_every_frame_has_a_valid_example() -> None:
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
    for direction in (FROM_CLIENT, FROM_SERVER):
        for reference in document["operations"][direction]["messages"]:
            message = document["components"]["messages"][reference["$ref"].rsplit("/", 1)[1]]
            (example,) = message["examples"]
            check_frame(json.dumps(example["payload"]), direction)


@pytest.mark.parametrize("accept", ["text/html", "image/png", "nonsense"])
def test_an_answer_is_json_whatever_the_client_accepts(client: Client, accept: str) -> None:
    answer = client.get("/users/me/", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
