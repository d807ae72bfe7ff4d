"""The settings, but what comes through Redis goes through `shim.Shim`."""

from config.settings import *  # noqa: F403
from config.settings import CHANNEL_LAYERS

CHANNEL_LAYERS = {
    "default": CHANNEL_LAYERS["default"] | {"BACKEND": "tests.faults.shim.Shim"},
}
