from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        post_delete.connect(_user_deleted, sender="accounts.User", dispatch_uid="accounts")


def _user_deleted(instance: Any, **_: Any) -> None:
    """Whoever deletes a user, their sockets close."""
    from accounts.events import LoginRevoked, announce

    announce(LoginRevoked(instance.pk, None, "account_deleted"))
