"""The users that `./space bench` makes in the database can come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db.models import F

from accounts.auth.admission import Identity, admit_all
from accounts.models import Login
from benchmarks.bench.populate import _fill


@pytest.mark.django_db
def test_each_token_lets_its_user_in(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    _fill(3, tokens)
    identities = admit_all(tokens.read_text().split())
    users = [it.user_id for it in identities if isinstance(it, Identity)]
    assert len(set(users)) == 3
    # However long it took to write the rows: no token may be older than its login.
    assert not Login.objects.exclude(first_seen=F("refreshed_at")).exists()
