"""Paths, queries and methods: every one of them is answered, and as JSON."""

from __future__ import annotations

import json
import time
from itertools import product

import pytest
from django.conf import settings as django_settings

from tests.hostile.routes import ALLOWED, path_of, routes
from tests.support.api import Api
from tests.support.people import Person

# -- paths ---------------------------------------------------------------------------------------

NOWHERE = [
    "/nothing/", "/sessions", "/users/me", "/users/login", "//sessions/", "/sessions//", "/sessions/./", "/sessions/../users/me/",
    "/./users/me/", "/%2e%2e/users/me/", "/sessions/%2e%2e/users/me/", "/sessions;x=1/",
    "/sessions/;x", "/sessions/1;x/", "/SESSIONS/", "/Users/Me/", "/sessions/x/", "/sessions/-1/", "/sessions/+1/", "/sessions/1.0/",
    "/sessions/1e3/", "/sessions/0x1/", "/sessions/1_0/", "/sessions/%201/", "/sessions/1%20/", "/sessions/1%0a/", "/sessions/1%0d%0aX:%20y/",
    "/sessions/%00/", "/sessions/1%00/", "/%00", "/%00/", "/%ff/", "/%c0%af/", "/%ed%a0%80/", "/sessions/%D9%A1/", "/sessions/%EF%BC%91/",
    "/sessions/%C2%B2/", f"/sessions/{2**63}/", f"/sessions/{10**30}/", f"/sessions/{'9' * 5_000}/", f"/sessions/1/tasks/{10**30}/",
    "/sessions/null/", "/sessions/undefined/", "/sessions/NaN/", "/sessions/me/", "/sessions/1/start/now/", "/sessions/1/nothing/",
    "/sessions/1/tasks/x/", "/sessions/1/tasks/1/2/", "/users/", "/users/1/", "/users/me/logins/x/", "/users/me/logins/-1/",
    "/api/sessions/", "/v1/sessions/", "/.env", "/.git/config", "/wp-admin/", "/server-status", "/metrics/", "/debug/", "/__debug__/",
    "/static/../manage.py", "/static/%2e%2e/manage.py", "/static/nothing.js", "/media/", "/media/nothing.webp", "/media/../manage.py",
    "/media/%2e%2e/manage.py", "/media/%2e%2e%2fmanage.py", "/media/..%5cmanage.py", "/media//etc/passwd", "/media/%2fetc/passwd",
    "/media/%00", "/media/a%00.webp", "/media/sessions", "/media/sessions/", "/media/" + "a/" * 2_000, "/media/" + "x" * 5_000, "/media/%ff",
    "/docs/nothing/", "/docs/nothing.md", "/docs/../settings.md", "/docs/%2e%2e/manage.py", "/docs/adr.md", "/" + "x" * 60_000, "/" + "a/" * 20_000,
    "/sessions/1/events/../../", "/users/me/export", "/changes", "/spaces//", "/ws/", "/ws", "*", "", "http://evil.example/",
]  # fmt: skip


def test_a_path_that_leads_nowhere_says_so_as_json(api: Api, ada: Person) -> None:
    for path, who in product(NOWHERE, (None, ada)):
        answer = api.ask("GET", path, by=who)
        assert (answer.status, answer.code) == (404, "not_found"), (path[:60], answer)
        assert answer.json()["error"] == "Nothing is here."


IDS = [0, 1, 7, 999_999, 10**17, 2**31, 2**32 + 1]
LOGINS = [*IDS, 2**63 - 1, 2**63, 10**30, "9" * 5_000, "0" * 5_000]


def test_an_id_of_nothing_is_not_found(api: Api, eve: Person) -> None:
    for below, number in product(("", "events/", "tasks/", "tasks/1/", "spaces/"), IDS):
        answer = api.ask("GET", f"/sessions/{number}/{below}", by=eve)
        assert (answer.status, answer.code) == (404, "not_found"), (below, number)
    for method, login in product(("GET", "DELETE"), LOGINS):
        answer = api.ask(method, f"/users/me/logins/{login}/", by=eve)
        assert (answer.status, answer.code) == (404, "not_found"), login


# -- queries -------------------------------------------------------------------------------------

