"""Everything that Space keeps of a user, as one document."""

from __future__ import annotations

import base64
import errno
import json
import threading
from io import BytesIO
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from PIL import Image

from accounts.models import Login, User
from sessions_app.api import export, export_content
from sessions_app.api.export_content import LEFT_OUT
from sessions_app.models import IdempotencyKey, Session, SessionEvent, Space, Task
from tests.support.belongings import of_a_user, with_everything
from tests.support.people import Person, signed_up

pytestmark = pytest.mark.django_db


def exported(person: Person) -> Any:
    answer = person.get("/users/me/export/")
    assert answer.status_code == 200
    return json.loads(answer.getvalue())


def test_an_export_has_all_data_of_the_user_and_none_of_others(ada: Person, eve: Person) -> None:
    with_everything(ada)
    eve.has_session("Eve's")
    mine = exported(ada)
    assert mine["profile"]["email"] == "ada@example.com"
    assert [session["title"] for session in mine["sessions"]] == ["Write", "Read"]
    assert mine["sessions"][0]["tasks"][0]["title"] == "Outline"
    assert mine["spaces"][0]["title"] == "Write"
    assert [event["revision"] for event in mine["events"]] == list(range(1, ada.revision + 1))
    assert [login["device"] for login in mine["logins"]] == ["Laptop", "Old phone"]
    here, old = mine["logins"]
    assert (here["current"], here["ended_at"], old["address"]) == (True, None, "192.0.2.1")
    assert old["ended_at"]
    assert "Eve" not in json.dumps(mine)


def test_an_export_has_the_pictures(ada: Person) -> None:
    with_everything(ada)
    (shown,) = exported(ada)["pictures"]
    assert shown["session"] == Session.objects.get(title="Write").pk
    head, _, data = shown["data"].partition(",")
    assert head == "data:image/webp;base64"
    assert Image.open(BytesIO(base64.b64decode(data))).format == "WEBP"


def test_a_picture_that_was_deleted_meanwhile_is_null(ada: Person) -> None:
    with_everything(ada)
    answer = ada.get("/users/me/export/")
    default_storage.delete(Session.objects.get(title="Write").image.name)
    assert json.loads(answer.getvalue())["pictures"][0]["data"] is None


def test_an_export_has_no_key_to_the_account(ada: Person) -> None:
    with_everything(ada)
    text = json.dumps(exported(ada))
    secrets = [ada.user.password, *Login.objects.values_list("refresh_jti", flat=True)]
    assert all(secrets)
    assert not [secret for secret in secrets if secret in text]


# -- nothing is forgotten, also of what is added later ---------------------------------------------

# Where a model stands in the export.
WHERE: dict[type[models.Model], Any] = {
    User: lambda mine: [mine["profile"]],
    Login: lambda mine: mine["logins"],
    Session: lambda mine: [session | session["timer"] for session in mine["sessions"]],
    Task: lambda mine: [task for session in mine["sessions"] for task in session["tasks"]],
    Space: lambda mine: mine["spaces"],
    SessionEvent: lambda mine: mine["events"],
}
OTHER_NAMES = {"accounts.User.id": "id", "sessions_app.Space.sky": "month"}


def test_every_field_of_a_users_rows_is_in_it_or_left_out_for_a_reason(ada: Person) -> None:
    with_everything(ada)
    mine = exported(ada)
    forgotten = []
    for model in of_a_user():
        name = f"{model._meta.app_label}.{model.__name__}"
        if name in LEFT_OUT or _is_a_table_between(model):
            continue
        rows = WHERE[model](mine) if model in WHERE else []
        if not rows:
            forgotten.append(name)
            continue
        for field in (*model._meta.fields, *model._meta.many_to_many):
            path = f"{name}.{field.name}"
            keys = {OTHER_NAMES.get(path, field.name), field.attname}
            if path not in LEFT_OUT and not keys & rows[0].keys():
                forgotten.append(path)
    assert forgotten == []


