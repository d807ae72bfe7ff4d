"""`manage.py after_restore`: what a database needs that was restored from a backup."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.auth.admission import admit
from accounts.auth.tokens import pair_of
from accounts.exceptions import Revoked
from accounts.models import Login
from accounts.services import logins
from sessions_app.epoch import begin_new_epoch, current_epoch
from sessions_app.management.commands.after_restore import GAP
from tests.support.people import Person

pytestmark = pytest.mark.django_db


def restored(*arguments: str) -> str:
    said = StringIO()
    call_command("after_restore", *arguments, stdout=said)
    return said.getvalue()


def test_clients_have_another_epoch_before_them(ada: Person) -> None:
    before = current_epoch()
    said = restored()
    assert current_epoch() != before
    assert current_epoch() in said


def test_after_a_restore_every_login_ends(ada: Person) -> None:
    token = pair_of(ada.user.logins.get()).access
    admit(token)
    assert "1 logins ended" in restored()
    with pytest.raises(Revoked):
        admit(token)
    assert not Login.objects.active().exists()


def test_logins_may_be_kept(ada: Person) -> None:
    token = pair_of(ada.user.logins.get()).access
    assert "Logins were kept" in restored("--keep-logins")
    admit(token)


def test_an_id_that_was_given_since_the_backup_is_not_given_again(ada: Person) -> None:
    last, login = ada.has_session().id, ada.user.logins.get().pk
    restored()
    assert ada.has_session().id > last + GAP
    assert logins.log_in(ada.user).pk > login + GAP


def test_after_restore_may_run_twice(ada: Person) -> None:
    restored()
    again = logins.log_in(ada.user)
    before = current_epoch()
    assert "1 logins ended" in restored()
    assert current_epoch() != before
    again.refresh_from_db()
    assert again.ended_at is not None


def test_one_of_many_processes_begins_the_new_epoch() -> None:
    before = current_epoch()
    new = begin_new_epoch(instead_of=before)
    assert new != before
    assert begin_new_epoch(instead_of=before) == new


def test_ending_many_logins_has_no_statement_timeout(ada: Person) -> None:
    restored()
    with connection.cursor() as cursor:  # the transaction of the test is still the same
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
