"""What there is at the end of a plan: one finished lately, some for later, and one running."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from sessions_app.demo.draft import Day, draft, draft_for_later, draft_for_now
from sessions_app.demo.steps import PlannedSession
from sessions_app.demo.story import Story
from sessions_app.demo.texts import FOR_LATER, THESIS

AROUND_IT = timedelta(minutes=6)  # to prepare one, and to tick off its tasks


def finished(dice: Random, day: Day, *, before: datetime) -> PlannedSession:
    """One that has run out undisturbed, and everything of it was over `before`."""
    session = draft(dice, day, THESIS)
    begin = before - timedelta(minutes=session.minutes) - AROUND_IT
    story = Story(session, begin, THESIS.device, dice)
    story.prepare()
    story.start()
    story.run_out()
    return story.told()


def for_later(dice: Random, day: Day, now: datetime) -> Iterator[PlannedSession]:
    """Ready ones, made one after the other within ten minutes from `now`."""
    for project in FOR_LATER:
        now += timedelta(milliseconds=dice.randint(60_000, 180_000))
        story = Story(draft_for_later(dice, day, project), now, project.device, dice)
        story.prepare()
        yield story.told()


def running(dice: Random, day: Day, *, starts: datetime, has_run: timedelta) -> PlannedSession:
    """Started at `starts`, and still running after `has_run`."""
    made = starts - timedelta(seconds=95)
    story = Story(draft_for_now(dice, day), made, THESIS.device, dice)
    story.prepare()
    story.start_at(starts)
    story.run_for(has_run, done=1)
    return story.told()
