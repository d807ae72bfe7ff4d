"""Serves the static files of the page from this process."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile


class Static(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    """WhiteNoise for ASGI: its streamed files would each be read in a thread, with a warning."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b"" if found.file is None else found.file.read()
        if found.file is not None:
            found.file.close()
        return HttpResponse(body, status=int(found.status), headers=dict(found.headers))

    def immutable_file_test(self, path: str, url: str) -> bool:
        """All of them: the URL carries a hash of their content."""
        return True
