"""Connects the signals of the domain: changed reminders, and pictures of deleted sessions."""

from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    name = "sessions_app"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from accounts.events import reminders_changed
        from sessions_app.pictures.storage import session_deleted
        from sessions_app.services.sessions import rearm

        reminders_changed.connect(rearm, dispatch_uid="sessions")
        post_delete.connect(session_deleted, sender="sessions_app.Session", dispatch_uid="picture")
