"""The types of `events.py` as OpenAPI components, and what all operations share."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter

from accounts.api import schema as accounts_schema
from sessions_app.changes import Missed
from sessions_app.countdown import Status
from sessions_app.events import SessionState, SpaceState, TaskState, Value

REFS = "#/components/schemas/{name}"


class LoggedEvent(Value, frozen=True, kw_only=True):
    """A row of a session's log."""

    version: int
    revision: int
    kind: str
    at: str
    device: str
    data: dict[str, Any]


class Error(Value, frozen=True, kw_only=True):
    """Every error has this shape; conflicts also carry `session`, `version` and `state`.

    Errors of fields also stand under the fields' names, as lists of sentences (`version` is one).
    """

    error: str
    code: str
    detail: str
    request_id: str
    session: int | None = None
    version: int | list[str] | None = None
    state: SessionState | None = None


class ExportedPicture(Value, frozen=True, kw_only=True):
    """The picture of a session. `data` is null if it was deleted while the export was read."""

    session: int
    data: str | None


_TYPES: list[type[Value]] = [
    *(SessionState, TaskState, SpaceState, Missed, LoggedEvent, ExportedPicture, Error)
]


def ref(kind: type[Value], *, many: bool = False) -> dict[str, Any]:
    """A reference to the type, for `extend_schema(responses=...)`."""
    one = {"$ref": REFS.format(name=kind.__name__)}
    return {"type": "array", "items": one} if many else one


def add_components(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: puts the types among the components."""
    components: dict[str, Any]
    _refs, components = msgspec.json.schema_components(_TYPES, ref_template=REFS)
    schemas = result.setdefault("components", {}).get("schemas", {}) | components
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def add_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Another hook: adds the refusals that every operation of a kind may give."""
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status in _refusals(path, operation):
                operation["responses"].setdefault(str(status), _ERROR)
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


_ERROR = {"content": {"application/json": {"schema": ref(Error)}}, "description": ""}


def _refusals(path: str, operation: dict[str, Any]) -> set[int]:
    refused = {503}  # a part is down
    if operation.get("security", [{}]) != [{}]:
        refused |= {401, 429}
    if "{" in path:
        refused.add(404)
    if any(one["in"] != "path" for one in operation.get("parameters", ())):
        refused.add(400)
    if "requestBody" in operation:
        refused |= {400, 413, 415}
    return refused


# Shared by many operations.
REFUSED = {code: ref(Error) for code in (400, 401, 404, 409, 412, 422, 429)}
PAGE = accounts_schema.PAGE
_ANY = "|".join(Status)
STATUS = OpenApiParameter(
    "status",
    {"type": "string", "pattern": f"^({_ANY})(,({_ANY}))*$"},
    description="Only sessions in one of these, with commas: `ready,paused`.",
)
CONDITIONS = [
    OpenApiParameter(
        "If-Match",
        {"type": "string", "pattern": r'^((W/)?"[0-9]{1,18}"|\*)$'},
        "header",
        description='The version seen, such as "7".',
    ),
]
KEY = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255},
        "header",
        description="The same key happens once, for 24 hours.",
    ),
]
BUNDLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "exported_at": {"type": "string", "format": "date-time"},
        "profile": {"type": "object", "additionalProperties": True},
        "logins": {
            "type": "array",
            "description": "Ended ones too, with their `ended_at`.",
            "items": {"type": "object", "additionalProperties": True},
        },
        "sessions": {
            "type": "array",
            "description": "As in the list of sessions, with `updated_at`.",
            "items": {"type": "object", "additionalProperties": True},
        },
        "spaces": ref(SpaceState, many=True),
        "events": {
            "type": "array",
            "description": "The log, by `revision`.",
            "items": {"type": "object", "additionalProperties": True},
        },
        "pictures": {
            "type": "array",
            "description": "The pictures of sessions, as `data:` URLs.",
            "items": ref(ExportedPicture),
        },
    },
    "required": [
        *("exported_at", "profile", "logins", "sessions", "spaces", "events", "pictures"),
    ],
}
