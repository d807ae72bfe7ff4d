"""The Redis groups: their names, and the channel layer that carries them."""

from typing import Any

from channels.layers import get_channel_layer


def of_user(user_id: int) -> str:
    """Every process with a socket of this user is in it."""
    return f"user.{user_id}"


def channel_layer() -> Any:
    """The configured layer. Its connections belong to the running event loop."""
    return get_channel_layer()
