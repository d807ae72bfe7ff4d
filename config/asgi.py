"""The ASGI application: HTTP for Django, `/ws/` for the consumer; and variants with one of them."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()  # loads the apps, before the modules that import models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from ops.metrics import families  # noqa: E402
from ops.metrics.page import Metrics  # noqa: E402
from realtime.routing import nowhere, websocket_application  # noqa: E402
from server.asgi.bodies import BodySpooling  # noqa: E402
from server.asgi.django_handler import DjangoHandler  # noqa: E402
from server.asgi.early_errors import no_rest  # noqa: E402
from server.asgi.headers import Headers  # noqa: E402
from server.asgi.health import Health  # noqa: E402

families.register("server")
rest = Headers(Metrics(Health(BodySpooling(DjangoHandler()))))

application = ProtocolTypeRouter({"http": rest, "websocket": websocket_application})

# For `serve --only`, where REST and sockets have processes of their own.
only_rest = ProtocolTypeRouter({"http": rest, "websocket": nowhere})
only_sockets = ProtocolTypeRouter(
    {
        "http": Headers(Metrics(Health(BodySpooling(no_rest)))),
        "websocket": websocket_application,
    }
)
