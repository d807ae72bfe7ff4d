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
    limit = limits.REQUESTS  # for the whole project


class PasswordChangesPerUser(PerUser):
    limit = limits.PASSWORD_CHANGES  # each costs two hashes


class ExportsPerUser(PerUser):
    limit = limits.EXPORTS  # each reads all rows of a user


class SignUpsPerAddress(PerAddress):
    limit = limits.SIGN_UPS  # attempts too: a refused one says which names are taken


class RefreshesPerAddress(PerAddress):
    limit = limits.REFRESHES


class ResetsPerAddress(PerAddress):
    limit = limits.RESETS
