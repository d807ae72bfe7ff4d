"""With which key a token is signed, and which one it is checked with.

The header of a token names its key (`kid`, a hash of the key). Nothing in it is believed or even
parsed: it must be, letter for letter, a header that we write ourselves. So there is no way to ask
for another algorithm, to bring a key along (`jwk`, `jku`, `x5u`) or to name one by a path.
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
# Against the clock of this machine. When ours expire is held against the database's clock, where
# their login is asked for (`tokens.py`).
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
    """Signs with the first key, and takes what any of them signed."""

    def __init__(self, signing_key: str, *other_keys: str) -> None:
        super().__init__(ALGORITHM, signing_key)
        self._kid = key_id(signing_key)
        keys = [signing_key, *other_keys]
        self._by_header = {_header({"kid": key_id(key)}): [key] for key in keys}
        # Tokens of versions before keys had names: a new version must not log anybody out.
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
