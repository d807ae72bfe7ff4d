"""Passwords are hashed few at a time, since each takes 100 MiB."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from accounts import hashing


@pytest.fixture(autouse=True)
def _real_passwords(settings):
    settings.PASSWORD_HASHERS = ["accounts.hashing.Argon2"]


@pytest.fixture
def most_at_once(monkeypatch):
    """How many were hashed at the same time, at most."""
    seen, running = [0], []

    def hashed(self, password, salt):
        running.append(self)
        seen.append(len(running))
        time.sleep(0)  # lets another thread in
        running.remove(self)
        return "argon2$hash"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", hashed)
    return lambda: max(seen)


def test_a_hash_fits_its_password_only():
    hasher = hashing.Argon2()
    encoded = hasher.encode("a long walk at dusk", hasher.salt())
    assert hasher.verify("a long walk at dusk", encoded)
    assert not hasher.verify("a short walk", encoded)


def test_no_more_than_a_few_are_hashed_at_once(most_at_once):
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: hashing.Argon2().encode("x", "salt"), range(200)))
    assert most_at_once() <= hashing.AT_A_TIME


@pytest.mark.django_db
def test_who_is_not_served_in_time_is_asked_to_come_back(monkeypatch):
    monkeypatch.setattr(hashing, "_slots", BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "PATIENCE_S", 0.01)
    body = {"username": "ada", "email": "ada@example.org", "password": "a long walk at dusk"}
    with hashing._slot():
        answer = APIClient().post("/users/signup/", body, format="json")
    assert answer.status_code == 429
    assert answer["Retry-After"] == str(hashing.TRY_AGAIN_S)


@pytest.mark.django_db(transaction=True)
def test_who_waits_leaves_the_connections_of_the_database_to_others(monkeypatch):
    monkeypatch.setattr(hashing, "_slots", BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "PATIENCE_S", 0.01)
    connection.ensure_connection()
    with hashing._slot():
        assert connection.connection is not None, "it is kept by who need not wait"
        with pytest.raises(Throttled), hashing._slot():
            pass
    assert connection.connection is None


def test_a_hash_that_fails_gives_its_place_back(monkeypatch):
    monkeypatch.setattr(hashing, "_slots", BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "PATIENCE_S", 0.01)

    def fails(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(Argon2PasswordHasher, "encode", fails)
    for _ in range(2):
        with pytest.raises(MemoryError):
            hashing.Argon2().encode("x", "salt")
    with pytest.raises(Throttled), hashing._slot():
        hashing.Argon2().encode("x", "salt")
