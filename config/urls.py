"""Where everything is."""

from django.urls import include, path, register_converter
from django.urls.converters import IntConverter
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from config import docs, errors, page


class IdConverter(IntConverter):
    """The id of a row: what cannot be one is not found."""

    regex = "[0-9]{1,18}"


register_converter(IdConverter, "id")

urlpatterns = [
    path("", page.page),
    path("users/", include("accounts.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("favicon.ico", page.icon),  # what browsers ask for where a page names none
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs.index),
    path("docs/rest/", docs.rest),
    path("docs/socket/", docs.socket),
    path("docs/asyncapi.yaml", docs.asyncapi_yaml),
    path("docs/openapi.yaml", RedirectView.as_view(url="/schema/")),
    path("docs/<slug:name>.md", docs.prose),
    path("docs", RedirectView.as_view(url="/docs/")),  # what people type
    path("docs/rest", RedirectView.as_view(url="/docs/rest/")),
    path("docs/socket", RedirectView.as_view(url="/docs/socket/")),
    path("schema", RedirectView.as_view(url="/schema/")),
    path("media/<path:name>", page.media),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
