"""The types of `events.py` as OpenAPI: what clients are answered is described in one place."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter

from accounts.api import schema as accounts_schema
from sessions_app.changes import Missed
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


# What many endpoints say of themselves.
REFUSED = {code: ref(Error) for code in (400, 401, 404, 409, 412, 422, 429)}
PAGE = accounts_schema.PAGE
STATUS = OpenApiParameter(
    "status", str, description="Only sessions in one of these, with commas: `ready,paused`."
)
CONDITIONS = [
    OpenApiParameter("If-Match", str, "header", description='The version seen, such as "7".'),
]
KEY = [
    OpenApiParameter(
        "Idempotency-Key", str, "header", description="The same key happens once, for 24 hours."
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
