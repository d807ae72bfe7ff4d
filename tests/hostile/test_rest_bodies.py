"""Bodies that are no request, on every route that takes a body.

A row of a table is a sentence, what is sent, and the answer. To add one, add a row.
"""

from __future__ import annotations

import gzip
import json
import time
from itertools import product
from typing import Any

import pytest

from accounts.models import User
from sessions_app.models import Session, Task
from tests.support.api import Api, Headers
from tests.support.people import Person

GOOD = b'{"title": "W", "duration": 5}'

# Every route that reads a body; {s} is a ready session of Ada's with the task {t}.
FORMS = [
    ("POST", "/users/signup/"),
    ("POST", "/users/login/"),
    ("POST", "/users/token/refresh/"),
    ("POST", "/users/logout/"),
    ("POST", "/users/password/"),
    ("POST", "/users/password/reset/"),
    ("POST", "/users/password/reset/confirm/"),
    ("PATCH", "/users/me/"),
    ("POST", "/sessions/"),
    ("PUT", "/sessions/{s}/"),
    ("PATCH", "/sessions/{s}/"),
    ("POST", "/sessions/{s}/tasks/"),
    ("PUT", "/sessions/{s}/tasks/{t}/"),
    ("PATCH", "/sessions/{s}/tasks/{t}/"),
]
COMMANDS = [
    ("POST", f"/sessions/{{s}}/{action}/")
    for action in ("start", "pause", "resume", "extend", "finish", "cancel", "repeat")
]


@pytest.fixture
def ids(ada: Person) -> dict[str, int]:
    session = ada.has_session()
    task = ada.post(f"/sessions/{session.id}/tasks/", {"title": "Outline", "duration": 5}).json()
    return {"s": session.id, "t": task["id"]}


def as_it_was() -> list[Any]:
    return [
        list(User.objects.values("username", "email", "password", "revision")),
        list(Session.objects.values()),
        list(Task.objects.values()),
    ]


# -- what cannot be read -------------------------------------------------------------------------

