"""Headers that are not what they seem: tokens that others made, conditions, keys, addresses, hosts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import jwt
from django.conf import settings as django_settings

from accounts.auth.tokens import pair_of
from accounts.models import Login, User
from sessions_app.models import IdempotencyKey, Session
from tests.hostile.routes import COMMANDS
from tests.support.api import Answer, Api, Headers, Text, bearer
from tests.support.people import PASSWORD, Person, signed_up

GOOD = {"title": "W", "duration": 5}


def token_of(person: Person) -> str:
    return bearer(person).removeprefix("Bearer ")


def create(api: Api, by: Person | None, headers: Headers = ()) -> Answer:
    return api.ask("POST", "/sessions/", json.dumps(GOOD), headers, by=by)


# -- what is no token ----------------------------------------------------------------------------

SCHEMES: list[tuple[str, Text, str]] = [
    ("nothing", "", "not_authenticated"),
    ("only white space", "   ", "not_authenticated"),
    ("another scheme", "Basic YWRhOnBhc3N3b3Jk", "not_authenticated"),
    ("digest", 'Digest username="ada", realm="api"', "not_authenticated"),
    ("a scheme of ours that is not", "Token {token}", "not_authenticated"),
    ("JWT for a scheme", "JWT {token}", "not_authenticated"),
    ("no scheme", "{token}", "not_authenticated"),
    ("a colon", "Bearer: {token}", "not_authenticated"),
    ("a tab for the space", "Bearer\t{token}", "not_authenticated"),
    ("an equals sign", "Bearer={token}", "not_authenticated"),
    ("two schemes", "Basic Bearer {token}", "not_authenticated"),
    ("the scheme in full width", "Ｂｅａｒｅｒ {token}", "not_authenticated"),
    ("no token", "Bearer", "token_not_valid"),
    ("an empty token", "Bearer ", "token_not_valid"),
    ("null", "Bearer null", "token_not_valid"),
    ("undefined", "Bearer undefined", "token_not_valid"),
    ("quotes around it", 'Bearer "{token}"', "token_not_valid"),
    ("angle brackets around it", "Bearer <{token}>", "token_not_valid"),
    ("twice the scheme", "Bearer Bearer {token}", "token_not_valid"),
    ("two tokens", "Bearer {token} {token}", "token_not_valid"),
    ("two tokens with a comma", "Bearer {token}, Bearer {token}", "token_not_valid"),
    ("a parameter", "Bearer {token}; charset=utf-8", "token_not_valid"),
    ("a NUL behind it", "Bearer {token}\x00", "token_not_valid"),
    ("a NUL before it", "Bearer \x00{token}", "token_not_valid"),
    ("bytes that are no text", b"Bearer \xff\xfe\xfd", "token_not_valid"),
    ("a zero width space in it", "Bearer \u200b{token}", "token_not_valid"),
    ("percent signs", "Bearer %65%79", "token_not_valid"),
    ("one part", "Bearer abc", "token_not_valid"),
    ("two parts", "Bearer abc.def", "token_not_valid"),
    ("four parts", "Bearer {token}.x", "token_not_valid"),
    ("five parts, encrypted", "Bearer a.b.c.d.e", "token_not_valid"),
    ("only points", "Bearer ..", "token_not_valid"),
    ("fifty thousand points", "Bearer " + "." * 50_000, "token_not_valid"),
    ("sixty thousand characters", "Bearer " + "e" * 60_000, "token_not_valid"),
    ("an expression", "Bearer ${jndi:ldap://127.0.0.1/a}", "token_not_valid"),
    ("a query", "Bearer ' OR '1'='1", "token_not_valid"),
]  # fmt: skip


def test_a_header_that_holds_no_token_lets_nobody_in(api: Api, ada: Person) -> None:
    token = token_of(ada)
    for what, header, code in SCHEMES:
        text = header.replace("{token}", token) if isinstance(header, str) else header
        answer = api.ask("GET", "/users/me/", headers={"Authorization": text})
        assert (answer.status, answer.code) == (401, code), (what, answer)
        assert token.encode() not in answer.body


def test_the_case_of_the_scheme_does_not_matter(api: Api, ada: Person) -> None:
    for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
        headers = {"Authorization": f"{scheme} {token_of(ada)}"}
        assert api.ask("GET", "/users/me/", headers=headers).status == 200


def test_a_header_that_comes_twice_lets_nobody_in(api: Api, ada: Person, eve: Person) -> None:
    for first, second in [(ada, eve), (eve, ada), (ada, ada)]:
        headers = [("Authorization", bearer(first)), ("authorization", bearer(second))]
        answer = api.ask("GET", "/users/me/", headers=headers)
        assert (answer.status, answer.code) == (401, "token_not_valid")


PARAMETERS = ["access", "token", "access_token", "jwt", "Authorization", "sessionid"]
NO_AUTHORIZATION = [
    *("X-Authorization", "X-Access-Token", "Authorization_", "Proxy-Authorization"),
    *("X-Forwarded-User", "Remote-User", "X-Remote-User"),
]


def test_a_token_in_the_address_or_a_cookie_is_not_read(api: Api, ada: Person) -> None:
    for pair in (f"{name}={token_of(ada)}" for name in PARAMETERS):
        assert api.ask("GET", f"/users/me/?{pair}").code == "not_authenticated"
        assert api.ask("GET", "/users/me/", headers={"Cookie": pair}).code == "not_authenticated"


def test_no_other_header_stands_for_a_token(api: Api, ada: Person) -> None:
    for name, value in product(NO_AUTHORIZATION, (bearer(ada), "ada")):
        assert api.ask("GET", "/users/me/", headers={name: value}).code == "not_authenticated"


# -- tokens that others made ---------------------------------------------------------------------


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: Any, claims: Any, key: bytes, digest: str = "sha256") -> str:
    said = f"{encoded(header)}.{encoded(claims)}"
    return f"{said}.{encoded(hmac.new(key, said.encode(), digest).digest())}"


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


Forge = Callable[[dict[str, Any], dict[str, Any], str], str]
KEY = django_settings.TOKEN_SIGNING_KEY.encode()
OURS = {"alg": "HS256", "typ": "JWT"}


def with_header(**more: Any) -> Forge:
    """Even with the right key: another header than ours is not ours."""
    return lambda header, claims, _: signed(header | more, claims, KEY)


def with_claims(**more: Any) -> Forge:
    """With the right key: what nobody but us could sign, and what must not crash."""
    return lambda header, claims, _: signed(header, claims | more, KEY)


FORGED: list[tuple[str, Forge]] = [
    ("alg none, no signature", lambda h, c, t: f"{encoded(h | {'alg': 'none'})}.{encoded(c)}."),
    ("alg None", lambda h, c, t: f"{encoded(h | {'alg': 'None'})}.{encoded(c)}."),
    ("alg nOnE", lambda h, c, t: f"{encoded(h | {'alg': 'nOnE'})}.{encoded(c)}."),
    ("alg none, the old signature", lambda h, c, t: f"{encoded(h | {'alg': 'none'})}.{encoded(c)}.{t.split('.')[2]}"),
    ("alg empty", lambda h, c, t: f"{encoded(h | {'alg': ''})}.{encoded(c)}."),
    ("no alg", lambda h, c, t: signed({k: v for k, v in h.items() if k != 'alg'}, c, KEY)),
    ("alg null", with_header(alg=None)),
    ("alg a list", with_header(alg=["HS256"])),
    ("alg a number", with_header(alg=256)),
    ("HS384 with our key", lambda h, c, t: signed(h | {"alg": "HS384"}, c, KEY, "sha384")),
    ("HS512 with our key", lambda h, c, t: signed(h | {"alg": "HS512"}, c, KEY, "sha512")),
    ("HS256 in lower case", with_header(alg="hs256")),
    ("RS256 that is HS256", with_header(alg="RS256")),
    ("ES256", with_header(alg="ES256")),
    ("no signature", lambda h, c, t: t.rpartition(".")[0] + "."),
    ("half a signature", lambda h, c, t: t[:-20]),
    ("the signature of another login", lambda h, c, t: f"{encoded(h)}.{encoded(c | {'login': c['login'] + 1})}.{t.split('.')[2]}"),
    ("the payload changed", lambda h, c, t: f"{t.split('.')[0]}.{encoded(c | {'user_id': c['user_id'] + '1'})}.{t.split('.')[2]}"),
    ("the empty key", lambda h, c, t: signed(h, c, b"")),
    ("the key 'secret'", lambda h, c, t: signed(h, c, b"secret")),
    ("the key of the site", lambda h, c, t: signed(h, c, django_settings.SECRET_KEY.encode())),
    ("the hash of our key", lambda h, c, t: signed(h, c, hashlib.sha256(KEY).digest())),
    ("a key that it brings along", lambda h, c, t: signed(h | {"jwk": {"kty": "oct", "k": encoded(b"mine")}}, c, b"mine")),
    ("a key from an address", lambda h, c, t: signed(h | {"jku": "http://127.0.0.1:1/keys"}, c, b"mine")),
    ("a certificate from an address", lambda h, c, t: signed(h | {"x5u": "http://127.0.0.1:1/a.pem"}, c, b"mine")),
    ("a certificate that it brings along", lambda h, c, t: signed(h | {"x5c": ["MIIB"]}, c, b"mine")),
    ("kid a file", lambda h, c, t: signed(h | {"kid": "../../../../dev/null"}, c, b"")),
    ("kid a query", lambda h, c, t: signed(h | {"kid": "' UNION SELECT 'mine' --"}, c, b"mine")),
    ("kid a list", with_header(kid=[])),
    ("kid an object", with_header(kid={"a": 1})),
    ("kid a number", with_header(kid=1)),
    ("kid of nobody", with_header(kid="nobody")),
    ("kid of 10,000 characters", with_header(kid="k" * 10_000)),
    ("kid a lone surrogate", with_header(kid="\ud800")),
    ("crit that nobody knows", with_header(crit=["exp"])),
    ("not encoded at all (b64)", with_header(b64=False, crit=["b64"])),
    ("compressed", with_header(zip="DEF")),
    ("encrypted", with_header(enc="A256GCM", alg="dir")),
    ("another kind of content", with_header(cty="JWT")),
    ("a header that nests", lambda h, c, t: signed(b"[" * 20_000, c, KEY)),
    ("a header that is a list", lambda h, c, t: signed([], c, KEY)),
    ("a header that is null", lambda h, c, t: signed(None, c, KEY)),
    ("a header with a huge number", lambda h, c, t: signed(b'{"alg":"HS256","x":' + b"9" * 5_000 + b"}", c, KEY)),
    ("a header that is not UTF-8", lambda h, c, t: signed(b'{"alg":"HS256","x":"\xff"}', c, KEY)),
    ("a payload that is a list", lambda h, c, t: signed(h, [c], KEY)),
    ("a payload that is no JSON", lambda h, c, t: signed(h, b"ada", KEY)),
    ("a payload that nests", lambda h, c, t: signed(h, b"[" * 20_000, KEY)),
    ("a kind that does not exist", with_claims(token_type="admin")),
    ("no kind", lambda h, c, t: signed(h, {k: v for k, v in c.items() if k != "token_type"}, KEY)),
    ("expired an hour ago", with_claims(exp=int(time.time()) - 3_600)),
    ("no end", lambda h, c, t: signed(h, {k: v for k, v in c.items() if k != "exp"}, KEY)),
    ("an end that is text", with_claims(exp="tomorrow")),
    ("an end beyond any calendar", with_claims(exp=10**18)),
    ("an end at infinity", lambda h, c, t: signed(h, json.dumps(c | {"exp": 1}).replace('"exp": 1', '"exp": 1e400').encode(), KEY)),
    ("not before tomorrow", with_claims(nbf=int(time.time()) + 86_400)),
    ("made tomorrow", with_claims(iat=int(time.time()) + 86_400)),
    ("a login that never was", with_claims(login=10**12)),
    ("a login beyond the column", with_claims(login=2**70)),
    ("a login that is text", with_claims(login="1 OR 1=1")),
    ("a login that is null", with_claims(login=None)),
    ("a user beyond the column", with_claims(user_id=str(2**70))),
    ("a user in other digits", with_claims(user_id="١")),
    ("no user", lambda h, c, t: signed(h, {k: v for k, v in c.items() if k != "user_id"}, KEY)),
]  # fmt: skip


def test_a_forged_token_lets_nobody_in(api: Api, ada: Person) -> None:
    token = token_of(ada)
    header, claims = parts_of(token)
    # The table would show nothing if it did not forge with the right key.
    again = {"Authorization": f"Bearer {signed(header, claims | {'jti': 'f' * 32}, KEY)}"}
    assert api.ask("GET", "/users/me/", headers=again).status == 200
    for what, forge in FORGED:
        forged = forge(header, claims, token)
        assert forged != token, what
        answers = [
            api.ask("GET", "/users/me/", headers={"Authorization": f"Bearer {forged}"}),
            api.ask("POST", "/users/token/refresh/", json.dumps({"refresh": forged})),
            api.ask("POST", "/users/logout/", json.dumps({"refresh": forged})),
        ]
        for answer in answers:
            assert (answer.status, answer.code) == (401, "token_not_valid"), (what, answer)
    assert Login.objects.get().ended_at is None


def test_a_token_of_another_kind_lets_nobody_in(api: Api, ada: Person) -> None:
    pair = pair_of(Login.objects.get())
    answer = api.ask("GET", "/users/me/", headers={"Authorization": f"Bearer {pair.refresh}"})
    assert (answer.status, answer.code) == (401, "token_not_valid")
    answer = api.ask("POST", "/users/token/refresh/", json.dumps({"refresh": pair.access}))
    assert (answer.status, answer.code) == (401, "token_not_valid")


# -- conditions ----------------------------------------------------------------------------------

NO_MATCH: list[tuple[str, Text]] = [
    ("empty", ""),
    ("a number without quotes", "7"),
    ("an empty tag", '""'),
    ("a word", '"seven"'),
    ("negative", '"-1"'),
    ("a fraction", '"1.0"'),
    ("hexadecimal", '"0x1"'),
    ("other digits", '"١"'),
    ("white space within", '" 1 "'),
    ("two tags", '"1", "2"'),
    ("one quote", '"1'),
    ("single quotes", "'1'"),
    ("a NUL", '"1\x00"'),
    ("bytes that are no text", b'"\xff"'),
    ("beyond the column", f'"{2**63}"'),
    ("fifty thousand digits", '"' + "1" * 50_000 + '"'),
    ("stars", "**"),
]  # fmt: skip
TAKES_A_CONDITION = [
    *(("PUT", ""), ("PATCH", ""), ("DELETE", "")),
    *(("POST", "start/"), ("POST", "extend/"), ("POST", "repeat/")),
]


def test_a_malformed_condition_is_refused(api: Api, ada: Person) -> None:
    path = f"/sessions/{ada.has_session().id}/"
    for (what, value), (method, action) in product(NO_MATCH, TAKES_A_CONDITION):
        answer = api.ask(method, path + action, '{"seconds": 60}', {"If-Match": value}, by=ada)
        assert (answer.status, answer.code) == (400, "invalid"), (what, action, answer)
        assert answer.json()["If-Match"]
    assert Session.objects.get().version == 1


def test_a_condition_that_does_not_hold_has_no_effect(api: Api, ada: Person) -> None:
    path = f"/sessions/{ada.has_session().id}/"
    for value, (method, action) in product((2, 0, 10**17), TAKES_A_CONDITION):
        for headers, more in [({"If-Match": f'"{value}"'}, {}), ({}, {"version": value})]:
            if more and method in {"PUT", "PATCH"}:
                continue  # `version` of a session is read-only; a condition is the header's
            answer = api.ask(
                method, path + action, json.dumps({"seconds": 60} | more), headers, by=ada
            )
            assert (answer.status, answer.code) == (412, "stale_version"), (value, action, answer)
            assert answer.json()["version"] == 1
    assert Session.objects.get().version == 1


NO_VERSION = ["1", "", 1.0, True, False, -1, 2**63, 2**70, [], [1], {}, "\ud800", 1e400]


def test_a_malformed_version_is_refused(api: Api, ada: Person) -> None:
    """Also beside a condition that holds."""
    path = f"/sessions/{ada.has_session().id}/"
    for value, action, headers in product(NO_VERSION, COMMANDS, ({}, {"If-Match": '"1"'})):
        body = json.dumps({"version": value, "seconds": 60}).replace("Infinity", "1e400")
        answer = api.ask("POST", f"{path}{action}/", body, headers, by=ada)
        assert (answer.status, answer.code) == (400, "invalid"), (value, action, answer)
        assert answer.json()["version"]
    assert Session.objects.get().version == 1


# -- idempotency keys ----------------------------------------------------------------------------

NO_KEY: list[tuple[str, Text]] = [
    ("empty", ""),
    ("256 characters", "k" * 256),
    ("sixty thousand characters", "k" * 60_000),
    ("a NUL", "a\x00b"),
    ("a tab", "a\tb"),
    ("an escape", "a\x1b[31m"),
    ("a delete", "a\x7f"),
    ("UTF-8, which is control characters in Latin-1", "\U0001fa90"),
    ("a soft hyphen", "a\u00adb".encode("latin-1")),
]  # fmt: skip
KEYS: list[tuple[str, Text]] = [
    ("255 characters", "k" * 255),
    ("one character", "k"),
    ("a space within", "a b"),
    ("quotes", "'\"; DROP TABLE sessions_app_session; --"),
    ("a format", "%s %(x)s {0}"),
    ("Latin-1", "é".encode("latin-1")),
]  # fmt: skip


def test_a_malformed_key_is_refused(api: Api, ada: Person) -> None:
    own = f"/sessions/{ada.has_session().id}"
    for path in ("/sessions/", f"{own}/tasks/", f"{own}/start/", f"{own}/repeat/"):
        for what, key in NO_KEY:
            answer = api.ask("POST", path, json.dumps(GOOD), {"Idempotency-Key": key}, by=ada)
            assert (answer.status, answer.code) == (400, "invalid"), (what, path, answer)
            assert answer.json()["Idempotency-Key"]
    assert (Session.objects.count(), Session.objects.get().version) == (1, 1)
    assert not IdempotencyKey.objects.exists()


def test_a_key_is_any_text_and_happens_once(api: Api, ada: Person) -> None:
    for what, key in KEYS:
        answers = [create(api, ada, {"Idempotency-Key": key}) for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201], what
        assert answers[0].json()["id"] == answers[1].json()["id"], what
    assert Session.objects.count() == len(KEYS)


def test_a_key_that_comes_twice_is_one_key(api: Api, ada: Person) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert {create(api, ada, headers).json()["id"] for _ in range(2)} == {Session.objects.get().pk}


# -- where a request says it comes from, and goes ------------------------------------------------

FORWARDED: list[tuple[str, int, list[tuple[str, str]], str | None]] = [
    ("no proxy is ours: it is not believed", 0, [("X-Forwarded-For", "6.6.6.6")], "203.0.113.9"),
    ("no proxy is ours: nor is Forwarded", 0, [("Forwarded", "for=6.6.6.6")], "203.0.113.9"),
    ("no proxy is ours: nor X-Real-IP", 0, [("X-Real-IP", "6.6.6.6")], "203.0.113.9"),
    ("one proxy: what it appended", 1, [("X-Forwarded-For", "6.6.6.6, 198.51.100.7")], "198.51.100.7"),
    ("one proxy: a header of the client's before it", 1, [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "198.51.100.7")], "198.51.100.7"),
    ("one proxy: a header with underscores is not it", 1, [("X-Forwarded-For", "198.51.100.7"), ("X_Forwarded_For", "6.6.6.6")], "198.51.100.7"),
    ("one proxy: only the one with underscores", 1, [("X_Forwarded_For", "6.6.6.6")], "203.0.113.9"),
    ("one proxy: no address at all", 1, [("X-Forwarded-For", "unknown")], "203.0.113.9"),
    ("one proxy: a name", 1, [("X-Forwarded-For", "evil.example")], "203.0.113.9"),
    ("one proxy: an address with a port", 1, [("X-Forwarded-For", "198.51.100.7:80")], "203.0.113.9"),
    ("one proxy: an address with a zone", 1, [("X-Forwarded-For", "fe80::1%eth0")], "fe80::1"),
    ("one proxy: a zone of ten thousand characters", 1, [("X-Forwarded-For", "fe80::1%" + "z" * 10_000)], "fe80::1"),
    ("one proxy: a NUL", 1, [("X-Forwarded-For", "198.51.100.7\x00")], "203.0.113.9"),
    ("one proxy: a query", 1, [("X-Forwarded-For", "1.1.1.1'; DROP TABLE accounts_login; --")], "203.0.113.9"),
    ("one proxy: ten thousand commas", 1, [("X-Forwarded-For", "," * 10_000)], "203.0.113.9"),
    ("two proxies and one address", 2, [("X-Forwarded-For", "6.6.6.6")], "203.0.113.9"),
]  # fmt: skip


def sign_up(api: Api, name: str, headers: Headers = (), address: str = "127.0.0.1") -> None:
    form = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    answer = api.ask("POST", "/users/signup/", json.dumps(form), headers, address=address)
    assert answer.status == 201, answer


def test_a_client_cannot_choose_its_address(api: Api, patient: None, settings: Any) -> None:
    for number, (what, proxies, headers, address) in enumerate(FORWARDED):
        settings.TRUSTED_PROXIES = proxies
        sign_up(api, f"user{number}", headers, "203.0.113.9")
        assert Login.objects.latest("pk").address == address, what


def test_a_connection_may_have_any_address(api: Api, patient: None) -> None:
    for n, address in enumerate(["fe80::1%eth0", "::ffff:1.2.3.4", "", "unix:", "testclient"]):
        sign_up(api, f"user{n}", address=address)


HOSTS = ["evil.example", "testserver.evil.example", "testserver@evil.example", "testserver:80:80", "", " ", "a b", "[::1", "testserver\x00", "x" * 10_000, "../etc", "testserver/..", "<script>", "%00", "téstserver"]  # fmt: skip


FORWARDED_HOST = [
    "X-Forwarded-Host",
    "X-Host",
    "Forwarded",
    "X-Forwarded-Server",
    "X-Original-Host",
]
OVERRIDE = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
REWRITE = ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Script-Name", "Script-Name"]


def test_a_host_that_is_not_ours_is_refused(api: Api, ada: Person, settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = ["testserver"], ""
    for host in HOSTS:
        answer = api.ask("GET", "/sessions/", headers={"Host": host}, by=ada)
        assert (answer.status, answer.code) == (400, "invalid"), host


def test_a_forwarded_host_is_in_no_link(api: Api, ada: Person, settings: Any) -> None:
    settings.PUBLIC_URL = ""
    ada.has_session()
    ada.has_session()
    for name in FORWARDED_HOST:
        answer = api.ask("GET", "/sessions/?limit=1", headers={name: "evil.example"}, by=ada)
        assert "evil" not in answer.header["link"], name


def test_method_and_path_are_those_of_the_request_line(api: Api, ada: Person) -> None:
    path = f"/sessions/{ada.has_session().id}/"
    for headers in ({name: "DELETE"} for name in OVERRIDE):
        assert api.ask("GET", path, headers=headers, by=ada).status == 200
        assert api.ask("POST", path, "{}", headers, by=ada).status == 405
    assert api.ask("POST", f"{path}?_method=DELETE", "{}", by=ada).status == 405
    assert Session.objects.exists()
    for name in REWRITE:
        answer = api.ask("GET", "/nowhere/", headers={name: "/users/me/"}, by=ada)
        assert (answer.status, answer.code) == (404, "not_found"), name


ACCEPTED = ["*/*", "application/json", "text/html", "application/xml", "image/webp", "", "nonsense", "/", ";", ",", "application/json;q=0", "*/*;q=x", 'a/b;c="', "application/json; indent=8", "application/json; indent=99999", "application/json; indent=-5", "application/json; indent=" + "9" * 5_000, "application/json; charset=utf-16", "*/*," * 10_000, "\x00", "应用/json"]  # fmt: skip


def test_json_is_answered_whatever_is_accepted(api: Api, ada: Person) -> None:
    paths = [("/sessions/", 200), ("/sessions/999999/", 404), ("/nowhere/", 404)]
    for accept, (path, status) in product(ACCEPTED, paths):
        answer = api.ask("GET", path, headers={"Accept": accept}, by=ada)
        assert answer.status == status, accept[:40]
        assert isinstance(answer.json(), dict | list)


ODD: list[tuple[str, Headers]] = [
    ("a huge user agent", {"User-Agent": "Mozilla/5.0 " + "Mac OS X " * 6_000}),
    ("a user agent of bytes", {"User-Agent": b"\xff\xfe\x00"}),
    ("a huge cookie", {"Cookie": "a=b; " * 12_000}),
    ("a broken cookie", {"Cookie": '=; ;; a="; \x00=\xff'}),
    ("an origin that is no address", {"Origin": "http://[::1"}),
    ("an origin with a port that is none", {"Origin": "http://a:99999999"}),
    ("a null origin", {"Origin": "null"}),
    ("a foreign origin", {"Origin": "https://evil.example"}),
    ("a referrer that is no address", {"Referer": "http://[::1"}),
    ("a date that is none", {"If-Modified-Since": "yesterday", "If-Unmodified-Since": "\x00"}),
    ("a tag that is none", {"If-None-Match": 'W/"\x00', "If-Range": "x"}),
    ("a range", {"Range": "bytes=0-1,5-,-9999999999999999999"}),
    ("a language that is none", {"Accept-Language": "../../etc/passwd," * 1_000}),
    ("an encoding that is none", {"Accept-Encoding": "zip;q=\x00," * 1_000}),
    ("a thousand headers", [(f"X-{n}", "x") for n in range(1_000)]),
    ("a header without a name", [("", "x")]),
    ("an upgrade", {"Connection": "Upgrade", "Upgrade": "websocket"}),
    ("an expectation", {"Expect": "100-continue"}),
    ("a length that is a sign", {"Content-Length": "²"}),
    ("a negative length", {"Content-Length": "-5"}),
    ("two lengths", [("Content-Length", "0"), ("Content-Length", "5")]),
    ("trailers", {"TE": "trailers", "Trailer": "Authorization"}),
    ("a script for a protocol", {"X-Forwarded-Proto": "javascript", "X-Forwarded-Port": "x"}),
    ("Shellshock", {"User-Agent": "() { :; }; echo x"}),
    ("a trace", {"traceparent": "00-" + "f" * 10_000, "X-Request-Id": "\x00"}),
]  # fmt: skip


def test_headers_that_make_no_sense_change_nothing(api: Api, ada: Person) -> None:
    for what, headers in ODD:
        for path, status in (("/sessions/", 200), ("/nowhere/", 404)):
            answer = api.ask("GET", path, headers=headers, by=ada)
            assert answer.status == status, what
            assert "access-control-allow-origin" not in answer.header, what
        answer = api.ask("GET", "/users/me/", headers=headers)
        assert (answer.status, answer.code) == (401, "not_authenticated"), what


def test_a_user_agent_of_any_length_names_a_device(api: Api, patient: None) -> None:
    sign_up(api, "ada", {"User-Agent": "Chrome/" * 8_000 + "\u202e\x00"})
    assert Login.objects.get().device == "Chrome"


def test_no_header_makes_a_user_another_one(api: Api, ada: Person) -> None:
    eve = signed_up("eve")
    assert User.objects.count() == 2
    for name in ("X-User", "X-User-Id", "X-Forwarded-User", "From", "X-Impersonate"):
        answer = api.ask("GET", "/users/me/", headers={name: str(ada.user_id)}, by=eve)
        assert answer.json()["username"] == "eve"
