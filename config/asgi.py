"""The ASGI application: HTTP to Django, `/ws/` to the consumer."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()  # loads the apps: before what imports models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from config.bodies import DiscardTooLarge  # noqa: E402
from config.health import Health  # noqa: E402
from config.one_thread import OneThread  # noqa: E402
from realtime.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {"http": Health(DiscardTooLarge(OneThread())), "websocket": websocket_application}
)
