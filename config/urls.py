"""The routes of HTTP."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import include, path, register_converter
from django.urls.converters import IntConverter
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from web import docs, errors, page


class IdConverter(IntConverter):
    """The id of a row; another string in its place is 404."""

    regex = "[0-9]{1,18}"


register_converter(IdConverter, "id")


def to(url: str) -> Callable[..., HttpResponseBase]:
    return require_safe(RedirectView.as_view(url=url))


urlpatterns = [
    path("", page.page),
    path("users/", include("accounts.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("favicon.ico", page.icon),  # browsers request it where a page names no icon
    path("schema/", docs.openapi),
    path("docs/", docs.index),
    path("docs/rest/", docs.rest),
    path("docs/socket/", docs.socket),
    path("docs/asyncapi.yaml", docs.asyncapi_yaml),
    path("docs/openapi.yaml", to("/schema/")),
    path("docs/<slug:name>.md", docs.prose),
    path("docs", to("/docs/")),  # for people who type it
    path("docs/rest", to("/docs/rest/")),
    path("docs/socket", to("/docs/socket/")),
    path("schema", to("/schema/")),
    path("media/<path:name>", page.media),
]

if settings.ADMIN:
    urlpatterns += [
        path("admin/", admin.site.urls),
        path("admin", RedirectView.as_view(url="/admin/")),
    ]

handler400, handler403, handler404, handler500 = map(errors.handler, (400, 403, 404, 500))
