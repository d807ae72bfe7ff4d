"""How accounts appear in the OpenAPI document."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from accounts.api.paging import LARGEST_PAGE

View = TypeVar("View", bound=Callable[..., Any])


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error. Those of a form also stand under the names of its fields, as lists."""

    error = serializers.CharField(help_text="One sentence.")
    code = serializers.CharField(help_text="Stable; for programs.")
    detail = serializers.CharField(help_text="The same sentence.")
    request_id = serializers.CharField()


PAGE = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
        description="At most so many; the rest follows `Link`.",
    ),
    OpenApiParameter(
        "cursor",
        {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1},
        description="From the `Link` header of the page before.",
    ),
]
WRONG_CREDENTIALS = OpenApiResponse(ErrorSerializer, description="Wrong name or password.")
_ERRORS = {
    400: "A field is missing or refused.",
    401: "No token, or one that is not good.",
    404: "There is no such thing of yours.",
    429: "Too often; `Retry-After` says how long.",
    503: "A part is down; try again.",
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """The errors of an operation. Any may answer 503."""
    return {
        status: OpenApiResponse(ErrorSerializer, description=_ERRORS[status])
        for status in (*statuses, 503)
    }


def operation(
    name: str, summary: str, fails: tuple[int, ...], answers: dict[int, Any], **more: Any
) -> Callable[[View], View]:
    """Decorates a method of a view. `fails`: the statuses of its errors."""
    responses = {**errors(*fails), **answers}
    return extend_schema(
        operation_id=name, summary=summary, tags=["Accounts"], responses=responses, **more
    )


class LoginScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The access token."""

    target_class = "accounts.api.authentication.LoginAuthentication"
    name = "access"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
