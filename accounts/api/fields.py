"""Strict fields: each takes values of its JSON type only."""

from typing import Any, ClassVar

from django.contrib.auth.validators import UnicodeUsernameValidator
from rest_framework import serializers

from accounts.names import MAX_LENGTH, normal_email, normal_username
from accounts.services.profiles import time_zones


class Text(serializers.CharField):
    """A JSON string. (DRF's own takes 5 and 5.0 too.)"""

    default_error_messages: ClassVar = {"invalid": "Must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """A JSON integer. (DRF's own takes "5", 5.0 and true too.)"""

    default_error_messages: ClassVar = {"invalid": "Must be a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


def _refuse_endless(data: Any) -> None:
    if isinstance(data, str) and len(data) > MAX_LENGTH:
        sentence = f"Ensure this field has no more than {MAX_LENGTH} characters."
        raise serializers.ValidationError(sentence, code="max_length")


class Username(Text):
    """As it will be stored: normalised before its length and its characters are checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, **kwargs)
        self.validators.append(UnicodeUsernameValidator())

    def to_internal_value(self, data: Any) -> str:
        _refuse_endless(data)
        return normal_username(super().to_internal_value(data))


class Email(serializers.EmailField):
    """As it will be stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        _refuse_endless(data)
        return normal_email(super().to_internal_value(data))


class Password(Text):
    """A password, as it is typed."""

    def __init__(self, **kwargs: Any) -> None:
        style = {"input_type": "password"}
        super().__init__(trim_whitespace=False, write_only=True, style=style, **kwargs)


class NewPassword(Password):
    """The services check its strength, where the user is known."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=128, **kwargs)


class TimeZone(Text):
    """An IANA name, "Europe/Berlin"."""

    default_error_messages: ClassVar = {"unknown": "There is no such time zone."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in time_zones():
            self.fail("unknown")
        return name


class Reminders(serializers.ListField):
    """Seconds before the end of a session, each once."""

    child = WholeNumber(min_value=1, max_value=24 * 60 * 60)
    default_error_messages: ClassVar = {
        "repeated": "Each offset may stand once.",
        "too_many": "Ensure this field has no more than {most} elements.",
    }
    most = 10

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=self.most, **kwargs)

    def to_internal_value(self, data: Any) -> list[int]:
        if isinstance(data, list) and len(data) > self.most:
            self.fail("too_many", most=self.most)  # DRF would first check each
        offsets: list[int] = super().to_internal_value(data)
        if len(set(offsets)) < len(offsets):
            self.fail("repeated")
        return offsets
