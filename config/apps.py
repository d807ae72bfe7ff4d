from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConfigConfig(AppConfig):
    """An app only for its management commands."""

    name = "config"
    label = "wiring"


class SupportConfig(admin.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "accounts.support.Site"
