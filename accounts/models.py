"""Users, and their logins (each a device that is signed in)."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractUser
from django.db import connection, models, transaction
from django.db.models.functions import Greatest, Now

from accounts.events import LoginRevoked, Reason, announce
from accounts.names import fold

LAST_SEEN_INTERVAL = timedelta(minutes=1)  # one write a minute and login, not one a request
REUSE_GRACE = timedelta(seconds=10)  # two tabs refresh at once; a lost answer is asked for again
_TOUCH = """
    UPDATE accounts_login SET last_seen = now() WHERE id IN (
        SELECT id FROM accounts_login
        WHERE id = ANY(%s) AND last_seen < now() - make_interval(secs => %s)
        FOR NO KEY UPDATE SKIP LOCKED
    )
"""


def default_reminders() -> list[int]:
    return [300, 60]


class User(AbstractUser):
    """An account.

    `revision` rises by one with each change of anything of the user's. A change takes the lock of
    this row by raising it (`sessions_app/ledger.py`).
    """

    username_key = models.CharField(max_length=600, unique=True, editable=False)  # see `fold`
    email = models.EmailField(max_length=254)
    email_key = models.CharField(max_length=1000, unique=True, editable=False)
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    time_zone = models.CharField(max_length=64, default="UTC")  # IANA name
    day_start = models.PositiveSmallIntegerField(default=0)  # minutes after midnight, 0..1439
    reminders = models.JSONField(default=default_reminders)  # seconds before the end

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(day_start__lt=24 * 60), name="day_start_within_a_day"
            ),
        )

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.username_key, self.email_key = fold(self.username), fold(self.email)
        if update_fields is not None:
            names = set(update_fields)
            update_fields = names | {f"{name}_key" for name in names & {"username", "email"}}
        with transaction.atomic():
            reason = self._reason_to_end_logins(update_fields)
            super().save(*args, update_fields=update_fields, **kwargs)
            if reason is not None:
                Login.objects.filter(user=self).end()
                announce(LoginRevoked(self.pk, None, reason))

    def check_password(self, raw_password: str | None) -> bool:
        """Django's. A hash that is upgraded on the way is no new password: it ends no login."""

        def upgrade(raw_password: str) -> None:
            before = self.password
            self.set_password(raw_password)
            self._password = None
            User.objects.filter(pk=self.pk, password=before).update(password=self.password)

        return check_password(raw_password, self.password, upgrade)

    def _reason_to_end_logins(self, update_fields: Collection[str] | None) -> Reason | None:
        """Why the logins of the stored user must not outlive what is being saved, if so.

        Here, and not only in the services, since a shell, `changepassword` and forms of Django's
        save a user too. (A bulk `update()` bypasses it. A user who is deactivated by one is refused
        at once all the same, since every check of a token asks `active()`.)
        """
        if self._state.adding or self.pk is None:
            return None
        if update_fields is not None and not {"password", "is_active"} & set(update_fields):
            return None
        stored = User.objects.select_for_update(no_key=True).filter(pk=self.pk)
        for password, is_active in stored.values_list("password", "is_active"):
            if is_active and not self.is_active:
                return "deactivated"
            if password != self.password:
                return "password_changed"
        return None


class LoginQuerySet(models.QuerySet["Login"]):
    """Queries for logins."""

    def active(self) -> Self:
        """Not ended, and of an active user."""
        return self.filter(ended_at=None, user__is_active=True)

    def usable(self) -> Self:
        """Active, and refreshed lately enough to be refreshed again."""
        lifetime: timedelta = settings.REFRESH_TOKEN_LIFETIME
        return self.active().filter(refreshed_at__gt=Now() - lifetime)

    def purgeable(self, retention: timedelta) -> Self:
        """Ended for longer than `retention`, or expired for longer than that without a refresh."""
        lifetime: timedelta = settings.REFRESH_TOKEN_LIFETIME
        return self.filter(
            models.Q(ended_at__lt=Now() - retention)
            | models.Q(refreshed_at__lt=Now() - lifetime - retention)
        )

    def rotate(self, login_id: int, *, presented: str, successor: str) -> bool:
        """Whether `presented` was the good refresh token, which is now `successor`.

        One UPDATE without a join: a second one waits for the row and then sees that it is too
        late. (PostgreSQL would not evaluate a subquery on another table again.)
        """
        current = self.filter(pk=login_id, refresh_jti=presented, ended_at=None)
        return bool(
            current.update(
                previous_jti=models.F("refresh_jti"),
                refresh_jti=successor,
                # Where the database's clock was put back: no token is older than its login.
                refreshed_at=Greatest(Now(), models.F("first_seen")),
            )
        )

    def touch(self, login_ids: Collection[int]) -> None:
        """Notes that the logins were seen, at most once a minute.

        A login that another transaction is changing is left out: two transactions that touch the
        same logins in different order must not wait for each other.
        """
        with connection.cursor() as cursor:
            cursor.execute(_TOUCH, [list(login_ids), LAST_SEEN_INTERVAL.total_seconds()])

    def end(self) -> list[tuple[int, int]]:
        """Ends those that have not ended, within the caller's transaction. (id, user's id) each."""
        lasting = self.filter(ended_at=None).select_for_update(of=("self",), no_key=True)
        ended = list(lasting.order_by("pk").values_list("pk", "user_id"))
        Login.objects.filter(pk__in=[pk for pk, _ in ended]).update(ended_at=Now())
        return ended


class Login(models.Model):
    """A device that is signed in. Its tokens carry its id and are valid only while it is active.

    A login that ends is marked, not deleted: its tokens can then be refused with the reason.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="logins")
    device = models.CharField(max_length=64, blank=True)  # "Laptop": shown in the log of a session
    address = models.GenericIPAddressField(null=True)
    first_seen = models.DateTimeField(db_default=Now())
    last_seen = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    # Rotation: the refresh token that is good now, and the one before, good for ten seconds more.
    # Both tokens follow from `refresh_jti` and `refreshed_at`, so a repeat gives the same pair.
    refresh_jti = models.CharField(max_length=32)
    previous_jti = models.CharField(max_length=32, blank=True)
    refreshed_at = models.DateTimeField(db_default=Now())

    objects = LoginQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["user", "ended_at"]),
            # For `purge_old_logins`.
            models.Index(
                fields=["ended_at"], name="login_ended", condition=models.Q(ended_at__isnull=False)
            ),
            models.Index(fields=["refreshed_at"], name="login_refreshed"),
        )

    def __str__(self) -> str:
        return f"{self.device} ({self.pk})"
