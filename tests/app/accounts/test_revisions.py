"""The query for changed revisions and ended logins."""

from typing import Any

import pytest
from django.db.models import F

from accounts.models import Login, User
from accounts.revisions import ChangedSince, changed_since
from accounts.services import logins

pytestmark = pytest.mark.django_db


def test_only_users_with_another_revision_are_returned(ada: Any, eve: Any) -> None:
    User.objects.filter(pk=ada.login.user_id).update(revision=F("revision") + 3)
    known = {ada.login.user_id: 2, eve.login.user_id: 0, 999_999: 0}
    assert changed_since(known, []) == ChangedSince({ada.login.user_id: 3}, set())
    assert changed_since({ada.login.user_id: 3}, []) == ChangedSince({}, set())
    assert changed_since({ada.login.user_id: 4}, []) == ChangedSince(
        {}, set(), gone_back={ada.login.user_id}
    )


def test_only_ended_logins_are_returned(ada: Any, phone: Any, eve: Any) -> None:
    ended, others = phone.login.pk, [ada.login.pk, eve.login.pk]
    logins.log_out(ended)
    assert changed_since({}, [*others, ended, 999_999]) == ChangedSince({}, {ended, 999_999})


def test_logins_of_an_inactive_user_count_as_ended(ada: Any, eve: Any) -> None:
    hers = ada.login
    User.objects.filter(pk=hers.user_id).update(is_active=False)
    everybody = list(Login.objects.values_list("pk", flat=True))
    standing = set(Login.objects.active().values_list("pk", flat=True))
    assert changed_since({}, everybody).ended == set(everybody) - standing == {hers.pk}


def test_thousands_of_users_take_one_statement(ada: Any, django_assert_num_queries: Any) -> None:
    hers, many = ada.login, range(1_000_000, 1_020_000)
    with django_assert_num_queries(1):
        answer = changed_since({hers.user_id: 0} | dict.fromkeys(many, 0), {hers.pk})
    assert answer == ChangedSince({}, set())
