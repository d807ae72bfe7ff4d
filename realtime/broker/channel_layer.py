"""The Redis groups: their names, and the channel layer that carries them.

This is the one module that uses private names of channels_redis: the layer's own methods join,
leave and send one at a time, each with a round trip under one lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from channels.layers import get_channel_layer

from realtime.broker.connection import cut

Message = tuple[str, dict[str, Any]]  # the group, and the message to it


def of_user(user_id: int) -> str:
    """Every process with a socket of this user is in it."""
    return f"user.{user_id}"


def channel_layer() -> Any:
    """The configured layer. Its connections belong to the running event loop."""
    return get_channel_layer()


async def join(groups: Collection[str], channel: str) -> None:
    """Puts the channel into all of the groups, in one SUBSCRIBE (of each Redis).

    One at a time, the last of some thousand users would wait for seconds after a restart.
    """
    layer = channel_layer()._get_layer()
    names = [layer._get_group_channel_name(group) for group in groups]
    for name in names:
        layer.groups.setdefault(name, set()).add(channel)
    await _subscribe(layer, names, wanted=True)


async def leave(groups: Collection[str], channel: str) -> None:
    """Takes the channel out of all of the groups, in one UNSUBSCRIBE (of each Redis)."""
    layer = channel_layer()._get_layer()
    left = []
    for group in groups:
        name = layer._get_group_channel_name(group)
        members = layer.groups.get(name, set())
        members.discard(channel)
        if not members:
            layer.groups.pop(name, None)
            left.append(name)
    await _subscribe(layer, left, wanted=False)


async def _subscribe(layer: Any, names: Collection[str], *, wanted: bool) -> None:
    """Subscribes to these channels, or unsubscribes. Those that are so already are left out."""
    by_shard: dict[Any, set[str]] = defaultdict(set)
    for name in names:
        by_shard[layer._get_shard(name)].add(name)
    for shard, its_names in by_shard.items():
        async with shard._lock:
            if changed := {name for name in its_names if (name in shard._subscribed_to) != wanted}:
                shard._ensure_redis()
                shard._ensure_receiver()
                pubsub = shard._pubsub
                await (pubsub.subscribe if wanted else pubsub.unsubscribe)(*changed)
                shard._subscribed_to ^= changed


async def send_all(messages: Iterable[Message]) -> None:
    """A PUBLISH of each message to its group, in order, in one round trip (to each Redis).

    One at a time, the messages of a thousand ended sessions would take a second.
    """
    outer = channel_layer()
    layer = outer._get_layer()
    packed = defaultdict(list)
    for group, message in messages:
        name = layer._get_group_channel_name(group)
        packed[layer._get_shard(name)].append((name, outer.serialize(message)))
    for shard, its_messages in packed.items():
        async with shard._lock:
            shard._ensure_redis()
            async with shard._redis.pipeline(transaction=False) as pipe:
                for name, data in its_messages:
                    pipe.publish(name, data)
                await pipe.execute()


def resubscribe() -> None:
    """Has the layer of this loop connect and subscribe again. Waits for nothing.

    The task that listens finds its connection broken and connects, and redis-py subscribes to all
    channels that there were.
    """
    for shard in channel_layer()._shards:
        if shard._receive_task is not None and shard._receive_task.done():
            shard._receive_task = None  # it should never end; the layer would not notice
            shard._ensure_receiver()
        if shard._pubsub is not None:
            cut(shard._pubsub)
