"""The minutes of a session's tasks, summed by the database itself.

Each change of a task locks its session's row and moves `task_minutes`; the check constraint on the
session then refuses what would not fit, whoever writes and however many at once.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION sessions_app_sum_task_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE sessions_app_session
        SET task_minutes = task_minutes - OLD.duration WHERE id = OLD.session_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE sessions_app_session
        SET task_minutes = task_minutes + NEW.duration WHERE id = NEW.session_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER sum_task_minutes
AFTER INSERT OR DELETE OR UPDATE OF duration, session_id ON sessions_app_task
FOR EACH ROW EXECUTE FUNCTION sessions_app_sum_task_minutes();
"""
DROP = """
DROP TRIGGER sum_task_minutes ON sessions_app_task;
DROP FUNCTION sessions_app_sum_task_minutes();
"""


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
