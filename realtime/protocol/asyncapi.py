"""The AsyncAPI 3 document of the socket, generated from the typed messages."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import msgspec

from realtime.protocol import messages
from realtime.protocol.close_codes import Close
from realtime.protocol.examples import example_of

REFS = "#/components/schemas/{name}"


def document(version: str) -> dict[str, Any]:
    """The whole document, as plain data."""
    inbound = typing.get_args(messages.Inbound)
    outbound = typing.get_args(messages.Outbound)
    _, schemas = msgspec.json.schema_components([*inbound, *outbound], ref_template=REFS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Space over WebSocket",
            "version": version,
            "description": inspect.getdoc(messages),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "device": {
                "address": "/ws/",
                "description": "One socket per device carries all sessions of its user.",
                "messages": {
                    _name(kind): {"$ref": f"#/components/messages/{_name(kind)}"}
                    for kind in (*inbound, *outbound)
                },
            }
        },
        "operations": {
            "fromClient": _operation("receive", inbound),
            "fromServer": _operation("send", outbound),
        },
        "components": {
            "messages": {_name(kind): _message(kind) for kind in (*inbound, *outbound)},
            "schemas": schemas,
        },
        "x-close-codes": {
            int(code): {"reason": code.name.lower(), "reconnect": code.come_back} for code in Close
        },
    }


def _name(kind: type[messages.Message]) -> str:
    return str(kind.__struct_config__.tag)


def _message(kind: type[messages.Message]) -> dict[str, Any]:
    return {
        "name": _name(kind),
        "summary": (inspect.getdoc(kind) or "").split("\n")[0],
        "payload": {"$ref": REFS.format(name=kind.__name__)},
        "examples": [{"payload": example_of(kind)}],
    }


def _operation(action: str, kinds: tuple[type[messages.Message], ...]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/device"},
        "messages": [{"$ref": f"#/channels/device/messages/{_name(kind)}"} for kind in kinds],
    }
