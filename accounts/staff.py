"""The admin site: authentication of staff, and the base class of its pages.

Its pages are read-only. Their few actions call the services, and are logged in Django's log of the
admin and in `space.security`. A page makes a few queries that use an index, however many rows there
are: it has no total of a table and no sorting, and searches by whole names and ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.backends import ModelBackend
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.functional import cached_property

from accounts.auth.attempts import password_attempt
from accounts.auth.credentials import verified
from accounts.exceptions import InvalidCredentials
from accounts.models import User
from accounts.names import fold
from accounts.security_log import record

if TYPE_CHECKING:  # they are generic for the type checker only
    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin, _Paginator = admin.ModelAdmin, Paginator

MAX_LISTED = 10_000  # rows that can be paged through; beyond them staff search
MAX_ROWS_PER_ACTION = 100  # that one action is done to


class Site(admin.AdminSite):
    """Of staff only: see `StaffBackend`."""

    site_header = site_title = "Space support"
    index_title = "Look up"
    empty_value_display = "-"

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Only on the page: there it is rate-limited, and ends the other logins."""
        return HttpResponseRedirect("/")


class StaffBackend(ModelBackend):
    """The same check of the password as for all users: the same limits, the same time.

    Staff who are deactivated, or no longer staff, are logged out by their next request.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        try:
            with password_attempt(username) as named_so:
                user = verified(named_so, password)
                if not self.user_can_authenticate(user):
                    raise InvalidCredentials  # or staff pages would allow uncounted guesses
        except InvalidCredentials:
            return None
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(user is not None and user.is_active and user.is_staff)


def record_admin_login(user: User, **_: Any) -> None:
    """Receiver of `user_logged_in`, which only the admin sends."""
    record("admin_logged_in", user=user.pk)
    SessionStore.clear_expired()  # few, and nothing else deletes them


class BoundedPaginator(_Paginator):
    """Counts no further than `MAX_LISTED`."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return int(rows.order_by()[:MAX_LISTED].count())


class ReadOnlyAdmin(_ModelAdmin):
    """A table that all staff can read, and none can change."""

    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    paginator = BoundedPaginator
    ordering = ("-pk",)
    sortable_by = ()
    view_on_site = False
    search_help_text = "An id, or a whole user name or e-mail address"
    search_fields = ("pk",)  # to have a search; `found_by` does it

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_module_permission = has_view_permission
    has_add_permission = has_delete_permission = has_change_permission

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only filters that the pages link to. Django takes any column: the filter
        `?password__startswith=` would reveal a hash letter by letter.
        """
        ours = [getattr(by, "parameter_name", f"{by}__exact") for by in self.list_filter]
        return lookup in {"user__id__exact", *ours}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(self.found_by(term)) if term else queryset), False

    def found_by(self, term: str) -> Q:
        """The rows of this id, or of the user of this name or address."""
        return by_id(term) | Q(user__in=User.objects.filter(named(term)))

    # -- the log has ids, not names: of users who are deleted later it must keep none -------------

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        return _entry(request, obj, CHANGE, str(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[LogEntry]:
        return []  # Django calls it before the deletion, which deletes all entries about the user

    def log_deleted(self, request: HttpRequest, obj: Any) -> LogEntry:
        return _entry(request, obj, DELETION, "Deleted with everything.")


def named(term: str) -> Q:
    """The user of this whole name or address, however it is written."""
    return Q(username_key=fold(term)) | Q(email_key=fold(term))


def by_id(term: str) -> Q:
    fits = term.isascii() and term.isdigit() and len(term) <= 18
    return Q(pk=int(term)) if fits else Q(pk__in=())


def may_act_on(staff: Any, user: User) -> bool:
    """Not on oneself. On staff only superusers may, or support could lock out its supervisors."""
    return bool(user.pk != staff.pk and (staff.is_superuser or not user.is_staff))


def _entry(request: HttpRequest, obj: Any, flag: int, message: str) -> LogEntry:
    assert request.user.is_authenticated
    return LogEntry.objects.create(
        user=request.user,
        # Read each time: Django caches its id, and a restored database has another.
        content_type=ContentType.objects.get(
            app_label=obj._meta.app_label, model=obj._meta.model_name
        ),
        object_id=str(obj.pk),
        object_repr=f"{obj._meta.verbose_name} {obj.pk}",
        action_flag=flag,
        change_message=message,
    )
