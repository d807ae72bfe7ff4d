"""The one place where the domain and the transport meet."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from accounts.events import login_revoked
        from realtime.broker import publisher
        from sessions_app.events import session_changed, session_reminded

        session_changed.connect(publisher.publish_change, dispatch_uid="realtime")
        session_reminded.connect(publisher.publish_reminder, dispatch_uid="realtime")
        login_revoked.connect(publisher.publish_revocation, dispatch_uid="realtime")
