"""The bodies that clients may send. The types in `events.py` describe the answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.api.fields import Reminders, Text, WholeNumber
from sessions_app.api.fields import NumberInQuery, Picture, Sound, TrueOrFalse

DAY_MINUTES = 1_440
DAY_S = 86_400


class SessionInput(serializers.Serializer[Any]):
    title = Text(max_length=100)
    duration = WholeNumber(min_value=1, max_value=DAY_MINUTES, help_text="Whole minutes.")
    image = Picture(required=False, allow_null=True)
    sound = Sound(required=False, allow_blank=True)
    reminders = Reminders(required=False, allow_null=True)


class TaskInput(serializers.Serializer[Any]):
    title = Text(max_length=100)
    duration = WholeNumber(min_value=1, max_value=DAY_MINUTES, help_text="Whole minutes.")
    done = TrueOrFalse(required=False)


class VersionSeen(serializers.Serializer[Any]):
    """Commands may say which version they saw, as `If-Match` does."""

    version = WholeNumber(min_value=0, required=False)


class StartInput(VersionSeen):
    replace = TrueOrFalse(required=False, help_text="Finish the other active session first.")


class ExtendInput(VersionSeen):
    seconds = WholeNumber(min_value=-DAY_S, max_value=DAY_S)


class ChangesQuery(serializers.Serializer[Any]):
    since = NumberInQuery(min_value=0, max_value=2**63 - 1)
    epoch = serializers.CharField(required=False, allow_blank=True, max_length=64)
