"""The servers that the tests themselves run on."""

import os

import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_a_real_postgresql():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), version()")
        name, version = cursor.fetchone()
    assert name.startswith("test_")
    assert version.startswith("PostgreSQL")


def test_redis_answers():
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
