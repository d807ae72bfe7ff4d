"""Connects the signals of accounts: notices by mail, deletion, and the log of admin log-ins."""

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_delete, pre_delete


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from accounts.checks import mails_can_be_sent
        from accounts.events import account_changed, login_revoked
        from accounts.mail import notices
        from accounts.services import deletion
        from accounts.staff import record_admin_login

        pre_delete.connect(
            deletion.delete_references, sender="accounts.User", dispatch_uid="deletion"
        )
        user_logged_in.connect(record_admin_login, dispatch_uid="staff")
        post_delete.connect(_user_deleted, sender="accounts.User", dispatch_uid="accounts")
        account_changed.connect(notices.send_change_notice, dispatch_uid="notices")
        login_revoked.connect(notices.send_revocation_notice, dispatch_uid="notices")
        checks.register(mails_can_be_sent, checks.Tags.security, deploy=True)


def _user_deleted(instance: Any, **_: Any) -> None:
    """However a user is deleted, their sockets close."""
    from accounts.events import LoginRevoked, announce

    announce(LoginRevoked(instance.pk, None, "account_deleted"))
