from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    name = "sessions_app"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from sessions_app.files import session_deleted

        post_delete.connect(session_deleted, sender="sessions_app.Session", dispatch_uid="picture")
