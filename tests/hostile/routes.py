"""Every route of the project and what may be asked of it. A new one must be given its place."""

from __future__ import annotations

import re
from typing import Any

from django.urls import get_resolver

COMMANDS = ("start", "pause", "resume", "extend", "finish", "cancel", "repeat")

# The methods of each route besides HEAD and OPTIONS. What stands in angle brackets is an id.
ALLOWED: dict[str, str] = {
    "users/signup/": "POST",
    "users/login/": "POST",
    "users/token/refresh/": "POST",
    "users/logout/": "POST",
    "users/logout-all/": "POST",
    "users/password/": "POST",
    "users/password/reset/": "POST",
    "users/password/reset/confirm/": "POST",
    "users/me/": "GET PATCH DELETE",
    "users/me/export/": "GET",
    "users/me/logins/": "GET DELETE",
    "users/me/logins/<login_id>/": "GET DELETE",
    "sessions/": "GET POST",
    "sessions/<session_id>/": "GET PUT PATCH DELETE",
    **{f"sessions/<session_id>/{action}/": "POST" for action in COMMANDS},
    "sessions/<session_id>/events/": "GET",
    "sessions/<session_id>/spaces/": "GET",
    "sessions/<session_id>/tasks/": "GET POST",
    "sessions/<session_id>/tasks/<task_id>/": "GET PUT PATCH DELETE",
    "spaces/": "GET",
    "changes/": "GET",
    "": "GET",
    "schema/": "GET",
    "schema": "GET",
    "favicon.ico": "GET",
    "docs": "GET",
    "docs/": "GET",
    "docs/rest": "GET",
    "docs/rest/": "GET",
    "docs/socket": "GET",
    "docs/socket/": "GET",
    "docs/asyncapi.yaml": "GET",
    "docs/openapi.yaml": "GET",
    "docs/<name>.md": "GET",
    # Public to who has the URL, whose name is 18 random bytes: an <img> can send no token, and
    # the published client lives on another origin.
    "media/<name>": "GET",
}
_PERSONAL = ("users/", "sessions/", "spaces/", "changes/")
# Without a login these are answered; all others say 401, whatever is asked.
OPEN = {
    "users/signup/",
    "users/login/",
    "users/token/refresh/",  # the token in the body says who
    "users/logout/",  # the same; without one 401
    "users/password/reset/",
    "users/password/reset/confirm/",
    *(route for route in ALLOWED if not route.startswith(_PERSONAL)),
}
NAMES = {"name": "nothing"}  # in place of what is no id


def routes() -> set[str]:
    """What Django's resolver knows, as in `sessions/<session_id>/`. Not the admin site's."""
    found = set(_below(get_resolver().url_patterns, ""))
    return {route for route in found if not route.startswith("admin")}


def path_of(route: str, **ids: int) -> str:
    """The path of the route with these ids."""
    return "/" + re.sub(r"<(\w+)>", lambda m: str({**NAMES, **ids}[m[1]]), route)


def ids_of(route: str) -> list[str]:
    """The names of the ids in it."""
    return [name for name in re.findall(r"<(\w+)>", route) if name not in NAMES]


def _below(patterns: Any, prefix: str) -> list[str]:
    found = []
    for one in patterns:
        route = prefix + re.sub(r"<\w+:", "<", str(one.pattern))
        found += _below(one.url_patterns, route) if hasattr(one, "url_patterns") else [route]
    return found
