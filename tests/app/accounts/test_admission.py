"""Many tokens are checked at once as each would be alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.auth.admission import Identity, admit, admit_all
from accounts.exceptions import TokenNotValid
from accounts.models import Login, User
from tests.app.accounts.test_tokens import claims_of, signed

pytestmark = pytest.mark.django_db


def refusal(token: str) -> TokenNotValid:
    with pytest.raises(TokenNotValid) as refused:
        admit(token)
    return refused.value


def test_each_has_the_answer_that_it_would_have_alone(ada: Any, eve: Any, phone: Any) -> None:
    claims = claims_of(ada.access)
    tokens = [
        ada.access,
        "x",
        ada.refresh,
        eve.access,
        signed(claims | {"exp": claims["iat"] - 31}),
        signed(claims | {"login": eve.login.pk}),
        phone.access,
        signed(claims | {"login": 2**62}),
        ada.access,
    ]
    phone.api.post("/users/logout/")
    for token, answer in zip(tokens, admit_all(tokens), strict=True):
        if isinstance(answer, Identity):
            admission = admit(token)
            assert answer == Identity(
                user_id=admission.user.pk,
                login_id=admission.login.pk,
                device=admission.login.device,
                expires_at=admission.expires_at,
            )
        else:
            assert type(answer) is type(refusal(token))


def test_who_may_not_come_in_any_more_is_refused(ada: Any, eve: Any) -> None:
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    User.objects.filter(pk=eve.user.pk).delete()
    assert [answer.code for answer in admit_all([ada.access, eve.access])] == ["revoked"] * 2


def test_it_takes_one_query_for_all(
    ada: Any, eve: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        assert all(isinstance(a, Identity) for a in admit_all([ada.access, eve.access] * 50))
    with django_assert_num_queries(0):
        assert admit_all([]) == []
        assert len(admit_all(["x", "y"])) == 2


def test_when_they_were_seen_is_noted_once_a_minute(ada: Any, eve: Any) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    Login.objects.filter(pk=ada.login.pk).update(last_seen=long_ago)
    before = Login.objects.get(pk=eve.login.pk).last_seen
    admit_all([ada.access, eve.access, ada.access])
    assert Login.objects.get(pk=ada.login.pk).last_seen > long_ago
    assert Login.objects.get(pk=eve.login.pk).last_seen == before
