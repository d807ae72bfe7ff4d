"""Quotas: how many sessions, tasks and pictures a user may keep.

Called while the ledger holds the user's row, so nothing is added meanwhile. Existing rows are
counted each time, so deleting makes room. All raise `QuotaExceeded`.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import BigIntegerField, Case, F, Sum, When

from sessions_app.exceptions import QuotaExceeded
from sessions_app.models import Session, Task

MIB = 1024 * 1024
NOT_MEASURED = 256 * 1024  # bytes that a picture of unknown size counts as


def room_for_a_session(user_id: int) -> None:
    most: int = settings.QUOTA_SESSIONS
    if Session.objects.owned_by(user_id).count() >= most:
        raise QuotaExceeded(f"You have {most} sessions, and no more are kept. Delete some first.")


def room_for_a_picture(user_id: int, size: int, *, instead_of: Session | None = None) -> None:
    """`size` in bytes. A smaller picture may always replace a larger one."""
    more = size - (_size(instead_of) if instead_of is not None else 0)
    if more > 0 and _stored_bytes(user_id) + more > settings.QUOTA_PICTURES_MIB * MIB:
        raise QuotaExceeded(
            f"Your pictures would take more than {settings.QUOTA_PICTURES_MIB} MiB."
            " Delete some first."
        )


def room_for_tasks(session: Session, count: int = 1) -> None:
    most: int = settings.QUOTA_TASKS
    if session.tasks.count() + count > most:
        raise QuotaExceeded(f"A session may have at most {most} tasks.")
    most = settings.QUOTA_TASKS_OF_USER
    if Task.objects.filter(session__user_id=session.user_id).count() + count > most:
        raise QuotaExceeded(f"You have {most} tasks, and no more are kept. Delete some first.")


def _size(session: Session) -> int:
    return (session.image_bytes or NOT_MEASURED) if session.image else 0


def _stored_bytes(user_id: int) -> int:
    """The bytes of the user's pictures."""
    measured = Case(
        When(image_bytes=0, then=NOT_MEASURED),
        default=F("image_bytes"),
        output_field=BigIntegerField(),
    )
    pictures = Session.objects.owned_by(user_id).exclude(image="")
    return pictures.aggregate(sum=Sum(measured))["sum"] or 0
