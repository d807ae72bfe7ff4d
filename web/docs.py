"""The pages at /docs/: an index, Swagger UI for REST, the frames of the socket, and the prose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

from realtime.protocol import asyncapi
from web.page import CONTENT_SECURITY_POLICY

PROSE = {
    "protocol.md": "For people who write clients, step by step, with two complete clients.",
    "architecture.md": "The parts, the path of a change, what fails and what then happens.",
    "operations.md": "Configuration, processes, upgrade, backup, what to watch.",
    "deploy.md": "With Docker Compose, behind nginx, Caddy or a platform's proxy.",
    "reliability.md": "What is promised when parts fail, and what was measured while they did.",
    "security.md": "Who may do what, what is kept, every limit, and which test shows it.",
}
Schema = dict[str, Any]


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    there = {name: text for name, text in PROSE.items() if _prose(name).is_file()}
    return _page(request, "index.html", {"prose": there})


@require_safe
def rest(request: HttpRequest) -> HttpResponse:
    """Swagger UI. Its script is a file of ours, so that the policy need not allow inline ones."""
    sidecar = f"{settings.STATIC_URL}drf_spectacular_sidecar/swagger-ui-dist/"
    return _page(request, "rest.html", {"static_of_swagger": sidecar})


@require_safe
def socket(request: HttpRequest) -> HttpResponse:
    return _page(request, "socket.html", _described())


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """YAML, or JSON where the client prefers it. Cached: making it takes a tenth of a second."""
    accepted = request.headers.get("Accept", "")
    as_json = "json" in accepted or request.GET.get("format") == "json"
    kind = "json" if as_json else "yaml; charset=utf-8"
    return HttpResponse(_openapi(as_json=as_json), content_type=f"application/{kind}")


@require_safe
def asyncapi_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_yaml(), content_type="application/yaml; charset=utf-8")


@require_safe
def prose(request: HttpRequest, name: str) -> HttpResponse:
    """A document as it is in the repository. A container image may have none."""
    document = f"{name}.md"
    if document not in PROSE or not _prose(document).is_file():
        raise Http404
    return HttpResponse(_prose(document).read_text(), content_type="text/plain; charset=utf-8")


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    here = template.removesuffix(".html")
    context = context | {"static": settings.STATIC_URL, "version": _version(), "here": here}
    response = render(request, f"docs/{template}", context)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Cache-Control"] = "no-cache"
    return response


def _prose(name: str) -> Path:
    return Path(settings.BASE_DIR) / "docs" / name


def _version() -> str:
    return str(settings.SPECTACULAR_SETTINGS["VERSION"])


@cache
def _yaml() -> str:
    return yaml.safe_dump(asyncapi.document(_version()), sort_keys=False)


@cache
def _openapi(*, as_json: bool) -> bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    renderer = OpenApiJsonRenderer() if as_json else OpenApiYamlRenderer()
    rendered: bytes = renderer.render(schema, renderer_context={})
    return rendered


# -- the AsyncAPI document as HTML ---------------------------------------------------------------


@cache
def _described() -> dict[str, Any]:
    document = asyncapi.document(_version())
    schemas = document["components"]["schemas"]
    by_direction = {
        title: list(_messages(document, document["operations"][operation]))
        for title, operation in {
            "From the client": "fromClient",
            "From the server": "fromServer",
        }.items()
    }
    shown = {message["schema"] for messages in by_direction.values() for message in messages}
    return {
        "directions": [{"title": t, "messages": messages} for t, messages in by_direction.items()],
        "types": [_type(name, schemas[name]) for name in sorted(schemas) if name not in shown],
        "codes": [
            {"code": code, "then": "comes back" if close["reconnect"] else "stops", **close}
            for code, close in document["x-close-codes"].items()
        ],
    }


def _messages(document: Schema, operation: Schema) -> Iterator[dict[str, Any]]:
    for reference in operation["messages"]:
        message = document["components"]["messages"][_last(reference)]
        schema = _last(message["payload"])
        (example,) = message["examples"]
        yield _type(schema, document["components"]["schemas"][schema]) | {
            "name": message["name"],
            "schema": schema,
            "example": json.dumps(example["payload"], indent=2),
        }


def _type(name: str, schema: Schema) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    fields = [
        {"name": field, "required": field in required, "kind": _kind(part)}
        for field, part in schema.get("properties", {}).items()
        if field != "type" or "enum" not in part or len(part["enum"]) > 1
    ]
    # Every second piece of the text was between backticks: it is code.
    return {"name": name, "text": schema.get("description", "").split("`"), "fields": fields}


def _kind(part: Schema) -> list[tuple[str, str]]:
    """The type of a field as pieces: words, and the anchor of the type that a word links to."""
    if "$ref" in part:
        return [(_last(part), _last(part))]
    if "anyOf" in part:
        pieces: list[tuple[str, str]] = []
        for option in part["anyOf"]:
            pieces += [(" or ", ""), *_kind(option)] if pieces else _kind(option)
        return pieces
    if "enum" in part:
        return [(", ".join(map(str, part["enum"])), "")]
    if part.get("type") == "array":
        return [("list of ", ""), *_kind(part["items"])]
    words = [str(part.get("format", part.get("type", "anything")))]
    words += [text.format(part[key]) for key, text in _LIMITS.items() if key in part]
    return [(", ".join(words).replace(f", at most {2**63 - 1}", ""), "")]


_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}


def _last(reference: Schema) -> str:
    return str(reference["$ref"]).rsplit("/", 1)[1]
