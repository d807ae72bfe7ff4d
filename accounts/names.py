"""The normal form of user names and e-mail addresses, and the key by which two are the same.

The key is computed here, not by the database's `lower()`: what that knows of "É" depends on the
locale that a cluster was created with.
"""

import unicodedata

from django.contrib.auth.base_user import BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

# Characters, before normalisation. To bring combining marks into order takes the square of their
# number: 16 s for as many as fit into a body.
MAX_LENGTH = 1_000


def normal_username(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def normal_email(text: str) -> str:
    return BaseUserManager.normalize_email(unicodedata.normalize("NFKC", text).strip())


def fold(name: str) -> str:
    """The key that all spellings of one name share: "ADA" and "ada", full width or not."""
    if len(name) > MAX_LENGTH:
        return name[:MAX_LENGTH]  # matches no user: stored keys are shorter
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