PAGED = [
    *("/sessions/", "/spaces/"),
    *(f"/sessions/{{}}/{x}/" for x in ("events", "tasks", "spaces")),
]
NO_NUMBER = [
    "", "0", "-1", "1.5", "1e3", "0x10", "+1", "%201", "1%20", "1_0", "x", "null", "true", "NaN", "%00", "1%00", "%ff", "%D9%A1", "%EF%BC%91",
    "%C2%B2", str(2**63), str(2**70), "9" * 5_000, "1;DROP", "1%27%20OR%201=1", "[]", "1,2", "%0a1", "1%0a", "%F0%9F%AA%90",
]  # fmt: skip


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_page_parameter_that_is_no_number_is_refused(api: Api, ada: Person, name: str) -> None:
    session = ada.has_session()
    for path, value in product(PAGED, NO_NUMBER):
        answer = api.ask("GET", f"{path.format(session.id)}?{name}={value}", by=ada)
        assert (answer.status, answer.code) == (400, "invalid"), (path, value, answer)
        assert answer.json()[name]


QUERIES: list[tuple[str, str, int, str | None]] = [
    ("a page of a thousand and one", "/sessions/?limit=1001", 400, "limit"),
    ("a page of a thousand", "/sessions/?limit=1000", 200, None),
    ("the last of two limits counts", "/sessions/?limit=x&limit=1", 200, None),
    ("the last of two limits counts, though it is wrong", "/sessions/?limit=1&limit=x", 400, "limit"),
    ("a list of limits is another name", "/sessions/?limit[]=x", 200, None),
    ("a name in upper case is another name", "/sessions/?LIMIT=x", 200, None),
    ("a semicolon parts nothing", "/sessions/?a=b;limit=x", 200, None),
    ("a status that is none", "/sessions/?status=asleep", 400, "status"),
    ("an empty status", "/sessions/?status=", 400, "status"),
    ("a status with a NUL", "/sessions/?status=ready%00", 400, "status"),
    ("a status in upper case", "/sessions/?status=READY", 400, "status"),
    ("a status that is no text", "/sessions/?status=%ff", 400, "status"),
    ("ten thousand statuses", "/sessions/?status=" + "ready," * 9_999 + "ready", 200, None),
    ("ten thousand statuses that are none", "/sessions/?status=" + "x," * 10_000, 400, "status"),
    ("a status of sixty thousand characters", "/sessions/?status=" + "x" * 60_000, 400, "status"),
    ("a status with a script", "/sessions/?status=<script>alert(1)</script>", 400, "status"),
    ("changes since never", "/changes/", 400, "since"),
    ("changes since nothing", "/changes/?since=", 400, "since"),
    ("changes since a word", "/changes/?since=yesterday", 400, "since"),
    ("changes since a fraction", "/changes/?since=1.5", 400, "since"),
    ("changes since before", "/changes/?since=-1", 400, "since"),
    ("changes since other digits", "/changes/?since=%D9%A1", 400, "since"),
    ("changes since a NUL", "/changes/?since=%00", 400, "since"),
    ("changes since beyond the column", f"/changes/?since={2**63}", 400, "since"),
    ("changes since five thousand digits", "/changes/?since=" + "9" * 5_000, 400, "since"),
    ("changes since the future", f"/changes/?since={2**63 - 1}", 200, None),
    ("an epoch with a NUL", "/changes/?since=0&epoch=%00", 400, "epoch"),
    ("an epoch of 65 characters", "/changes/?since=0&epoch=" + "e" * 65, 400, "epoch"),
    ("an epoch that is none", "/changes/?since=0&epoch=%F0%9F%AA%90", 200, None),
    ("an empty epoch", "/changes/?since=0&epoch=", 200, None),
    ("a format that we have not", "/sessions/?format=xml", 200, None),
    ("a format that is a path", "/sessions/?format=../../etc/passwd", 200, None),
    ("a format with a NUL", "/sessions/?format=%00", 200, None),
    ("a filter of the database", "/sessions/?user__password__startswith=a&id__gt=0", 200, None),
    ("an order", "/sessions/?ordering=user__password", 200, None),
    ("a thousand names", "/sessions/?" + "&".join(f"a{n}=b" for n in range(1_000)), 200, None),
    ("a thousand and one names", "/sessions/?" + "&".join(f"a{n}=b" for n in range(1_001)), 400, ""),
    ("thirty thousand ampersands", "/sessions/?" + "&" * 30_000, 400, ""),
    ("only an equals sign", "/sessions/?=", 200, None),
    ("half a percent sign", "/sessions/?%", 200, None),
    ("a second question mark", "/sessions/??limit=x", 200, None),
    ("a plus sign for a space", "/sessions/?limit=+1", 400, "limit"),
]  # fmt: skip


def test_a_query_is_taken_as_it_stands(api: Api, ada: Person) -> None:
    for what, target, status, field in QUERIES:
        answer = api.ask("GET", target, by=ada)
        assert answer.status == status, (what, answer)
        if field is not None:
            assert answer.code == "invalid", what
            assert not field or answer.json()[field][0] == answer.json()["error"], what
            assert len(answer.body) < 1_000, what