def _is_a_table_between(model: type[models.Model]) -> bool:
    """Of a many-to-many relation, which is a field on one of its sides."""
    return bool(model._meta.auto_created)


def test_every_field_that_is_left_out_exists() -> None:
    for path in LEFT_OUT:
        app, model, *field = path.split(".")
        if app == "admin" and not apps.is_installed("django.contrib.admin"):
            continue
        found = apps.get_model(app, model)
        assert not field or found._meta.get_field(field[0])


# -- how it is made --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_is_one_snapshot_and_the_transaction_is_over_before_the_first_byte() -> None:
    ada = signed_up("ada")
    with_everything(ada)
    with CaptureQueriesContext(connection) as queries:
        answer = ada.get("/users/me/export/")
    assert not connection.in_atomic_block
    sql = [query["sql"] for query in queries]
    begun = next(number for number, text in enumerate(sql) if "REPEATABLE READ, READ ONLY" in text)
    reading = [text for text in sql[begun:] if "sessions_app_" in text]
    assert len(reading) >= 3
    with CaptureQueriesContext(connection) as queries:
        document = json.loads(answer.getvalue())
    assert document["sessions"]
    assert len(queries) == 0


@pytest.mark.django_db(transaction=True)
def test_a_change_during_an_export_is_in_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = signed_up("ada")
    ada.has_session("Write")
    write = export_content._write

    def meddling(file: Any, name: str, rows: Any) -> None:
        if name == "sessions":
            change = threading.Thread(target=_add, args=(ada,))
            change.start()
            change.join()
        write(file, name, rows)

    monkeypatch.setattr(export_content, "_write", meddling)
    mine = exported(ada)
    assert Session.objects.count() == 2
    assert [session["title"] for session in mine["sessions"]] == ["Write"]
    assert (len(mine["events"]), mine["profile"]["revision"]) == (1, 1)


def _add(person: Person) -> None:
    person.has_session("Meanwhile")
    connection.close()


def test_a_user_has_one_export_at_a_time(ada: Person, eve: Person) -> None:
    with export._alone(ada.user_id):
        refused = ada.get("/users/me/export/")
        assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
        assert refused["Retry-After"]
        assert exported(eve)
    assert exported(ada)


def test_exports_per_minute_are_limited(ada: Person, settings: Any) -> None:
    settings.LIMIT_EXPORTS_PER_MINUTE = 2
    assert exported(ada)
    assert exported(ada)
    assert ada.get("/users/me/export/").status_code == 429


def test_five_thousand_sessions_come_in_parts(ada: Person) -> None:
    with_everything(ada)
    kept = Session.objects.get(title="Read")
    rows = []
    for number in range(5_000):
        kept.pk, kept.title = None, f"Session {number}"
        rows.append(Session(**{f.attname: getattr(kept, f.attname) for f in Session._meta.fields}))
    Session.objects.bulk_create(rows, batch_size=1_000)
    with CaptureQueriesContext(connection) as queries:
        answer = ada.get("/users/me/export/")
    assert len(queries) < 30
    sizes = [len(part) for part in answer.streaming_content]
    assert sum(sizes) > 1_500_000
    assert max(sizes) <= export_content.PART


def test_an_export_that_is_not_read_is_closed(ada: Person) -> None:
    with_everything(ada)
    answer = ada.get("/users/me/export/")
    answer.close()  # or the warning about an open file fails the test


async def test_the_parts_of_an_export_are_made_one_at_a_time() -> None:
    made = []

    def parts() -> Any:
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    download = export.Download(parts(), "x.json")
    async for part in download:
        assert made[-1] == int(part)
    assert made == [0, 1, 2]


def test_every_idempotency_key_is_a_users() -> None:
    """Or it could not be left out as one's own."""
    assert not IdempotencyKey._meta.get_field("user").null


def test_an_export_on_a_full_disk_is_503_and_can_be_repeated(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(export_content, "_write", full)
        refused = ada.get("/users/me/export/")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused["Retry-After"] == str(export.RETRY_AFTER_S)
    assert exported(ada)["sessions"] == []
