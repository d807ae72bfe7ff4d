"""The services: each function is one change of a session, in one transaction.

`by` is the user and the device; `seen` is the version that the client saw, or None not to check.
They raise the errors of `exceptions.py`; those of the rules carry the session's current state.
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
