"""Only tokens that one of our keys signed, in the form that we write, are accepted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings as _settings
from rest_framework.test import APIClient

from accounts.auth.admission import admit, admit_all
from accounts.auth.keys import key_id
from accounts.auth.tokens import pair_of
from accounts.exceptions import TokenExpired, TokenNotValid
from accounts.models import Login

pytestmark = pytest.mark.django_db

OLD, NEW, NOT_OURS = "o" * 32, "n" * 32, "f" * 32


def refresh(token: str) -> Any:
    return APIClient().post("/users/token/refresh/", {"refresh": token}, format="json")


def use(token: str) -> Any:
    return APIClient().get("/users/me/", HTTP_AUTHORIZATION=f"Bearer {token}")


def refused(response: Any) -> bool:
    return (response.status_code, response.json()["code"]) == (401, "token_not_valid")


# -- rotation ------------------------------------------------------------------------------------


def test_a_token_names_its_key_without_telling_it(ada: Any) -> None:
    for token in (ada.access, ada.refresh):
        header = jwt.get_unverified_header(token)
        assert header == {"alg": "HS256", "typ": "JWT", "kid": key_id(_settings.TOKEN_SIGNING_KEY)}
        assert len(header["kid"]) == 16


def test_a_change_of_keys_logs_no_user_out(settings: Any, ada: Any) -> None:
    # First every server learns the next key, then it signs, then the one before is forgotten.
    before = settings.TOKEN_SIGNING_KEY
    settings.TOKEN_VERIFYING_KEYS = [NEW]
    old = ada.refreshed().json()
    settings.TOKEN_SIGNING_KEY, settings.TOKEN_VERIFYING_KEYS = NEW, [before]
    assert use(old["access"]).status_code == 200
    new = refresh(old["refresh"]).json()
    assert jwt.get_unverified_header(new["access"])["kid"] == key_id(NEW)
    settings.TOKEN_VERIFYING_KEYS = []
    assert use(new["access"]).status_code == 200
    assert refresh(new["refresh"]).status_code == 200
    assert refused(use(old["access"]))


def test_a_server_that_knows_the_next_key_accepts_its_tokens(settings: Any, ada: Any) -> None:
    before = settings.TOKEN_SIGNING_KEY
    settings.TOKEN_SIGNING_KEY, settings.TOKEN_VERIFYING_KEYS = NEW, [before]
    signed_elsewhere = pair_of(ada.login).access
    settings.TOKEN_SIGNING_KEY, settings.TOKEN_VERIFYING_KEYS = before, [NEW]
    assert use(signed_elsewhere).status_code == 200


def test_the_token_of_a_key_that_is_gone_is_refused(settings: Any, ada: Any) -> None:
    settings.TOKEN_SIGNING_KEY = NEW
    assert refused(use(ada.access))
    assert refused(ada.refreshed())


@pytest.mark.parametrize("others", [[], [OLD]])
def test_tokens_from_before_keys_had_names_are_still_good(
    settings: Any, ada: Any, others: list[str]
) -> None:
    key = settings.TOKEN_SIGNING_KEY
    tokens = [jwt.encode(claims(t), key, algorithm="HS256") for t in (ada.access, ada.refresh)]
    if others:
        settings.TOKEN_SIGNING_KEY, settings.TOKEN_VERIFYING_KEYS = NEW, [*others, key]
    assert use(tokens[0]).status_code == 200
    assert refresh(tokens[1]).status_code == 200


def test_an_expired_token_says_so_whichever_key_signed_it(settings: Any, ada: Any) -> None:
    key = settings.TOKEN_SIGNING_KEY
    old = claims(ada.access) | {"exp": int(time.time()) - 60}
    settings.TOKEN_SIGNING_KEY, settings.TOKEN_VERIFYING_KEYS = NEW, [OLD, key]
    for headers in ({}, {"kid": key_id(key)}):
        with pytest.raises(TokenExpired):
            admit(jwt.encode(old, key, algorithm="HS256", headers=headers))


# -- forged tokens -------------------------------------------------------------------------------


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    header: dict[str, Any], payload: dict[str, Any], key: str, digest: str = "sha256"
) -> str:
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(hmac.new(key.encode(), text.encode(), digest).digest())}"


Forge = Callable[[dict[str, Any], dict[str, Any], str, str], str]  # header, claims, key, token

HEADERS: dict[str, Forge] = {
    "unknown kid": lambda h, c, key, _: signed(h | {"kid": key_id(NOT_OURS)}, c, key),
    "known kid, another key": lambda h, c, key, _: signed(h, c, NOT_OURS),
    "no kid, another key": lambda h, c, key, _: jwt.encode(c, NOT_OURS, algorithm="HS256"),
    "kid that is a path": lambda h, c, key, _: signed(h | {"kid": "../../dev/null"}, c, ""),
    "kid that is SQL": lambda h, c, key, _: signed(h | {"kid": "' UNION SELECT 'x"}, c, "x"),
    "kid that is a URL": lambda h, c, key, _: signed(h | {"kid": "https://evil.example"}, c, key),
    "kid that is a number": lambda h, c, key, _: signed(h | {"kid": 7}, c, key),
    "kid that is null": lambda h, c, key, _: signed(h | {"kid": None}, c, key),
    "kid twice": lambda h, c, key, _: signed(h | {"KID": h["kid"]}, c, key),
    "alg none": lambda h, c, key, _: f"{b64(h | {'alg': 'none'})}.{b64(c)}.",
    "alg None": lambda h, c, key, t: f"{b64(h | {'alg': 'None'})}.{b64(c)}.{t.split('.')[2]}",
    "no alg": lambda h, c, key, _: signed({"typ": "JWT", "kid": h["kid"]}, c, key),
    "alg HS512": lambda h, c, key, _: signed(h | {"alg": "HS512"}, c, key, "sha512"),
    "alg HS384": lambda h, c, key, _: signed(h | {"alg": "HS384"}, c, key, "sha384"),
    "alg RS256": lambda h, c, key, _: signed(h | {"alg": "RS256"}, c, key),
    "alg ES256": lambda h, c, key, _: signed(h | {"alg": "ES256"}, c, key),
    "jku": lambda h, c, key, _: signed(h | {"jku": "https://evil.example/jwks"}, c, key),
    "x5u": lambda h, c, key, _: signed(h | {"x5u": "https://evil.example/cert"}, c, key),
    "x5c": lambda h, c, key, _: signed(h | {"x5c": ["AAAA"]}, c, key),
    "jwk": lambda h, c, key, _: signed(
        h | {"jwk": {"kty": "oct", "k": b64(NOT_OURS.encode())}}, c, NOT_OURS
    ),
    "crit": lambda h, c, key, _: signed(h | {"crit": ["b64"], "b64": False}, c, key),
    "zip": lambda h, c, key, _: signed(h | {"zip": "DEF"}, c, key),
    "typ": lambda h, c, key, _: signed(h | {"typ": "JWE"}, c, key),
    "the same header, written otherwise": lambda h, c, key, _: signed(
        dict(reversed(h.items())), c, key
    ),
    "header is a list": lambda h, c, key, t: f"{b64(b'[]')}.{t.split('.', 1)[1]}",
    "header nests": lambda h, c, key, t: f"{b64(b'[' * 50_000)}.{t.split('.', 1)[1]}",
    "header is not UTF-8": lambda h, c, key, t: f"{b64(bytes([255, 254]))}.{t.split('.', 1)[1]}",
    "changed payload": lambda h, c, key, t: ".".join(
        [t.split(".")[0], b64(c | {"user_id": "1"}), t.split(".")[2]]
    ),
    "no signature": lambda h, c, key, t: t.rpartition(".")[0] + ".",
    "two parts": lambda h, c, key, t: t.rpartition(".")[0],
    "four parts": lambda h, c, key, t: f"{t}.{t.split('.')[2]}",
    "five parts": lambda h, c, key, t: f"{t}.e.e",
    "padded": lambda h, c, key, t: f"{t}==",
    "newline": lambda h, c, key, t: t.replace(".", ".\n", 1),
    "signature of the key's id": lambda h, c, key, _: signed(h, c, h["kid"]),
    "hash of the key as key": lambda h, c, key, _: signed(
        h, c, hashlib.sha256(key.encode()).hexdigest()
    ),
}


@pytest.mark.parametrize("forge", HEADERS.values(), ids=HEADERS.keys())
def test_a_token_in_another_form_is_refused(ada: Any, forge: Forge) -> None:
    key = _settings.TOKEN_SIGNING_KEY
    for token, ask in ((ada.access, use), (ada.refresh, refresh)):
        forged = forge(jwt.get_unverified_header(token), claims(token), key, token)
        assert refused(ask(forged)), forged
    assert use(ada.access).status_code == 200
    assert ada.refreshed().status_code == 200, "the login is not affected"


# Signed with our own key: only we could write these, so they would be our own mistakes.
HUGE = 10**400
CLAIMS: dict[str, dict[str, Any]] = {
    "no exp": {"exp": ...},
    "exp null": {"exp": None},
    "exp text": {"exp": "tomorrow"},
    "exp text of digits": {"exp": str(int(time.time()) + 600)},
    "exp float": {"exp": time.time() + 600.5},
    "exp true": {"exp": True},
    "exp list": {"exp": [int(time.time()) + 600]},
    "exp negative": {"exp": -1},
    "exp very negative": {"exp": -HUGE},
    "exp zero": {"exp": 0},
    "exp in no calendar": {"exp": 2**53},
    "exp 2**63": {"exp": 2**63},
    "exp huge": {"exp": HUGE},
    "exp infinite": {"exp": float("inf")},
    "exp not a number": {"exp": float("nan")},
    "iat in the future": {"iat": int(time.time()) + 86_400},
    "iat text": {"iat": "yesterday"},
    "iat huge": {"iat": HUGE},
    "iat infinite": {"iat": float("inf")},
    "nbf, which none of ours has": {"nbf": int(time.time()) - 600},
    "no jti": {"jti": ...},
    "jti number": {"jti": 7},
    "jti list": {"jti": []},
    "no user": {"user_id": ...},
    "user null": {"user_id": None},
    "user list": {"user_id": ["1"]},
    "user number": {"user_id": 1},
    "user word": {"user_id": "ada"},
    "user huge": {"user_id": "9" * 5_000},
    "user negative": {"user_id": "-1"},
    "no login": {"login": ...},
    "login text": {"login": "1"},
    "login float": {"login": 1.0},
    "login true": {"login": True},
    "login zero": {"login": 0},
    "login huge": {"login": 2**70},
    "login object": {"login": {"pk": 1}},
    "no kind": {"token_type": ...},
    "kind null": {"token_type": None},
    "another kind": {"token_type": "reset"},
    "kind list": {"token_type": ["access", "refresh"]},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS.keys())
def test_claims_of_a_wrong_form_are_refused(ada: Any, change: dict[str, Any]) -> None:
    header = jwt.get_unverified_header(ada.access)
    forged = []
    for token in (ada.access, ada.refresh):
        changed = {name: v for name, v in (claims(token) | change).items() if v is not ...}
        forged.append(signed(header, changed, _settings.TOKEN_SIGNING_KEY))
    assert refused(use(forged[0]))
    assert refused(refresh(forged[1]))
    assert isinstance(admit_all([forged[0]])[0], TokenNotValid), "on the socket too"
    assert Login.objects.get().ended_at is None


def test_each_kind_of_token_opens_its_own_door_only(ada: Any) -> None:
    assert refused(use(ada.refresh))
    assert refused(refresh(ada.access))
    assert isinstance(admit_all([ada.refresh])[0], TokenNotValid)
    assert Login.objects.get().ended_at is None
