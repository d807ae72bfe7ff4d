"""Passwords are hashed few at a time, since each takes 100 MiB."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection, connections
from rest_framework.test import APIClient

from accounts import password_hashing
from accounts.exceptions import TooManyRequests
from runtime.fair_semaphore import FairSemaphore


@pytest.fixture(autouse=True)
def _real_passwords(settings):
    settings.PASSWORD_HASHERS = ["accounts.password_hashing.Argon2"]


@pytest.fixture
def one_at_a_time(monkeypatch):
    """One hash at a time, and no patience."""
    monkeypatch.setattr(password_hashing, "_slots", FairSemaphore(1))
    monkeypatch.setattr(password_hashing, "LONGEST_WAIT_S", 0.01)


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
    hasher = password_hashing.Argon2()
    encoded = hasher.encode("a long walk at dusk", hasher.salt())
    assert hasher.verify("a long walk at dusk", encoded)
    assert not hasher.verify("a short walk", encoded)


def test_no_more_than_a_few_are_hashed_at_once(most_at_once):
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: password_hashing.Argon2().encode("x", "salt"), range(200)))
    assert most_at_once() <= password_hashing.AT_A_TIME


@pytest.mark.django_db
def test_a_request_that_waits_too_long_for_a_hash_is_429(one_at_a_time):
    body = {"username": "ada", "email": "ada@example.org", "password": "a long walk at dusk"}
    with password_hashing._slot():
        answer = APIClient().post("/users/signup/", body, format="json")
    assert answer.status_code == 429
    assert answer["Retry-After"] == str(password_hashing.RETRY_AFTER_S)


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_for_a_hash_holds_no_connection(one_at_a_time):
    connection.ensure_connection()
    with password_hashing._slot():
        assert connection.connection is not None, "a request that need not wait keeps it"
        with pytest.raises(TooManyRequests), password_hashing._slot():
            pass
    assert connection.connection is None


def test_a_hash_that_fails_gives_its_place_back(one_at_a_time, monkeypatch):
    def fails(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(Argon2PasswordHasher, "encode", fails)
    for _ in range(2):
        with pytest.raises(MemoryError):
            password_hashing.Argon2().encode("x", "salt")
    with pytest.raises(TooManyRequests), password_hashing._slot():
        password_hashing.Argon2().encode("x", "salt")


def log_in_from(address):
    body = {"username": "nobody", "password": "a long walk at dusk"}
    try:
        return APIClient().post("/users/login/", body, format="json", REMOTE_ADDR=address)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_one_network_cannot_fill_the_queue_for_others(monkeypatch, settings):
    settings.LIMIT_WAITING_PER_ADDRESS = 4
    slots = FairSemaphore(1, queue_share=password_hashing._may_wait)
    monkeypatch.setattr(password_hashing, "_slots", slots)
    with ThreadPoolExecutor(13) as threads:
        with slots.slot("another", within_s=0):
            crowd = [threads.submit(log_in_from, f"2001:db8:0:7::{n}") for n in range(12)]
            refused = [request.result() for request in islice(as_completed(crowd, timeout=30), 8)]
            other = threads.submit(log_in_from, "192.0.2.1")
            while slots.waiting < 5:  # until it waits beside the crowd
                assert not other.done()
                time.sleep(0)
        assert other.result(timeout=30).status_code == 401
        answers = [request.result(timeout=30).status_code for request in crowd]
    assert [answer.status_code for answer in refused] == [429] * 8
    assert {answer["Retry-After"] for answer in refused} == {
        str(password_hashing.QUEUE_RETRY_AFTER_S)
    }
    assert sorted(answers) == [401] * 4 + [429] * 8


def test_a_hash_outside_of_a_request_may_always_wait(monkeypatch, settings):
    settings.LIMIT_WAITING_PER_ADDRESS = 0
    slots = FairSemaphore(1, queue_share=password_hashing._may_wait)
    monkeypatch.setattr(password_hashing, "_slots", slots)
    with ThreadPoolExecutor(1) as threads:
        with password_hashing._slot():
            hashed = threads.submit(password_hashing.Argon2().encode, "x", "saltsaltsalt")
            while not slots.waiting:
                time.sleep(0)
        assert hashed.result(timeout=30).startswith("argon2")
