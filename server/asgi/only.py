"""What a process answers that serves sockets only: probes, and that nothing else is here."""

from __future__ import annotations

from typing import Any

from server.asgi.bodies import Receive, Send
from server.asgi.refusals import refuse
from web.errors import NOT_FOUND


async def no_rest(scope: Any, receive: Receive, send: Send) -> None:
    """404 in the form that all errors have. A proxy that sends REST here is set wrongly."""
    await refuse(scope, send, 404, "not_found", NOT_FOUND)
