"""The limits as DRF's throttles: each counts every request to its view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import limits
from accounts.counters import seconds_left
from accounts.limits import Limit
from runtime.client_address import client_address, network_of

if TYPE_CHECKING:  # DRF's views import this module by the settings
    from rest_framework.views import APIView


class _Throttle(BaseThrottle):
    limit: ClassVar[Limit]

    def wait(self) -> float:
        return seconds_left(self.limit.window_s)


class PerAddress(_Throttle):
    """For its address (an IPv6 address for its /64)."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        return self.limit.takes(network_of(client_address(request.META)))


class PerUser(_Throttle):
    """For its user. A request without a user is not counted."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        return request.auth is None or self.limit.takes(request.user.pk)


class RequestsPerUser(PerUser):
    """For the whole project."""

    limit = limits.REQUESTS


class PasswordChangesPerUser(PerUser):
    """Each costs two hashes."""

    limit = limits.PASSWORD_CHANGES


class ExportsPerUser(PerUser):
    """Each reads all that a user has."""

    limit = limits.EXPORTS


class SignUpsPerAddress(PerAddress):
    """Attempts too: a refused one says which names are taken."""

    limit = limits.SIGN_UPS


class RefreshesPerAddress(PerAddress):
    """It needs no access token."""

    limit = limits.REFRESHES


class ResetsPerAddress(PerAddress):
    """It needs no login."""

    limit = limits.RESETS
