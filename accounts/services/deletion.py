"""Deletes the rows about a user that have no foreign key to them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.db.models import Model, Q

from accounts.models import User


def delete_references(instance: User, **_: Any) -> None:
    """Receiver of Django's `pre_delete` of a user."""
    if apps.is_installed("django.contrib.admin"):
        _delete_admin_log(instance)
    if apps.is_installed("django.contrib.sessions") and instance.is_staff:
        _delete_admin_sessions(instance)


def _delete_admin_log(user: User) -> None:
    """The admin's log about the user and their rows: its entries have names and titles."""
    from django.contrib.admin.models import LogEntry

    about = [_about(User, [str(user.pk)])]
    for relation in user._meta.related_objects:
        model = relation.related_model
        if model is not LogEntry:  # whose rows by the user are deleted by cascade
            ids = model._base_manager.filter(**{relation.field.name: user}).values_list("pk")
            about.append(_about(model, [str(pk) for (pk,) in ids]))
    LogEntry.objects.filter(reduce(or_, about)).delete()


def _about(model: type[Model], ids: list[str]) -> Q:
    label, name = model._meta.app_label, model._meta.model_name
    # By name: the id that Django caches may be from before a restore.
    return Q(content_type__app_label=label, content_type__model=name, object_id__in=ids)


def _delete_admin_sessions(user: User) -> None:
    """Only staff have any, so there are few. A query cannot find whose they are."""
    from django.contrib.sessions.models import Session

    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()
