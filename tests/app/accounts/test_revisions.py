"""The one question of a process: who moved, and which logins have ended."""

from typing import Any

import pytest
from django.db.models import F

from accounts.models import Login, User
from accounts.revisions import ChangedSince, changed_since
from accounts.services import logins

pytestmark = pytest.mark.django_db


def test_only_who_is_beyond_what_is_known_is_told(ada: Any, eve: Any) -> None:
    User.objects.filter(pk=ada.login.user_id).update(revision=F("revision") + 3)
    known = {ada.login.user_id: 2, eve.login.user_id: 0, 999_999: 0}
    assert changed_since(known, []) == ChangedSince({ada.login.user_id: 3}, set())
    assert changed_since({ada.login.user_id: 3}, []) == ChangedSince({}, set())
    assert changed_since({ada.login.user_id: 4}, []) == ChangedSince(
        {}, set(), gone_back={ada.login.user_id}
    )


def test_only_logins_that_stand_no_longer_are_told(ada: Any, phone: Any, eve: Any) -> None:
    ended, others = phone.login.pk, [ada.login.pk, eve.login.pk]
    logins.log_out(ended)
    assert changed_since({}, [*others, ended, 999_999]) == ChangedSince({}, {ended, 999_999})


def test_the_logins_of_a_user_who_may_not_come_in_stand_no_longer(ada: Any, eve: Any) -> None:
    hers = ada.login
    User.objects.filter(pk=hers.user_id).update(is_active=False)
    everybody = list(Login.objects.values_list("pk", flat=True))
    standing = set(Login.objects.active().values_list("pk", flat=True))
    assert changed_since({}, everybody).ended == set(everybody) - standing == {hers.pk}


def test_it_is_one_statement_also_for_thousands(ada: Any, django_assert_num_queries: Any) -> None:
    hers, many = ada.login, range(1_000_000, 1_020_000)
    with django_assert_num_queries(1):
        answer = changed_since({hers.user_id: 0} | dict.fromkeys(many, 0), {hers.pk})
    assert answer == ChangedSince({}, set())
