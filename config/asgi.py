"""The ASGI applications: HTTP to Django, `/ws/` to the consumer, or only one of the two."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()  # loads the apps: before what imports models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from ops.metrics import families  # noqa: E402
from ops.metrics.page import Metrics  # noqa: E402
from realtime.routing import nowhere, websocket_application  # noqa: E402
from server.asgi.bodies import DiscardTooLarge  # noqa: E402
from server.asgi.django_handler import OneThread  # noqa: E402
from server.asgi.headers import Headers  # noqa: E402
from server.asgi.health import Health  # noqa: E402
from server.asgi.only import no_rest  # noqa: E402

families.tell("server")
rest = Headers(Metrics(Health(DiscardTooLarge(OneThread()))))

application = ProtocolTypeRouter({"http": rest, "websocket": websocket_application})

# What `serve --only` runs, where REST and sockets have processes of their own.
only_rest = ProtocolTypeRouter({"http": rest, "websocket": nowhere})
only_sockets = ProtocolTypeRouter(
    {
        "http": Headers(Metrics(Health(DiscardTooLarge(no_rest)))),
        "websocket": websocket_application,
    }
)
