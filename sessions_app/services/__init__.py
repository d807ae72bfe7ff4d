"""Everything that changes a session. Each function is one change: it happens whole, or not at all.

`by` says who asks; `seen` is the version that they saw, or None not to check. All of them raise the
errors of `exceptions.py`; those of the rules carry the session as it stands.
"""

from sessions_app.ledger import Actor
from sessions_app.services.sessions import Edit, create, delete, edit, repeat
from sessions_app.services.tasks import TaskEdit, add_task, delete_task, edit_task
from sessions_app.services.timer import cancel, extend, finish, pause, resume, start

__all__ = [
    "Actor",
    "Edit",
    "TaskEdit",
    "add_task",
    "cancel",
    "create",
    "delete",
    "delete_task",
    "edit",
    "edit_task",
    "extend",
    "finish",
    "pause",
    "repeat",
    "resume",
    "start",
]