UNREADABLE: list[tuple[str, bytes]] = [
    ("cut off", b'{"title": '),
    ("cut off in a text", b'{"title": "W'),
    ("two documents", b"{} {}"),
    ("something behind the document", GOOD + b"\x00"),
    ("single quotes", b"{'title': 'W'}"),
    ("a comma too many", b'{"title": "W",}'),
    ("a comment", b'{"title": "W"} // mine'),
    ("only white space", b" \n\t "),
    ("only a NUL", b"\x00"),
    ("NaN", b'{"duration": NaN}'),
    ("Infinity", b'{"duration": Infinity}'),
    ("minus Infinity", b'{"duration": -Infinity}'),
    ("a leading zero", b'{"duration": 05}'),
    ("a plus sign", b'{"duration": +5}'),
    ("a number of five thousand digits", b'{"duration": ' + b"9" * 5_000 + b"}"),
    ("a line break in a text", b'{"title": "a\nb"}'),
    ("half an escape", b'{"title": "\\ud8"}'),
    ("not UTF-8", b'{"title": "\xff\xfe"}'),
    ("UTF-8 that is longer than need be", b'{"title": "\xc0\xaf"}'),
    ("a surrogate as UTF-8", b'{"title": "\xed\xa0\x80"}'),
    ("Latin-1", '{"title": "Ünïcødé"}'.encode("latin-1")),
    ("UTF-16", GOOD.decode().encode("utf-16")),
    ("UTF-16 without a mark", GOOD.decode().encode("utf-16-le")),
    ("UTF-32", GOOD.decode().encode("utf-32")),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD),
    ("a hundred thousand lists", b"[" * 100_000),
    ("fifty thousand lists, closed", b"[" * 50_000 + b"]" * 50_000),
    ("twenty thousand objects", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    ("more nested than anything we take", b'{"a":' * 70 + b"1" + b"}" * 70),
    ("a form", b"title=W&duration=5"),
    (
        "XML",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ),
    ("YAML", b"title: !!python/object/apply:os.system ['true']"),
    ("a pickle", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."),
    ("compressed", gzip.compress(GOOD)),
]


def test_a_body_that_cannot_be_read_is_a_parse_error_everywhere(
    api: Api, ada: Person, ids: dict[str, int]
) -> None:
    before = as_it_was()
    for (what, raw), (method, path) in product(UNREADABLE, FORMS + COMMANDS):
        answer = api.ask(method, path.format(**ids), raw, by=ada)
        assert (answer.status, answer.code) == (400, "parse_error"), (what, path, answer)
        assert len(answer.body) < 400, answer
    assert as_it_was() == before


# -- what can be read and is no form --------------------------------------------------------------

NO_OBJECT = ["null", "true", "false", "5", "-0", "1e400", "[]", "[{}]", '["title"]', '"title"']


def test_a_body_that_is_no_object_is_invalid_everywhere(
    api: Api, ada: Person, ids: dict[str, int]
) -> None:
    before = as_it_was()
    for raw, (method, path) in product(NO_OBJECT, FORMS + COMMANDS):
        if raw == "null" and (method, path) in COMMANDS:
            continue  # a command may have no body
        answer = api.ask(method, path.format(**ids), raw, by=ada)
        assert (answer.status, answer.code) == (400, "invalid"), (raw, path, answer)
    assert as_it_was() == before


EMPTY = {
    ("POST", "/users/signup/"): (400, "invalid"),
    ("POST", "/users/login/"): (400, "invalid"),
    ("POST", "/users/token/refresh/"): (400, "invalid"),
    ("POST", "/users/password/"): (400, "invalid"),
    ("POST", "/users/password/reset/"): (400, "invalid"),
    ("POST", "/users/password/reset/confirm/"): (400, "invalid"),
    ("PATCH", "/users/me/"): (200, ""),
    ("POST", "/sessions/"): (400, "invalid"),
    ("PUT", "/sessions/{s}/"): (200, ""),
    ("PATCH", "/sessions/{s}/"): (200, ""),
    ("POST", "/sessions/{s}/tasks/"): (400, "invalid"),
    ("PUT", "/sessions/{s}/tasks/{t}/"): (200, ""),
    ("PATCH", "/sessions/{s}/tasks/{t}/"): (200, ""),
    ("POST", "/sessions/{s}/pause/"): (409, "illegal_transition"),
    ("POST", "/sessions/{s}/resume/"): (409, "illegal_transition"),
    ("POST", "/sessions/{s}/extend/"): (400, "invalid"),
    ("POST", "/sessions/{s}/finish/"): (409, "illegal_transition"),
    ("POST", "/sessions/{s}/cancel/"): (409, "illegal_transition"),
}


def test_an_empty_body_is_an_empty_form(api: Api, ada: Person, ids: dict[str, int]) -> None:
    before = as_it_was()
    for raw, ((method, path), expected) in product((b"", b"{}"), EMPTY.items()):
        answer = api.ask(method, path.format(**ids), raw, by=ada)
        assert (answer.status, answer.code) == expected, (raw, path, answer)
    assert as_it_was() == before


# -- what it is said to be ------------------------------------------------------------------------

# Who declares another encoding is not believed: JSON is UTF-8 (RFC 8259).
TAKEN_AS = [
    ("plainly", "application/json", 201),
    ("in upper case", "APPLICATION/JSON", 201),
    ("as UTF-8", "application/json; charset=utf-8", 201),
    ("as UTF-8 in quotes", 'application/json; charset="UTF-8"', 201),
    ("as UTF-7", "application/json; charset=utf-7", 201),
    ("as UTF-16", "application/json; charset=utf-16", 201),
    ("as a charset that does not exist", "application/json; charset=klingon", 201),
    ("as compressed by its charset", "application/json; charset=zlib", 201),
    ("as base64 by its charset", "application/json; charset=base64", 201),
    ("as hex by its charset", "application/json; charset=hex", 201),
    ("as rot13 by its charset", "application/json; charset=rot13", 201),
    ("with an empty charset", "application/json; charset=", 201),
    ("with a parameter without a value", "application/json; x", 201),
    ("with a quote that is not closed", 'application/json; charset="utf-8', 201),
    ("with ten thousand parameters", "application/json" + "; a=b" * 10_000, 415),
    ("without a type", "", 415),
    ("as text", "text/plain", 415),
    ("as HTML", "text/html", 415),
    ("as a form", "application/x-www-form-urlencoded", 415),
    ("as parts", "multipart/form-data; boundary=x", 415),
    ("as parts without a boundary", "multipart/form-data", 415),
    ("as JSON of another kind", "application/vnd.api+json", 415),
    ("as a merge patch", "application/merge-patch+json", 415),
    ("as a picture", "image/png", 415),
    ("as XML", "application/xml", 415),
    ("as anything", "*/*", 201),
    ("as nonsense", "nonsense", 415),
    ("as only a slash", "/", 415),
    ("as JSON twice", "application/json, application/json", 415),
    ("with a NUL", "application/json\x00", 415),
    ("in Chinese", "应用/json", 415),
]


def test_json_is_taken_where_it_is_said_to_be_json(api: Api, ada: Person) -> None:
    for what, kind, status in [*TAKEN_AS, ("without the header", None, 415)]:
        before = Session.objects.count()
        answer = api.ask("POST", "/sessions/", GOOD, {"Content-Type": kind}, by=ada)
        assert answer.status == status, (what, answer)
        assert answer.code == ("unsupported_media_type" if status == 415 else ""), what
        assert Session.objects.count() == before + (status == 201), what


CHARSETS = ["zlib", "bz2", "hex", "base64", "uu", "quopri", "rot13", "utf-7", "idna", "undefined"]


def test_a_charset_decides_nothing(api: Api, ada: Person) -> None:
    for charset in CHARSETS:
        headers = {"Content-Type": f"application/json; charset={charset}"}
        for raw, code in [(b"not that at all", "parse_error"), (b'{"title": "W"}', "invalid")]:
            answer = api.ask("POST", "/sessions/", raw, headers, by=ada)
            assert (answer.status, answer.code) == (400, code), charset
        # Nor does it in a request without a body.
        answer = api.ask("GET", "/sessions/?limit=%31", b"", headers, by=ada)
        assert (answer.status, answer.json()) == (200, []), charset


def test_a_small_body_cannot_unfold_into_a_large_one(api: Api, ada: Person) -> None:
    import zlib

    bomb = zlib.compress(b" " * 100_000_000, 9)
    began = time.process_time()
    headers = {"Content-Type": "application/json; charset=zlib"}
    answer = api.ask("POST", "/sessions/", bomb, headers, by=ada)
    assert (answer.status, answer.code) == (400, "parse_error")
    assert time.process_time() - began < 0.2


ENCODINGS = [("gzip", gzip.compress(GOOD)), ("deflate", b"x"), ("br", b"x"), ("compress", b"x")]


def test_a_compressed_body_is_not_unpacked(api: Api, ada: Person) -> None:
    for encoding, raw in ENCODINGS:
        answer = api.ask("POST", "/sessions/", raw, {"Content-Encoding": encoding}, by=ada)
        assert (answer.status, answer.code) == (400, "parse_error"), encoding


# -- keys ----------------------------------------------------------------------------------------

KEYS: list[tuple[str, bytes, int, str]] = [
    ("a key twice: the last counts", b'{"title": "a", "duration": 5, "title": "b"}', 201, "b"),
    ("a key with a NUL", b'{"title": "W", "duration": 5, "a\\u0000": 1}', 201, "W"),
    ("a lone surrogate as a key", b'{"title": "W", "duration": 5, "\\ud800": 1}', 201, "W"),
    ("an empty key", b'{"title": "W", "duration": 5, "": 1}', 201, "W"),
    ("a key of 100,000 characters", b'{"title": "W", "duration": 5, "' + b"k" * 100_000 + b'":1}', 201, "W"),
    ("ten thousand keys", b'{"title": "W", "duration": 5' + b"".join(b',"k%d":0' % n for n in range(10_000)) + b"}", 201, "W"),
    ("__proto__", b'{"title": "W", "duration": 5, "__proto__": {"a": 1}, "constructor": {}}', 201, "W"),
    ("__class__", b'{"title": "W", "duration": 5, "__class__": "x", "user__is_staff": true}', 201, "W"),
    ("an unknown huge number", b'{"title": "W", "duration": 5, "x": 1e400, "y": ' + b"9" * 4_000 + b"}", 201, "W"),
    ("a surrogate in an unknown field", b'{"title": "W", "duration": 5, "x": "\\udfff\\u0000"}', 201, "W"),
]  # fmt: skip


def test_keys_that_we_do_not_know_do_nothing(api: Api, ada: Person) -> None:
    for what, raw, status, title in KEYS:
        for headers in ({}, {"Idempotency-Key": what}):
            answer = api.ask("POST", "/sessions/", raw, headers, by=ada)
            assert (answer.status, answer.json()["title"]) == (status, title), what


DEPTHS = [1, 5, 20, 30, 31, 32, 33, 60, 100, 200, *range(300, 1_000, 39)]


@pytest.mark.parametrize("keyed", [False, True], ids=["", "with an idempotency key"])
def test_no_depth_is_too_deep_for_us(api: Api, ada: Person, keyed: bool) -> None:
    """The parser and the code behind it agree on the depth that is too much."""
    for depth, (opened, closed) in product(DEPTHS, [("[", "]"), ('{"a":', "}")]):
        nest = opened * depth + "1" + closed * depth
        headers: Headers = {"Idempotency-Key": f"{opened} {depth}"} if keyed else {}
        body = f'{{"title": "W", "duration": 5, "x": {nest}}}'
        answer = api.ask("POST", "/sessions/", body, headers, by=ada)
        assert (answer.status, answer.code) in {(201, ""), (400, "parse_error")}, depth
        assert answer.status == 400 or depth < 64


# -- size and time --------------------------------------------------------------------------------

MARKS = "a" + "\u0315\u0300" * 60_000  # to bring these into order takes the square of their number

SLOW: list[tuple[str, str, str, Any]] = [
    ("a name of marks, to sign up", "POST", "/users/signup/", {"username": MARKS, "email": "a@b.co", "password": "x"}),
    ("an address of marks", "POST", "/users/signup/", {"username": "x", "email": MARKS, "password": "x"}),
    ("a name of marks, to log in", "POST", "/users/login/", {"username": MARKS, "password": "x"}),
    ("a name of marks, to be called so", "PATCH", "/users/me/", {"username": MARKS}),
    ("an address of marks, to have it", "PATCH", "/users/me/", {"email": MARKS}),
    ("a hundred thousand reminders", "PATCH", "/users/me/", {"reminders": [0] * 80_000}),
    ("a hundred thousand reminders of a session", "POST", "/sessions/", {"title": "W", "duration": 5, "reminders": [0] * 80_000}),
    ("a title of 250,000 characters", "POST", "/sessions/", {"title": "W" * 250_000, "duration": 5}),
    ("a token of 250,000 characters", "POST", "/users/token/refresh/", {"refresh": "e" * 250_000}),
    ("a password of 250,000 characters", "POST", "/users/login/", {"username": "ada", "password": "e" * 250_000}),
    ("a new password of 250,000 characters", "POST", "/users/password/", {"old_password": "x", "new_password": "e" * 250_000}),
    ("a time zone of 250,000 characters", "PATCH", "/users/me/", {"time_zone": "../" * 80_000}),
]  # fmt: skip


def test_a_small_body_cannot_cost_much(api: Api, ada: Person) -> None:
    for what, method, path, body in SLOW:
        began = time.process_time()
        answer = api.ask(method, path, json.dumps(body, ensure_ascii=False), by=ada)
        spent = time.process_time() - began
        assert answer.status in {400, 401}, what
        assert spent < 0.25, what  # seconds of the processor
        assert len(answer.body) < 1_000, what


def test_a_body_where_none_belongs_is_not_read(api: Api, ada: Person) -> None:
    for raw, path in product((b"[" * 100_000, b"\xff", b"{}"), ("/sessions/", "/users/me/")):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert api.ask(method, path, raw, by=ada).status == 200
    for method, path in [("POST", "/users/logout-all/"), ("DELETE", "/users/me/logins/")]:
        assert api.ask(method, path, b"[" * 100_000, by=ada).status == 200


def test_a_body_that_cannot_be_read_deletes_nothing(api: Api, ada: Person) -> None:
    session = ada.has_session()
    for (what, raw), path in product(UNREADABLE, ("/users/me/", f"/sessions/{session.id}/")):
        answer = api.ask("DELETE", path, raw, by=ada)
        assert (answer.status, answer.code) == (400, "parse_error"), (what, answer)
    assert Session.objects.exists()
