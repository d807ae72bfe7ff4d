"""Writes very many users with a running session each by SQL, as the product would leave them."""

from __future__ import annotations

import psycopg

TASKS = 2  # of each session that comes due
STARS = 3  # already in the sky of each of their users

_USERS = """
    INSERT INTO accounts_user (username, username_key, email, email_key, password, revision,
        time_zone, day_start, reminders, is_active, is_staff, is_superuser, first_name, last_name,
        date_joined)
    SELECT name, name, name || '@example.org', name || '@example.org', '', 2, 'Europe/Berlin', 240,
        '[300, 60]', true, false, false, '', '', now()
    FROM (SELECT %(prefix)s || n AS name FROM generate_series(1, %(count)s) n) names
"""
_RUNNING = """
    INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,
        updated_at, version, task_minutes, status, planned_ms, started_at, ends_at, reminder_at)
    SELECT id, 'Write the chapter', 25, '', '', {ends} - interval '26 minutes',
        {ends} - interval '25 minutes', 2, 0, 'running', 1500000, {ends} - interval '25 minutes',
        {ends}, {reminder}
    FROM accounts_user WHERE starts_with(username, %(prefix)s)
"""
_LOG = """
    INSERT INTO sessions_app_sessionevent (user_id, revision, session_id, version, kind, at, device,
        data)
    SELECT s.user_id, n, s.id, n, CASE n WHEN 1 THEN 'created' ELSE 'started' END, s.updated_at,
        'Laptop', '{}'
    FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id, generate_series(1, 2) n
    WHERE starts_with(u.username, %(prefix)s)
"""
_TASKS = """
    INSERT INTO sessions_app_task (session_id, title, duration, done, created_at)
    SELECT s.id, 'Outline', 5, false, s.created_at
    FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id, generate_series(1, %(n)s)
    WHERE starts_with(u.username, %(prefix)s)
"""
_STARS = """
    WITH ended AS (
        INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,
            updated_at, version, task_minutes, status, planned_ms, focused_ms, started_at, ended_at)
        SELECT id, 'Read', 20, '', '', now() - interval '1 hour', now(), 0, 0, 'completed', 1200000,
            1200000, now() - interval '1 hour', now() - interval '40 minutes'
        FROM accounts_user, generate_series(1, %(n)s) WHERE starts_with(username, %(prefix)s)
        RETURNING id, user_id, ended_at
    )
    INSERT INTO sessions_app_space (user_id, session_id, type, sky, seed, x, y, radius, hue, look,
        created_at)
    SELECT user_id, id, 'star', %(sky)s, 1, 20 + id %% 760, 20 + id %% 260, 6, 200, 1, ended_at
    FROM ended
"""


def runs_for_hours(db: psycopg.Connection, count: int) -> None:
    """`count` users whose sessions end in one to 24 hours, reminders before that."""
    ends = "now() + interval '1 hour' + 23 * random() * interval '1 hour'"
    _write(db, "busy", count, ends=ends, reminder="now() + interval '50 minutes'")


def comes_due(db: psycopg.Connection, count: int, in_s: float) -> float:
    """`count` users whose sessions all end at one instant, `in_s` from now: given as Unix time."""
    [(at,)] = db.execute(
        "SELECT date_trunc('milliseconds', now() + %s * interval '1 second')", [in_s]
    )
    ends = f"timestamptz '{at.isoformat()}'"
    _write(db, "due", count, ends=ends, reminder="NULL")
    given = {"prefix": "due", "sky": at.date().replace(day=1)}
    db.execute(_LOG, given)
    db.execute(_TASKS, {**given, "n": TASKS})
    db.execute(_STARS, {**given, "n": STARS})
    return float(at.timestamp())


def _write(db: psycopg.Connection, prefix: str, count: int, *, ends: str, reminder: str) -> None:
    given = {"prefix": prefix, "count": count}
    db.execute(_USERS, given)
    db.execute(_RUNNING.format(ends=ends, reminder=reminder), given)  # type: ignore[arg-type]
