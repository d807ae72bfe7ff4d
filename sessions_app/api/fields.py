"""Strict input fields of sessions, besides those of `accounts.api.fields`."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.base import admitted
from accounts.api.fields import Text
from sessions_app.pictures.upload import from_data_url


class TrueOrFalse(serializers.BooleanField):
    """A JSON boolean. (DRF's own takes "yes" and 1 too.)"""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class NumberInQuery(serializers.IntegerField):
    """Digits, and nothing else. (DRF's own takes other scripts' digits and "1.0" too.)"""

    default_error_messages: ClassVar = {"invalid": "Must be a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


_SOUNDS = ("rain", "waves", "bell")
# By name, or as the published client names their files.
SOUNDS = [form.format(name) for form in ("{}", "{}.mp3", "/sounds/{}.mp3") for name in _SOUNDS]


@extend_schema_field({"type": "string", "enum": ["", *SOUNDS]})
class Sound(Text):
    """The sound of a session: one of `SOUNDS`, or "". Never a URL of another host."""

    default_error_messages: ClassVar = {"unknown": "There is no such sound."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in SOUNDS:
            self.fail("unknown")
        return name


@extend_schema_field({"type": ["string", "null"], "description": "A data: URL, or null for none."})
class Picture(serializers.Field[Any, Any, Any, Any]):
    """A `data:` URL, decoded; null and "" mean no picture."""

    def to_internal_value(self, data: Any) -> Any:
        if data == "":
            return None
        if not isinstance(data, str):
            raise serializers.ValidationError("Send the picture as a data: URL.")
        return from_data_url(data, admitted(self.context["request"]).user.pk)
