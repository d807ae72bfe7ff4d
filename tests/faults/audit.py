"""What must be zero in the database, whatever was broken. Read by SQL, past all code of Space."""

from __future__ import annotations

import psycopg

# Each gives what is wrong, so that a failure shows it.
WRONG = {
    "un-ended past deadline": """
        SELECT id, ends_at FROM sessions_app_session
        WHERE status = 'running' AND ends_at <= clock_timestamp()""",
    "ended twice": """
        SELECT session_id, count(*) FROM sessions_app_sessionevent
        WHERE kind IN ('completed', 'finished', 'cancelled') GROUP BY session_id
        HAVING count(*) > 1""",
    "ended early": """
        SELECT s.id, e.at, s.ended_at, e.data FROM sessions_app_session s
        JOIN sessions_app_sessionevent e ON e.session_id = s.id AND e.kind = 'completed'
        WHERE e.at < s.ended_at OR (e.data->>'late_ms')::bigint < 0""",
    "log and version disagree": """
        SELECT s.id, s.version, count(e.id), max(e.version) FROM sessions_app_session s
        LEFT JOIN sessions_app_sessionevent e ON e.session_id = s.id GROUP BY s.id
        HAVING count(e.id) <> s.version OR max(e.version) <> s.version""",
    "log and revision disagree": """
        SELECT u.id, u.revision, count(e.id), max(e.revision) FROM accounts_user u
        LEFT JOIN sessions_app_sessionevent e ON e.user_id = u.id GROUP BY u.id
        HAVING count(e.id) <> u.revision OR coalesce(max(e.revision), 0) <> u.revision""",
    "status and log disagree": """
        SELECT s.id, s.status, e.kind FROM sessions_app_session s
        JOIN sessions_app_sessionevent e ON e.session_id = s.id
        WHERE e.kind IN ('completed', 'finished', 'cancelled') AND e.kind <> s.status""",
    "tasks over budget": """
        SELECT s.id, s.duration, s.task_minutes, sum(t.duration) FROM sessions_app_session s
        LEFT JOIN sessions_app_task t ON t.session_id = s.id GROUP BY s.id
        HAVING coalesce(sum(t.duration), 0) > s.duration
            OR coalesce(sum(t.duration), 0) <> s.task_minutes""",
    "two active of one user": """
        SELECT user_id, count(*) FROM sessions_app_session WHERE status IN ('running', 'paused')
        GROUP BY user_id HAVING count(*) > 1""",
    # The running intervals of the log add up to what was focused, to the millisecond.
    "time not conserved": """
        WITH marks AS (
            SELECT session_id, e.version, kind,
                CASE kind WHEN 'completed' THEN s.ended_at ELSE e.at END AS at, s.focused_ms
            FROM sessions_app_sessionevent e JOIN sessions_app_session s ON s.id = e.session_id
            WHERE s.focused_ms IS NOT NULL AND kind IN
                ('started', 'paused', 'resumed', 'completed', 'finished', 'cancelled')
        ), spans AS (
            SELECT session_id, focused_ms, CASE WHEN kind IN ('started', 'resumed') THEN
                lead(at) OVER (PARTITION BY session_id ORDER BY version) - at END AS span
            FROM marks
        )
        SELECT session_id, focused_ms, round(extract(epoch FROM sum(span)) * 1000) FROM spans
        GROUP BY session_id, focused_ms
        HAVING round(extract(epoch FROM coalesce(sum(span), interval '0')) * 1000) <> focused_ms""",
    "completed without all of its time": """
        SELECT id, planned_ms, focused_ms FROM sessions_app_session
        WHERE status = 'completed' AND planned_ms <> focused_ms""",
    "completed and not in the sky": """
        SELECT s.id FROM sessions_app_session s
        LEFT JOIN sessions_app_space b ON b.session_id = s.id
        WHERE s.status = 'completed' AND b.id IS NULL""",
}
EXAMPLES = 3


def audit(db: psycopg.Connection) -> dict[str, int]:
    """How many rows are wrong, by what is wrong with them."""
    return {what: len(db.execute(query).fetchall()) for what, query in WRONG.items()}


def examples(db: psycopg.Connection) -> str:
    """Some of the rows that are wrong."""
    found = {what: db.execute(query).fetchmany(EXAMPLES) for what, query in WRONG.items()}
    return "; ".join(f"{what}: {rows}" for what, rows in found.items() if rows) or "nothing"


def lateness_ms(db: psycopg.Connection, newest: int | None = None) -> list[int]:
    """How long after its deadline each end was recorded, in rising order. `newest`: of so many
    ends that were recorded last."""
    rows = db.execute(
        "SELECT (data->>'late_ms')::int FROM sessions_app_sessionevent"
        " WHERE kind = 'completed' ORDER BY id DESC LIMIT %s",
        [newest],
    )
    return sorted(late for (late,) in rows)
