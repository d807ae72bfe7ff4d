"""Every frame and every REST answer of the tests, held against the documents that clients read.

`watch()` is called once, by the conftest at the top: it stands between the tests and the libraries
that they talk through, so no test can forget it, and no helper of a test need know of it.

    what comes from a socket        a message of docs/asyncapi.yaml that the server sends
    what the server understood      a message of docs/asyncapi.yaml that a client sends (where the
                                    server is in this process: `messages.decode`)
    what a device of the tests says the same, where the server is another process
    what REST answers               what docs/openapi.yaml says of its path, method and status
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from django.test.client import ClientHandler
from jsonschema import Draft202012Validator, FormatChecker
from websockets.asyncio.client import ClientConnection

from benchmarks.device import Device
from realtime.protocol import messages

DOCS = Path(__file__).resolve().parents[2] / "docs"
FROM_SERVER, FROM_CLIENT = "fromServer", "fromClient"
Schema = dict[str, Any]


class NotAsDocumented(AssertionError):
    """Something crossed the wire that the documents do not describe."""


# -- the documents -------------------------------------------------------------------------------

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_an_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def _document(name: str) -> Schema:
    quick = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: Schema = yaml.load((DOCS / name).read_text(), Loader=quick)  # noqa: S506 - a safe one
    return loaded


@cache
def _components(name: str, *, closed: bool) -> Schema:
    """The schemas of a document. `closed`: nothing may come that they do not name."""
    schemas: Schema = deepcopy(_document(name)["components"]["schemas"])
    for part in _parts(schemas):
        if part.pop("nullable", False):  # OpenAPI 3.0's way to say null
            _allow_null(part)
        if closed and "properties" in part:
            part["additionalProperties"] = False
    return schemas


def _parts(schema: Any) -> Iterator[Schema]:
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, dict | list):
            yield from _parts(value)
    if isinstance(schema, dict):
        yield schema


def _allow_null(part: Schema) -> None:
    described = dict(part)
    part.clear()
    part["anyOf"] = [described, {"type": "null"}]


def _validator(name: str, schema: Schema, *, closed: bool = True) -> Draft202012Validator:
    whole = schema | {"components": {"schemas": _components(name, closed=closed)}}
    return Draft202012Validator(whole, format_checker=formats)


def _check(validator: Draft202012Validator, value: Any, what: str) -> None:
    for error in validator.iter_errors(value):
        where = "/".join(map(str, error.absolute_path))
        raise NotAsDocumented(f"{what}: at {where!r}: {error.message}\n{value}")


# -- frames --------------------------------------------------------------------------------------


@cache
def _frames(direction: str) -> dict[str, Draft202012Validator]:
    """The schema of each message that goes this way, by its type."""
    document = _document("asyncapi.yaml")
    names = [
        message["$ref"].rsplit("/", 1)[1]
        for message in document["operations"][direction]["messages"]
    ]
    # Of the client's frames the server ignores what it does not know.
    closed = direction == FROM_SERVER
    return {
        name: _validator(
            "asyncapi.yaml", document["components"]["messages"][name]["payload"], closed=closed
        )
        for name in names
    }


def check_frame(text: str | bytes, direction: str) -> None:
    """Raises `NotAsDocumented`."""
    frame = json.loads(text)
    kind = frame.get("type") if isinstance(frame, dict) else None
    if kind not in _frames(direction):
        raise NotAsDocumented(f"{kind!r} is no type of {direction}: {frame}")
    _check(_frames(direction)[kind], frame, f"frame {kind}")


# -- REST ----------------------------------------------------------------------------------------


@cache
def _operations() -> list[tuple[re.Pattern[str], Schema]]:
    """The operations of each path, by a pattern of the path."""
    paths = _document("openapi.yaml")["paths"]
    return [(re.compile(re.sub(r"{\w+}", r"\\d+", path)), paths[path]) for path in sorted(paths)]


@cache
def _answer_of(method: str, path: str, status: int) -> Draft202012Validator | None:
    """None: nothing is answered, or this is no path of the document."""
    for pattern, operations in _operations():
        if pattern.fullmatch(path):
            return _described(operations.get(method, {}), method, path, status)
    return None


def _described(
    operation: Schema, method: str, path: str, status: int
) -> Draft202012Validator | None:
    answers = operation.get("responses", {})
    if str(status) in answers:
        content = answers[str(status)].get("content")
        schema = content and content["application/json"]["schema"]
        # Errors of fields stand beside the others, under the fields' names.
        return _validator("openapi.yaml", schema, closed=status < 400) if schema else None
    if status < 400 and operation:
        raise NotAsDocumented(f"{method} {path} answers with {status}, which is not documented")
    return _validator(  # any path may refuse, with the one shape that all errors have
        "openapi.yaml", {"$ref": "#/components/schemas/Error"}, closed=False
    )


def check_answer(method: str, path: str, status: int, kind: str, body: bytes) -> None:
    """Raises `NotAsDocumented`."""
    if method in {"HEAD", "OPTIONS"} or status == 304:
        return
    path = re.sub(r"\d+", "1", path)
    validator = _answer_of(method.lower(), path, status)
    if validator is None:
        return
    if not kind.startswith("application/json"):
        raise NotAsDocumented(f"{method} {path} answers {status} as {kind or 'nothing'}")
    _check(validator, json.loads(body), f"{method} {path} {status}")


# -- standing in between -------------------------------------------------------------------------


def watch() -> None:
    """From now on everything is checked."""
    ClientConnection.recv = _checking_frames(ClientConnection.recv)  # type: ignore[method-assign]
    Device.send = _checking_what_is_sent(Device.send)  # type: ignore[method-assign]
    messages.decode = _checking_what_is_understood(messages.decode)
    ClientHandler.__call__ = _checking_answers(ClientHandler.__call__)  # type: ignore[method-assign]
    httpx.AsyncClient.send = _checking_real_answers(httpx.AsyncClient.send)  # type: ignore[method-assign]


def _checking_frames(recv: Callable[..., Any]) -> Any:
    @wraps(recv)
    async def checked(*args: Any, **options: Any) -> Any:
        text = await recv(*args, **options)
        check_frame(text, FROM_SERVER)
        return text

    return checked


def _checking_what_is_sent(send: Callable[..., Any]) -> Any:
    @wraps(send)
    async def checked(device: Device, **frame: Any) -> None:
        check_frame(json.dumps(frame), FROM_CLIENT)
        await send(device, **frame)

    return checked


def _checking_what_is_understood(decode: Callable[[str], Any]) -> Any:
    @wraps(decode)
    def checked(text: str) -> Any:
        frame = decode(text)
        check_frame(text, FROM_CLIENT)
        return frame

    return checked


def _checking_answers(call: Callable[..., Any]) -> Any:
    @wraps(call)
    def checked(handler: ClientHandler, environ: dict[str, Any]) -> Any:
        answer = call(handler, environ)
        if not answer.streaming:
            check_answer(
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                answer.status_code,
                answer.get("Content-Type", ""),
                answer.content,
            )
        return answer

    return checked


def _checking_real_answers(send: Callable[..., Any]) -> Any:
    @wraps(send)
    async def checked(http: httpx.AsyncClient, request: httpx.Request, **options: Any) -> Any:
        answer = await send(http, request, **options)
        check_answer(
            request.method,
            urlsplit(str(request.url)).path,
            answer.status_code,
            answer.headers.get("Content-Type", ""),
            await answer.aread(),
        )
        return answer

    return checked
