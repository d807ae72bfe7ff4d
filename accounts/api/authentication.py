"""Authentication of REST: a request's bearer token -> its user and its login."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.auth.admission import Admission, admit
from accounts.exceptions import TokenNotValid
from accounts.models import User
from runtime import log_context

CHALLENGE = 'Bearer realm="api"'


class LoginAuthentication(BaseAuthentication):
    """Sets `request.user`, and `request.auth` to the Admission, by `Authorization: Bearer ...`."""

    def authenticate(self, request: Request) -> tuple[User, Admission] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            admission = admit(token.decode("latin-1").strip())
        except TokenNotValid as error:
            raise AuthenticationFailed(str(error), code="token_not_valid") from error
        log_context.user(admission.user.pk)
        return admission.user, admission

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE
