"""Only tokens that one of our keys signed, in the form that we write, are accepted."""

from __future__ import annotations

import base64
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


def with_header(**more: Any) -> Forge:
    """Signed with our own key, under another header than ours."""
    return lambda h, c, key, _: signed(h | more, c, key)


# tests/hostile/test_rest_headers.py has more of them.
FORGED: dict[str, Forge] = {
    **{
        f"{name} {value}": with_header(**{name: value})
        for name, value in (
            *(("kid", value) for value in (key_id(NOT_OURS), "https://evil.example", 7, None)),
            *(("alg", value) for value in ("RS256", "ES256")),
            *(("jku", "https://evil.example/jwks"), ("x5u", "https://evil.example/cert")),
            *(("x5c", ["AAAA"]), ("zip", "DEF"), ("typ", "JWE"), ("crit", ["exp"]), ("KID", "x")),
        )
    },
    "known kid, another key": lambda h, c, key, _: signed(h, c, NOT_OURS),
    "no kid, another key": lambda h, c, key, _: jwt.encode(c, NOT_OURS, algorithm="HS256"),
    "alg none": lambda h, c, key, _: f"{b64(h | {'alg': 'none'})}.{b64(c)}.",
    "jwk": lambda h, c, key, _: signed(
        h | {"jwk": {"kty": "oct", "k": b64(NOT_OURS.encode())}}, c, NOT_OURS
    ),
    "the same header in another order": lambda h, c, key, _: signed(
        dict(reversed(h.items())), c, key
    ),
    "header is a list": lambda h, c, key, t: f"{b64(b'[]')}.{t.split('.', 1)[1]}",
    "changed payload": lambda h, c, key, t: ".".join(
        [t.split(".")[0], b64(c | {"user_id": str(int(c["user_id"]) + 1)}), t.split(".")[2]]
    ),
    "four parts": lambda h, c, key, t: f"{t}.{t.split('.')[2]}",
    "padded": lambda h, c, key, t: f"{t}==",
    "newline": lambda h, c, key, t: t.replace(".", ".\n", 1),
    "signature of the key's id": lambda h, c, key, _: signed(h, c, h["kid"]),
}


def test_a_token_in_another_form_is_refused(ada: Any) -> None:
    key = _settings.TOKEN_SIGNING_KEY
    for what, forge in FORGED.items():
        for token, ask in ((ada.access, use), (ada.refresh, refresh)):
            forged = forge(jwt.get_unverified_header(token), claims(token), key, token)
            assert refused(ask(forged)), what
    assert use(ada.access).status_code == 200
    assert ada.refreshed().status_code == 200, "the login is not affected"


# Signed with our own key: only we could write these, so they would be our own mistakes.
HUGE = 10**400
SOON = int(time.time()) + 600
EXP = [..., None, "tomorrow", str(SOON), SOON + 0.5, True, [SOON], -1, -HUGE, 0, 2**53, 2**63, HUGE]
CLAIMS: list[tuple[str, Any]] = [
    *(("exp", value) for value in (*EXP, float("inf"), float("nan"))),
    *(("iat", value) for value in (SOON + 86_400, "yesterday", HUGE, float("inf"))),
    ("nbf", SOON - 1_200),  # which none of ours has
    *(("jti", value) for value in (..., 7, [])),
    *(("user_id", value) for value in (..., None, ["1"], 1, "ada", "9" * 5_000, "-1")),
    *(("login", value) for value in (..., "1", 1.0, True, 0, 2**70, {"pk": 1})),
    *(("token_type", value) for value in (..., None, "reset", ["access", "refresh"])),
]


def test_claims_of_a_wrong_form_are_refused(ada: Any) -> None:
    header = jwt.get_unverified_header(ada.access)

    def forged(token: str, name: str, value: Any) -> str:
        changed = {n: v for n, v in (claims(token) | {name: value}).items() if v is not ...}
        return signed(header, changed, _settings.TOKEN_SIGNING_KEY)

    for claim in CLAIMS:
        access = forged(ada.access, *claim)
        assert refused(use(access)), claim
        assert refused(refresh(forged(ada.refresh, *claim))), claim
        assert isinstance(admit_all([access])[0], TokenNotValid), (claim, "on the socket too")
    assert Login.objects.get().ended_at is None


def test_each_kind_of_token_opens_its_own_door_only(ada: Any) -> None:
    assert refused(use(ada.refresh))
    assert refused(refresh(ada.access))
    assert isinstance(admit_all([ada.refresh])[0], TokenNotValid)
    assert Login.objects.get().ended_at is None
