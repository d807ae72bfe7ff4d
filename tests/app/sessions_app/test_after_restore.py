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


def test_every_login_ends_since_no_backup_knows_which_were_ended_after_it(ada: Person) -> None:
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


def test_it_may_run_twice(ada: Person) -> None:
    restored()
    again = logins.log_in(ada.user)
    before = current_epoch()
    assert "1 logins ended" in restored()
    assert current_epoch() != before
    again.refresh_from_db()
    assert again.ended_at is not None


def test_of_many_that_see_it_one_begins_the_new_epoch() -> None:
    before = current_epoch()
    new = begin_new_epoch(instead_of=before)
    assert new != before
    assert begin_new_epoch(instead_of=before) == new


def test_however_many_logins_there_are_it_is_not_cut_off(ada: Person) -> None:
    restored()
    with connection.cursor() as cursor:  # the transaction of the test is still the same
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
