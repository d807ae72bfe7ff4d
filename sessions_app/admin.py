"""Read-only admin pages of sessions, with tasks and log, and of the sky: for support."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from accounts.staff import ReadOnlyAdmin
from sessions_app.models import Session, SessionEvent, Space, Task

if TYPE_CHECKING:
    _Inline = admin.TabularInline[Task, Session]
else:
    _Inline = admin.TabularInline

NEWEST = 200  # lines of the log


class Tasks(_Inline):
    model = Task
    fields = readonly_fields = ("title", "duration", "done", "created_at")
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "user", "title", "status", "duration", "created_at", "ends_at", "ended_at"),
        "version",
    )
    list_filter = ("status",)
    list_select_related = ("user",)
    fields = (
        *("id", "user", "title", "status", "version", "duration", "planned_ms", "remaining_ms"),
        *("focused_ms", "created_at", "started_at", "ends_at", "ended_at", "updated_at"),
        *("reminders", "reminder_at", "sound", "image", "log"),
    )
    readonly_fields = fields
    inlines = (Tasks,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        return super().get_queryset(request).select_related("user").defer("user__password")

    @admin.display
    def log(self, session: Session) -> str:
        """The log of the session, newest first."""
        events = SessionEvent.objects.filter(session_id=session.pk).order_by("-version")[:NEWEST]
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (e.version, e.revision, e.kind, e.at.isoformat(), e.device, e.data or "")
                for e in events
            ),
        )
        return format_html(
            "<table><thead><tr><th>version</th><th>revision</th><th>kind</th><th>at</th>"
            "<th>device</th><th>data</th></tr></thead><tbody>{}</tbody></table>",
            rows,
        )


@admin.register(Space)
class SpaceAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "type", "session", "sky", "created_at")
    list_filter = ("type",)
    list_select_related = ("user", "session")
    fields = (
        *("id", "user", "session", "type", "sky", "x", "y", "radius", "hue", "look", "seed"),
        "created_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Space]:
        rows = super().get_queryset(request).select_related("user", "session")
        return rows.defer("user__password")