def test_the_cursor_of_the_next_page_holds_nothing_but_numbers(api: Api, ada: Person) -> None:
    for _ in range(3):
        ada.has_session()
    answer = api.ask("GET", "/sessions/?limit=1&status=ready&x=%3E%0d%0aSet-Cookie:a%00", by=ada)
    assert answer.status == 200
    link = answer.header["link"]
    assert not {"\r", "\n", "\x00"} & set(link)
    assert link.endswith('>; rel="next"')
    assert link.count(">") == 1
    assert "set-cookie" not in answer.header


# -- methods -------------------------------------------------------------------------------------

METHODS = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "SEARCH", "PURGE", "DEBUG",
    "LINK", "QUERY", "BREW", "get", "Post", "DISPATCH", "HTTP_METHOD_NOT_ALLOWED", "__class__", "INITIALIZE_REQUEST", "X" * 5_000,
]  # fmt: skip


def test_a_method_that_a_route_does_not_have_is_answered_405(api: Api, ada: Person) -> None:
    session = ada.has_session().id
    for route, method in product(ALLOWED, METHODS):
        target = path_of(route, session_id=session, task_id=1, login_id=1)
        allowed = set(ALLOWED[route].split())
        if method in allowed or method.upper() in allowed:
            continue  # Django takes a method in any case
        answer = api.ask(method, target, b"{}" if method in {"POST", "PUT"} else b"", by=ada)
        assert (answer.status, answer.code) == (405, "method_not_allowed"), (method, answer)
        said = {name.strip() for name in answer.header["allow"].split(",")}
        assert said - {"HEAD", "OPTIONS"} == allowed, (method, said)
        assert len(answer.body) < 12_000


def test_head_is_answered_as_get(api: Api, ada: Person) -> None:
    login, session = ada.user.logins.get().pk, ada.has_session().id
    for route in (route for route in ALLOWED if "GET" in ALLOWED[route]):
        target = path_of(route, session_id=session, task_id=1, login_id=login)
        target += "?since=0" if route == "changes/" else ""
        get, head = (api.ask(method, target, by=ada) for method in ("GET", "HEAD"))
        kinds = [answer.header.get("content-type") for answer in (head, get)]
        assert (head.status, kinds[0]) == (get.status, kinds[1]), route


OURS = "localhost:5173"  # the origin of the published client
FOREIGN = [
    "https://evil.example",
    "null",
    f"http://{OURS}.evil.example",
    f"https://{OURS}",
    f"http://{OURS}0",
]


def test_options_tell_a_foreign_page_nothing(api: Api, ada: Person) -> None:
    for origin, path in product(FOREIGN, ("/sessions/", "/users/me/", "/nowhere/")):
        headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        answer = api.ask("OPTIONS", path, headers=headers)
        assert not [name for name in answer.header if name.startswith("access-control-")], answer


def test_options_tell_the_published_client_what_it_may(api: Api, patient: None) -> None:
    headers = {"Origin": f"http://{OURS}", "Access-Control-Request-Method": "PATCH"}
    answer = api.ask("OPTIONS", "/sessions/1/", headers=headers)
    assert answer.status == 200
    assert answer.header["access-control-allow-origin"] == f"http://{OURS}"
    assert "access-control-allow-credentials" not in answer.header


def test_every_route_has_its_methods_in_the_table() -> None:
    """A new route comes into the table, or this test fails."""
    assert routes() == ALLOWED.keys()


# -- what anybody may ask ------------------------------------------------------------------------


PUBLIC = ["/", "/schema/", "/docs/", "/docs/rest/", "/docs/socket/", "/docs/asyncapi.yaml"]


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_costs_little(api: Api, patient: None, path: str) -> None:
    api.ask("GET", path)
    began = time.process_time()
    for _ in range(5):
        assert api.ask("GET", path).status == 200
    assert (time.process_time() - began) / 5 < 0.05  # seconds of the processor


def test_the_schema_ignores_its_query(api: Api, patient: None) -> None:
    for name, value in product(("lang", "version", "format"), ("%00", "../../x", "9", "json")):
        assert api.ask("GET", f"/schema/?{name}={value}").status == 200, (name, value)


def test_no_answer_says_with_what_it_was_made(api: Api, ada: Person) -> None:
    for path in ("/", "/sessions/", "/nowhere/", "/schema/"):
        answer = api.ask("GET", path, by=ada)
        assert not {"server", "x-powered-by", "x-generator"} & answer.header.keys()
        assert answer.header["x-content-type-options"] == "nosniff"
    body = api.ask("POST", "/sessions/", b"{", by=ada).json()
    assert "Traceback" not in json.dumps(body)
    assert str(django_settings.BASE_DIR) not in json.dumps(body)
