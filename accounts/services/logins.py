"""Begins and ends logins.

    sign_up, sign_in --> active --refresh--> active --log_out, end_login, ...--> ended

The end of a login is announced (`login_revoked`), and its sockets close. `tokens.pair_of(login)`
makes the tokens of a login.
"""

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.auth.attempts import confirm_password, password_attempt
from accounts.auth.credentials import refuse_taken, refuse_weak, verified
from accounts.auth.tokens import Claims, RefreshToken, new_jti
from accounts.events import AccountChanged, LoginRevoked, Reason, announce, announce_change
from accounts.exceptions import (
    InvalidCredentials,
    LinkNotValid,
    NoSuchLogin,
    Revoked,
    WrongPassword,
)
from accounts.models import REUSE_GRACE, Login, LoginQuerySet, User
from accounts.names import normal_email, normal_username
from accounts.security_log import record
from runtime.database.clock import statement_time


def sign_up(
    username: str, email: str, password: str, *, device: str = "", address: str | None = None
) -> Login:
    """A new user, logged in. Raises InvalidInput."""
    user = User(username=normal_username(username), email=normal_email(email))
    refuse_taken(user)
    refuse_weak(password, user, field="password")
    user.password = make_password(password)  # slow, so before the transaction
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            login = _begin(user, device, address)
    except IntegrityError:
        refuse_taken(user)  # another request was faster
        raise
    record("signed_up", user=user.pk, login=login.pk)
    return login


def sign_in(name: str, password: str, *, device: str = "", address: str | None = None) -> Login:
    """A new login by user name or e-mail address. Raises InvalidCredentials, TooManyRequests."""
    with password_attempt(name) as user:
        user = verified(user, password)
    return log_in(user, device=device, address=address)


def log_in(user: User, *, device: str = "", address: str | None = None) -> Login:
    """A new login of a user whose password was verified. Raises InvalidCredentials."""
    with transaction.atomic():
        # The password was checked before; the lock keeps a change of it from passing unnoticed.
        unchanged = User.objects.select_for_update(no_key=True).filter(
            pk=user.pk, password=user.password, is_active=True
        )
        if (current := unchanged.first()) is None:
            raise InvalidCredentials
        login = _begin(current, device, address)
        _end_excess(login)
    record("logged_in", user=user.pk, login=login.pk)
    return login


def refresh(token: str) -> Login:
    """The login, with its refresh token replaced. Raises TokenNotValid.

    Within ten seconds the same token gives the same successor. Later there must be a copy of it,
    and the owner cannot be told from the thief: the login ends.
    """
    claims = Claims.of(RefreshToken, token).good_at(statement_time())
    if (login := _successor(claims)) is not None:
        return login
    superseded = claims.login().active()
    if _end(superseded.exclude(refresh_jti=claims.jti), "refresh_reused"):
        record("refresh_reused", user=claims.user_id, login=claims.login_id)
    raise Revoked


def log_out(login_id: int) -> None:
    """Ends the device's own login. One that has ended already stays as it is."""
    _end(Login.objects.filter(pk=login_id), "logged_out")


def log_out_by_token(token: str) -> None:
    """The same by a refresh token. Raises TokenNotValid."""
    _end(Claims.of(RefreshToken, token).good_at(statement_time()).login(), "logged_out")


def log_out_everywhere(login: Login) -> int:
    """Ends every other login of the user, and returns how many."""
    return _end(_others(login), "ended_elsewhere")


def end_login(user: User, login_id: int) -> None:
    """Ends one login of the user. Raises NoSuchLogin."""
    if not _end(Login.objects.filter(user=user, pk=login_id), "ended_elsewhere"):
        raise NoSuchLogin


def change_password(login: Login, *, old: str, new: str) -> int:
    """Sets the password and ends every other login. Returns how many. Raises InvalidInput."""
    user = login.user
    confirm_password(user, old, field="old_password")
    refuse_weak(new, user, field="new_password")
    password = make_password(new)
    with transaction.atomic():
        unchanged = User.objects.filter(pk=user.pk, password=user.password)
        if not unchanged.update(password=password):
            raise WrongPassword("old_password")  # another device changed it meanwhile
        announce_change(AccountChanged(user.pk, "password_changed", user.username, user.email))
        ended = _end(_others(login), "password_changed")
    record("password_changed", user=user.pk, login=login.pk)
    return ended


