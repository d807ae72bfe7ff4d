"""All that can be a user's: which tables it is in, and somebody who has a row in each."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import models

from accounts.models import User
from accounts.services import logins
from sessions_app import services
from sessions_app.models import Session
from tests.support.people import Person, data_url, picture


def of_a_user() -> set[type[models.Model]]:
    """Every model whose rows are a user's: by a foreign key, or by one of one."""
    found: set[type[models.Model]] = {User}
    while True:
        more = {
            model
            for model in apps.get_models(include_auto_created=True)
            for field in model._meta.fields
            if field.related_model in found
        }
        if more <= found:
            return found
        found |= more


def with_everything(person: Person, mark: str = "") -> None:
    """A row of each kind, and a picture. What is text has the mark in it."""
    body = {"title": f"Write{mark}", "duration": 25, "image": data_url(picture())}
    written = person.post("/sessions/", body, idempotency_key=f"a key{mark}")
    assert written.status_code == 201
    session = written.json()["id"]
    services.add_task(session, by=person.actor, title=f"Outline{mark}", duration=10)
    services.start(session, by=person.actor)
    services.finish(session, by=person.actor)
    person.has_session(f"Read{mark}")
    logins.log_out(logins.log_in(person.user, device=f"Old phone{mark}", address="192.0.2.1").pk)
    person.user.groups.add(Group.objects.get_or_create(name="Support")[0])
    person.user.user_permissions.add(Permission.objects.all()[0])
    if apps.is_installed("django.contrib.admin"):
        _log_of_admin(person, mark)


def _log_of_admin(person: Person, mark: str) -> None:
    """Support did something with the user and with a session of theirs; the user is support too."""
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.contenttypes.models import ContentType

    support = User.objects.filter(username="support").first() or User.objects.create(
        username="support", email="support@example.com"
    )
    mine = Session.objects.filter(user=person.user_id)[0]
    things: tuple[models.Model, ...] = (person.user, mine, person.user.logins.all()[0])
    for by, thing in [(support, thing) for thing in things] + [(person.user, support)]:
        LogEntry.objects.create(
            user=by,
            content_type=ContentType.objects.get_for_model(thing),
            object_id=str(thing.pk),
            object_repr=f"{thing}{mark}"[:200],
            action_flag=CHANGE,
        )
