"""Where everything is."""

from django.urls import include, path, register_converter
from django.urls.converters import IntConverter
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config import errors, page


class IdConverter(IntConverter):
    """The id of a row: what cannot be one is not found."""

    regex = "[0-9]{1,18}"


register_converter(IdConverter, "id")

urlpatterns = [
    path("", page.page),
    path("users/", include("accounts.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema")),
    path("docs", RedirectView.as_view(url="/docs/")),  # what people type
    path("schema", RedirectView.as_view(url="/schema/")),
    path("media/<path:name>", page.media),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
