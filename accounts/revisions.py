"""Which users changed since a known revision, and which logins ended: one query for a process.

Thousands of numbers are sent as the text of an array, which costs a tenth of as many parameters.
Only differences come back: mostly none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import connection

from accounts.models import Login, User

_CHANGED = f"""
    SELECT known.id, u.revision
    FROM unnest(%s::bigint[], %s::bigint[]) AS known (id, revision)
    JOIN {User._meta.db_table} u ON u.id = known.id
    WHERE u.revision <> known.revision
    UNION ALL
    SELECT known.id, NULL
    FROM unnest(%s::bigint[]) AS known (id)
    WHERE NOT EXISTS (
        SELECT FROM {Login._meta.db_table} login
        JOIN {User._meta.db_table} u ON u.id = login.user_id
        WHERE login.id = known.id AND login.ended_at IS NULL AND u.is_active
    )
"""  # noqa: S608 -- the names of our own tables


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """The present revision of users whose revision is above the known one; logins that ended.

    `gone_back`: users whose revision is below the known one. Only a restored backup causes that.
    """

    revisions: dict[int, int]
    ended: set[int]
    gone_back: set[int] = field(default_factory=set)


def changed_since(known: Mapping[int, int], logins: Iterable[int]) -> ChangedSince:
    """`known`: the revision up to which each user is known. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, [_array(known), _array(known.values()), _array(logins)])
        rows = cursor.fetchall()
    revisions = {pk: revision for pk, revision in rows if revision is not None}
    return ChangedSince(
        revisions={pk: there for pk, there in revisions.items() if there > known[pk]},
        ended={pk for pk, revision in rows if revision is None},
        gone_back={pk for pk, there in revisions.items() if there < known[pk]},
    )


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"
