"""The settings, but an access token is good for three seconds only."""

from datetime import timedelta

from config.settings import *  # noqa: F403
from config.settings import SIMPLE_JWT

SIMPLE_JWT = SIMPLE_JWT | {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=3)}
