"""The ASGI application: HTTP to Django, `/ws/` to the consumer."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()  # loads the apps: before what imports models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from config.bodies import DiscardTooLarge  # noqa: E402
from config.health import Health  # noqa: E402
from realtime.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {"http": Health(DiscardTooLarge(django_application)), "websocket": websocket_application}
)
