"""The JSON of accounts, both ways. The services check the rules that need the database."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import (
    Email,
    NewPassword,
    Password,
    Reminders,
    Text,
    TimeZone,
    Username,
    WholeNumber,
)
from accounts.models import Login, User


class UserSerializer(serializers.ModelSerializer[User]):
    """A user's profile."""

    username = Username()
    email = Email()
    time_zone = TimeZone()
    day_start = WholeNumber(min_value=0, max_value=24 * 60 - 1, help_text="Minutes after midnight.")
    reminders = Reminders(help_text="Seconds before the end, 1 to 86400, at most ten.")

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            *("id", "username", "email", "time_zone", "day_start", "reminders"),
            *("revision", "date_joined"),
        )
        read_only_fields = ("id", "revision", "date_joined")


class ProfileSerializer(UserSerializer):
    """Any part of a profile. Another `email` needs the `password`."""

    password = Password(required=False, help_text="Needed for another `email`.")

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "password")


class DeletionSerializer(serializers.Serializer[Any]):
    """May be absent. Where a password is given, a wrong one deletes nothing."""

    password = Password(required=False)


class ResetSerializer(serializers.Serializer[Any]):
    """Whether this is, or could be, anybody's address is not looked at."""

    email = Text(max_length=1_000)


class ResetAskedSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(read_only=True)


class ResetConfirmSerializer(serializers.Serializer[Any]):
    """`uid` and `token` are the last two parts of the link."""

    uid = Text(max_length=100)
    token = Text(max_length=200)
    new_password = NewPassword()


class _DeviceSerializer(serializers.Serializer[Any]):
    device = Text(
        max_length=64, required=False, allow_blank=True, help_text="A name for this login."
    )


class SignUpSerializer(_DeviceSerializer):
    """Who wants in. Unknown fields are ignored."""

    username = Username()
    email = Email()
    password = NewPassword()


class LogInSerializer(_DeviceSerializer):
    """A user name (or the e-mail address) in any case, and the password."""

    username = Text()
    password = Password()


class TokensSerializer(serializers.Serializer[Any]):
    """What opens the rest of the API: `access` with each request, `refresh` for the next pair."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class LoggedInSerializer(TokensSerializer):
    """The same, with the user."""

    user = UserSerializer(read_only=True)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = Text()


class LogOutSerializer(serializers.Serializer[Any]):
    """`refresh` may be absent: then the login of the access token ends."""

    refresh = Text(required=False, allow_null=True, allow_blank=True)


class PasswordSerializer(serializers.Serializer[Any]):
    old_password = Password()
    new_password = NewPassword()


class LoginSerializer(serializers.ModelSerializer[Login]):
    """A device that is logged in."""

    current = serializers.SerializerMethodField(help_text="The one that asks.")

    class Meta:
        model = Login
        fields = ("id", "device", "address", "first_seen", "last_seen", "current")
        read_only_fields = fields

    def get_current(self, login: Login) -> bool:
        return bool(login.pk == self.context["request"].auth.login.pk)


class EndedSerializer(serializers.Serializer[Any]):
    """How many other logins ended."""

    ended = serializers.IntegerField(read_only=True)
