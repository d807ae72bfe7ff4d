"""The app of the management commands and the admin site; starts the metrics of a timekeeper."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConfigConfig(AppConfig):
    """An app for its management commands, and for the metrics of a timekeeper."""

    name = "config"
    label = "wiring"

    def ready(self) -> None:
        from sessions_app.timekeeper.loop import timekeeper_starts

        timekeeper_starts.connect(_watch, dispatch_uid="metrics")


def _watch(**_: Any) -> None:
    from ops.metrics import start  # late: other commands need none of its imports

    start.in_timekeeper()


class SupportConfig(admin.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "accounts.staff.Site"
