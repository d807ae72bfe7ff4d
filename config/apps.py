from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """An app only for its management commands."""

    name = "config"
    label = "wiring"
