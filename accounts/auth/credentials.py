"""Names and passwords: which are acceptable, which are taken, and which are right."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Case, Q, QuerySet, When

from accounts.exceptions import InvalidCredentials, InvalidInput
from accounts.models import User
from accounts.names import fold, is_email


def verified(user: User | None, password: str) -> User:
    """The user, if this is their password. Takes the same time whatever is wrong, a user who does
    not exist included. Raises InvalidCredentials.
    """
    if user is None:
        make_password(password)  # as long as a comparison takes: the time reveals nothing
        raise InvalidCredentials
    if not user.check_password(password) or not user.is_active:
        raise InvalidCredentials
    return user


def users_named(key: str) -> QuerySet[User]:
    """The users of this name or address (see `fold`). Of two the one of the address comes first."""
    found = User.objects.filter(Q(username_key=key) | Q(email_key=key))
    return found.order_by(Case(When(email_key=key, then=0), default=1), "pk")


def refuse_taken(user: User) -> None:
    """Raises InvalidInput where the name or the address of `user` is another user's."""
    others = User.objects.exclude(pk=user.pk)
    errors = {}
    if others.filter(username_key=fold(user.username)).exists():
        errors["username"] = ["A user with that username already exists."]
    elif _looks_like_email(user.username) and fold(user.username) != fold(user.email):
        # Or a log-in by e-mail could find two users.
        errors["username"] = ["A user name that is an e-mail address must be your own."]
    if others.filter(email_key=fold(user.email)).exists():
        errors["email"] = ["A user with that email address already exists."]
    if errors:
        raise InvalidInput(errors)


def _looks_like_email(name: str) -> bool:
    """Also "jeßica@example.com", which is no address but has the key of one."""
    return is_email(name) or is_email(fold(name))


def refuse_weak(password: str, user: User, *, field: str) -> None:
    """Raises InvalidInput where Django's validators find the password too easy for this user."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput({field: error.messages}) from error