def deactivate(user: User) -> None:
    """Locks the user out and ends every login of theirs. Reactivating gives none back."""
    _set_active(user, is_active=False)


def reactivate(user: User) -> None:
    """The user may log in again."""
    _set_active(user, is_active=True)


def revoke(login_ids: Iterable[int]) -> int:
    """Ends these logins for support. Returns how many were active."""
    return _end(Login.objects.filter(pk__in=login_ids), "ended_by_support")


def reset_password(user: User, new: str) -> int:
    """Sets the password of a user whose link is valid and ends every login. Returns how many.

    Raises InvalidInput, and LinkNotValid where the user has changed since the link was checked.
    """
    refuse_weak(new, user, field="new_password")
    password = make_password(new)
    with transaction.atomic():
        # Of two that use one link at once, the second waits here and then finds another password.
        unchanged = User.objects.filter(
            pk=user.pk, password=user.password, email=user.email, is_active=True
        )
        if not unchanged.update(password=password):
            raise LinkNotValid
        announce_change(AccountChanged(user.pk, "password_reset", user.username, user.email))
        ended = _end(Login.objects.filter(user=user.pk), "password_reset")
    record("password_reset", user=user.pk)
    return ended


def delete_account(user: User, *, password: str | None = None) -> None:
    """Deletes the user and all their rows. (`accounts.apps` announces it.)

    Raises WrongPassword if a password is given, and wrong.
    """
    if password is not None:
        confirm_password(user, password, field="password")
    with transaction.atomic():
        # First the lock that every change of the user's takes, so that none adds a row meanwhile.
        for doomed in User.objects.select_for_update().filter(pk=user.pk):
            doomed.delete()
    record("account_deleted", user=user.pk)


def _begin(user: User, device: str, address: str | None) -> Login:
    login = Login.objects.create(user=user, device=device, address=address, refresh_jti=new_jti())
    login.refresh_from_db()
    login.user = user
    return login


def _successor(claims: Claims) -> Login | None:
    with transaction.atomic():
        Login.objects.rotate(claims.login_id, presented=claims.jti, successor=new_jti())
        # The winner and a request a moment later find the same row.
        login = (
            Login.objects.active()
            .select_related("user")
            .filter(pk=claims.login_id, user=claims.user_id)
            .filter(previous_jti=claims.jti, refreshed_at__gt=Now() - REUSE_GRACE)
            .first()
        )
        if login is None:
            transaction.set_rollback(True)  # an inactive user may come back with this token
        return login


def _set_active(user: User, *, is_active: bool) -> None:
    with transaction.atomic():
        other = User.objects.select_for_update(no_key=True).exclude(is_active=is_active)
        for current in other.filter(pk=user.pk):
            current.is_active = is_active
            current.save(update_fields=["is_active"])  # which ends the logins
    user.is_active = is_active
    record("account_reactivated" if is_active else "account_deactivated", user=user.pk)


def _end_excess(login: Login) -> None:
    """Ends those seen longest ago, where the user has more logins than they may have.

    Log-ins of one user come one after the other, under the user's lock.
    """
    others = _others(login).filter(ended_at=None).order_by("-last_seen", "-pk")
    room = settings.LOGINS_PER_USER - 1
    if excess := list(others.values_list("pk", flat=True)[room:]):
        _end(Login.objects.filter(pk__in=excess), "too_many_logins")


def _others(login: Login) -> LoginQuerySet:
    return Login.objects.filter(user=login.user_id).exclude(pk=login.pk)


def _end(logins: LoginQuerySet, reason: Reason) -> int:
    with transaction.atomic():
        ended = logins.end()
        for login_id, user_id in ended:
            announce(LoginRevoked(user_id, login_id, reason))
    return len(ended)
