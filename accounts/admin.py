"""The admin's pages of users and logins. No password, hash or token is shown or can be set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounts.models import Login, User
from accounts.security_log import record
from accounts.services import logins
from accounts.staff import MAX_ROWS_PER_ACTION, ReadOnlyAdmin, by_id, may_act_on, named


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "username", "email", "is_active", "is_staff", "date_joined", "last_login"),
        "their_logins",
    )
    list_display_links = ("id", "username")
    list_filter = ("is_active", "is_staff", "is_superuser")
    fields = (
        *("id", "username", "email", "is_active", "is_staff", "is_superuser"),
        *("date_joined", "last_login", "time_zone", "day_start", "reminders", "revision"),
        *("their_logins", "their_sessions"),
    )
    readonly_fields = fields
    actions = ("deactivate", "reactivate", "end_logins")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).defer("password")

    def found_by(self, term: str) -> Q:
        return by_id(term) | named(term)

    @admin.display(description="logins")
    def their_logins(self, user: User) -> str:
        return _link(user, "admin:accounts_login_changelist", "logins")

    @admin.display(description="sessions")
    def their_sessions(self, user: User) -> str:
        return _link(user, "admin:sessions_app_session_changelist", "sessions")

    # -- actions of support ----------------------------------------------------------------------

    @admin.action(description="Deactivate: nobody of them may come in")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset.filter(is_active=True), "deactivated", logins.deactivate)

    @admin.action(description="Reactivate: they may log in again")
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset.filter(is_active=False), "reactivated", logins.reactivate)

    @admin.action(description="End all logins of")
    def end_logins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        def end(user: User) -> None:
            standing = user.logins.filter(ended_at=None)
            logins.revoke(standing.values_list("pk", flat=True))

        self._each(request, queryset, "logged out", end)

    def _each(
        self,
        request: HttpRequest,
        users: QuerySet[User],
        word: str,
        act: Callable[[User], None],
    ) -> None:
        for user in chosen(self, request, users):
            if not may_act_on(request.user, user):
                self.message_user(request, f"Not user {user.pk}.", messages.WARNING)
                continue
            act(user)
            done(self, request, user, word, user=user.pk)

    # -- deletion --------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and (obj is None or may_act_on(request.user, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """In numbers: a list of years of changes is no help, and takes minutes."""
        counts = {
            "logins": sum(user.logins.count() for user in objs),
            "sessions": sum(user.sessions.count() for user in objs),
            "changes": sum(user.session_events.count() for user in objs),
        }
        shown = [f"{count} {what}" for what, count in counts.items()]
        return [*(f"user {user.pk}" for user in objs), shown], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        logins.delete_account(obj)
        self.log_deleted(request, obj)
        record("admin_acted", action="deleted", user=obj.pk, by=request.user.pk)


class Standing(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("standing", "Standing"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "standing":
                return queryset.filter(ended_at=None, user__is_active=True)
            case "ended":
                return queryset.filter(Q(ended_at__isnull=False) | Q(user__is_active=False))
        return queryset


@admin.register(Login)
class LoginAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "user", "device", "address", "first_seen", "last_seen", "stands", "ended_at"),
    )
    list_filter = (Standing,)
    list_select_related = ("user",)
    fields = (
        *("id", "user", "device", "address", "first_seen", "last_seen", "refreshed_at"),
        *("stands", "ended_at"),
    )
    readonly_fields = fields
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Login]:
        rows = super().get_queryset(request).select_related("user")
        return rows.defer("refresh_jti", "previous_jti", "user__password")

    @admin.display(boolean=True)
    def stands(self, login: Login) -> bool:
        return login.ended_at is None and login.user.is_active

    @admin.action(description="Revoke: the device is signed out")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Login]) -> None:
        for login in chosen(self, request, queryset.filter(ended_at=None)):
            # Staff may end a login of their own: one they forgot to sign out.
            if login.user_id != request.user.pk and not may_act_on(request.user, login.user):
                self.message_user(request, f"Not login {login.pk}.", messages.WARNING)
            elif logins.revoke([login.pk]):
                done(self, request, login, "revoked", user=login.user_id, login=login.pk)


admin.site.unregister(Group)  # no user has rights by a group here


def chosen(where: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> Iterable[Any]:
    """The rows, or none of them where they are more than one action may change."""
    rows = rows[: MAX_ROWS_PER_ACTION + 1]
    if len(rows) <= MAX_ROWS_PER_ACTION:
        return rows
    sentence = f"At most {MAX_ROWS_PER_ACTION} at once: nothing was done."
    where.message_user(request, sentence, messages.ERROR)
    return []


def done(where: ReadOnlyAdmin, request: HttpRequest, row: Any, word: str, **ids: int) -> None:
    """Reports an action to the member of staff, to Django's log and to `space.security`."""
    where.log_change(request, row, word.capitalize() + ".")
    record("admin_acted", action=word, by=request.user.pk, **ids)
    where.message_user(request, f"{row._meta.verbose_name} {row.pk}: {word}.", messages.SUCCESS)


def _link(user: User, page: str, words: str) -> str:
    return format_html('<a href="{}?user__id__exact={}">{}</a>', reverse(page), user.pk, words)
