"""The keys that sign tokens, and the choice of the key that checks one.

The header of a token names its key (`kid`, a hash of the key). It is not parsed: it must be, letter
for letter, a header that we write ourselves. So a token cannot ask for another algorithm, bring a
key along (`jwk`, `jku`, `x5u`) or name one by a path.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from jwt.types import Options
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

ALGORITHM = "HS256"
# PyJWT checks times against the clock of this machine. Ours are checked against the database's,
# where the login is read (`tokens.py`).
NO_CLOCK: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}


def backend() -> KeyRing:
    """The keys of the settings."""
    return _ring(settings.TOKEN_SIGNING_KEY, *settings.TOKEN_VERIFYING_KEYS)


@lru_cache(maxsize=8)  # tests change the keys; a process has one ring
def _ring(*keys: str) -> KeyRing:
    return KeyRing(*keys)


def key_id(key: str) -> str:
    """The public name of a key."""
    return hashlib.sha256(b"kid " + key.encode()).hexdigest()[:16]


class KeyRing(TokenBackend):
    """Signs with the first key, and accepts the signature of each."""

    def __init__(self, signing_key: str, *other_keys: str) -> None:
        super().__init__(ALGORITHM, signing_key)
        self._kid = key_id(signing_key)
        keys = [signing_key, *other_keys]
        self._by_header = {_header({"kid": key_id(key)}): [key] for key in keys}
        # Tokens of versions before keys had names: a new version must not log users out.
        self._by_header[_header({})] = keys

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(
            payload, self.prepared_signing_key, algorithm=ALGORITHM, headers={"kid": self._kid}
        )

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The payload of a token that one of the keys signed, whether it has expired or not. Raises
        TokenBackendError.
        """
        header, _, _ = token.partition(".")
        for key in self._by_header.get(header, ()):
            try:
                return jwt.decode(token, key, algorithms=[ALGORITHM], options=NO_CLOCK)
            except jwt.PyJWTError:
                continue
        raise TokenBackendError("Token is invalid")


def _header(more: dict[str, str]) -> str:
    """The first part of the tokens that we write."""
    return jwt.encode({}, "0" * 32, algorithm=ALGORITHM, headers=more).partition(".")[0]
