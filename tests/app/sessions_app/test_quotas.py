"""How much a user may keep, and how fast their log may grow."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connections
from django.db.models import F

from accounts.api import paging
from accounts.limits import REQUESTS, Limit
from realtime.database import in_database
from realtime.protocol.messages import Command, Error
from realtime.sockets.commands import perform
from sessions_app import services
from sessions_app.api import session_views
from sessions_app.events import SessionState, TaskState
from sessions_app.exceptions import QuotaExceeded
from sessions_app.models import Session, SessionEvent, Task
from sessions_app.services.quotas import MIB, NOT_MEASURED
from tests.app.sessions_app.conftest import Listen
from tests.support.people import Person, at_once, data_url, picture, signed_up


def new_session(person: Person, **more: Any) -> Any:
    return person.post("/sessions/", {"title": "Write", "duration": 25, **more})


def is_refused(answer: Any) -> bool:
    """With 422, a code and a sentence."""
    body = answer.json()
    return bool(
        (answer.status_code, body["code"]) == (422, "quota_exceeded")
        and body["error"] == body["detail"]
        and body["request_id"]
    )


def pictures_of(size: int) -> ContentFile[bytes]:
    return ContentFile(b"x" * size)


@pytest.fixture
def room_for_1000_bytes(settings: Any) -> None:
    settings.QUOTA_PICTURES_MIB = 1_000 / MIB


# -- sessions ------------------------------------------------------------------------------------


def test_no_more_sessions_than_the_quota_and_deleting_gives_it_back(
    ada: Person, eve: Person, settings: Any, announced: Listen
) -> None:
    settings.QUOTA_SESSIONS = 2
    first, second = (new_session(ada).json()["id"] for _ in range(2))
    assert is_refused(new_session(ada))
    assert is_refused(ada.post(f"/sessions/{first}/repeat/"))
    assert Session.objects.count() == 2
    assert new_session(eve).status_code == 201, "a quota is each one's own"
    with announced():
        ada.delete(f"/sessions/{second}/")
    assert ada.post(f"/sessions/{first}/repeat/").status_code == 201
    assert is_refused(new_session(ada))


def test_a_full_account_goes_on_working(ada: Person, settings: Any) -> None:
    session = new_session(ada).json()["id"]
    settings.QUOTA_SESSIONS = 1
    assert ada.post(f"/sessions/{session}/start/").status_code == 200
    assert ada.patch(f"/sessions/{session}/", {"title": "Read"}).status_code == 200
    assert ada.post(f"/sessions/{session}/finish/").status_code == 200


# -- tasks ---------------------------------------------------------------------------------------


def test_no_more_tasks_than_the_quota(ada: Person, settings: Any) -> None:
    settings.QUOTA_TASKS = 2
    session = new_session(ada).json()["id"]
    url, task = f"/sessions/{session}/tasks/", {"title": "Draft", "duration": 1}
    first = ada.post(url, task).json()["id"]
    assert ada.post(url, task).status_code == 201
    refused = ada.post(url, task)
    assert is_refused(refused)
    assert refused.json()["state"]["id"] == session, "as every conflict"
    assert ada.post(f"/sessions/{session}/repeat/").status_code == 201
    ada.delete(f"{url}{first}/")
    assert ada.post(url, task).status_code == 201


def test_no_more_tasks_of_a_user_than_the_quota(
    ada: Person, settings: Any, announced: Listen
) -> None:
    """A session of 200 tasks can be repeated: a list of two million is more than a server has."""
    settings.QUOTA_TASKS_OF_USER = 3
    first, second = (new_session(ada).json()["id"] for _ in range(2))
    task = {"title": "Draft", "duration": 1}
    for session in (first, first, second):
        assert ada.post(f"/sessions/{session}/tasks/", task).status_code == 201
    assert is_refused(ada.post(f"/sessions/{second}/tasks/", task))
    assert is_refused(ada.post(f"/sessions/{first}/repeat/"))
    assert Session.objects.count() == 2
    with announced():
        ada.delete(f"/sessions/{second}/")
    assert ada.post(f"/sessions/{first}/tasks/", task).status_code == 201


# -- large answers -------------------------------------------------------------------------------


def test_a_large_answer_counts_as_several_requests(
    ada: Person, eve: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = new_session(ada, title="x" * 100).json()["id"]
    for title in ("a", "b", "c"):
        ada.patch(f"/sessions/{session}/", {"title": title * 100})
    monkeypatch.setattr(paging, "BYTES_PER_REQUEST", 100)
    monkeypatch.setattr(session_views, "CHANGES_OF_A_REQUEST", 2)
    charged: list[tuple[int, int]] = []
    monkeypatch.setattr(Limit, "charge", lambda _, user, count: charged.append((user, count)))
    for path in ("/sessions/", f"/sessions/{session}/events/", "/changes/?since=0"):
        answer = ada.get(path)
        expected = 2 if "changes" in path else len(answer.content) // 100
        assert charged.pop() == (ada.user_id, expected)
    assert charged == []


def test_charged_requests_count_in_the_minute(ada: Person, eve: Person, settings: Any) -> None:
    settings.LIMIT_REQUESTS_PER_MINUTE = 100
    for _ in range(2):  # or a minute ends between the two
        REQUESTS.charge(ada.user_id, 100)
    statuses = {ada.get("/sessions/").status_code for _ in range(2)}
    assert 429 in statuses
    assert eve.get("/sessions/").status_code == 200


# -- pictures ------------------------------------------------------------------------------------


def test_no_more_bytes_of_pictures_than_the_quota(
    ada: Person, eve: Person, room_for_1000_bytes: None, settings: Any, announced: Listen
) -> None:
    first = ada.has_session(image=pictures_of(600)).id
    with pytest.raises(QuotaExceeded):
        ada.has_session(image=pictures_of(401))
    second = ada.has_session(image=pictures_of(400)).id
    with pytest.raises(QuotaExceeded):
        services.repeat(first, by=ada.actor)
    eve.has_session(image=pictures_of(1_000))
    with announced():
        services.delete(second, by=ada.actor)
    services.edit(first, {"image": pictures_of(1_000)}, by=ada.actor)
    with pytest.raises(QuotaExceeded):
        services.edit(first, {"image": pictures_of(1_001)}, by=ada.actor)
    services.edit(first, {"image": None}, by=ada.actor)
    assert ada.has_session(image=pictures_of(1_000)).image
    assert sorted(Session.objects.values_list("image_bytes", flat=True)) == [0, 1_000, 1_000]


def test_a_picture_over_the_quota_is_answered_in_rest(ada: Person, settings: Any) -> None:
    settings.QUOTA_PICTURES_MIB = 0
    assert is_refused(new_session(ada, image=data_url(picture())))
    assert new_session(ada).status_code == 201
    session = Session.objects.get()
    assert is_refused(ada.put(f"/sessions/{session.pk}/", {"image": data_url(picture())}))


def test_a_smaller_picture_has_room_where_the_quota_was_lowered(ada: Person, settings: Any) -> None:
    session = ada.has_session(image=pictures_of(900))
    settings.QUOTA_PICTURES_MIB = 500 / MIB
    assert services.edit(session.id, {"image": pictures_of(800)}, by=ada.actor).image
    with pytest.raises(QuotaExceeded):
        services.edit(session.id, {"image": pictures_of(801)}, by=ada.actor)


def test_a_picture_of_a_version_that_did_not_measure_counts_something(
    ada: Person, settings: Any
) -> None:
    ada.has_session(image=pictures_of(10))
    Session.objects.update(image_bytes=0)
    settings.QUOTA_PICTURES_MIB = (NOT_MEASURED + 100) / MIB
    ada.has_session(image=pictures_of(100))
    with pytest.raises(QuotaExceeded):
        ada.has_session(image=pictures_of(1))


# -- changes in a day ----------------------------------------------------------------------------


def test_a_users_log_grows_by_no_more_than_the_limit_in_a_day(
    ada: Person, eve: Person, settings: Any
) -> None:
    settings.LIMIT_CHANGES_PER_DAY = 3
    session = ada.has_session()
    for title in ("a", "b"):
        services.edit(session.id, {"title": title}, by=ada.actor)
    refused = ada.patch(f"/sessions/{session.id}/", {"title": "c"})
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 86_000 < int(refused["Retry-After"]) <= 86_400
    assert ada.sees(session.id)["title"] == "b"
    assert new_session(eve).status_code == 201
    first = SessionEvent.objects.filter(user=ada.user_id).order_by("revision")[:1]
    SessionEvent.objects.filter(pk__in=first.values("pk")).update(at=F("at") - timedelta(days=1))
    assert ada.patch(f"/sessions/{session.id}/", {"title": "c"}).status_code == 200
    assert ada.patch(f"/sessions/{session.id}/", {"title": "d"}).status_code == 429


@pytest.mark.django_db(transaction=True)
async def test_the_same_on_the_socket(settings: Any) -> None:
    ada = await in_database(signed_up, "ada")
    session = await in_database(ada.has_session)
    settings.LIMIT_CHANGES_PER_DAY = 1
    frame = Command(id="c1", session=session.id, action="start")
    answer = await perform(frame, ada.actor, lambda _: None)
    assert isinstance(answer, Error)
    assert (answer.id, answer.code) == ("c1", "throttled")


# -- at the same moment --------------------------------------------------------------------------


@pytest.fixture
def grace(transactional_db: None) -> Any:
    yield signed_up("grace")
    connections.close_all()


def outcomes(answers: list[Any]) -> Counter[str]:
    done = (SessionState, TaskState)
    return Counter("done" if isinstance(a, done) else getattr(a, "code", repr(a)) for a in answers)


def test_of_eight_new_sessions_as_many_are_made_as_there_is_room_for(
    grace: Person, settings: Any
) -> None:
    settings.QUOTA_SESSIONS = 5
    answers = at_once(lambda _: grace.has_session())
    assert outcomes(answers) == {"done": 5, "quota_exceeded": 3}
    assert Session.objects.count() == 5


def test_of_eight_pictures_as_many_are_kept_as_there_is_room_for(
    grace: Person, room_for_1000_bytes: None
) -> None:
    answers = at_once(lambda _: grace.has_session(image=pictures_of(300)))
    assert outcomes(answers) == {"done": 3, "quota_exceeded": 5}
    assert Session.objects.count() == 3


def test_of_eight_repeats_as_many_are_made_as_there_is_room_for(
    grace: Person, room_for_1000_bytes: None
) -> None:
    session = grace.has_session(image=pictures_of(300))
    answers = at_once(lambda _: services.repeat(session.id, by=grace.actor))
    assert outcomes(answers) == {"done": 2, "quota_exceeded": 6}


def test_of_eight_new_tasks_as_many_are_made_as_there_is_room_for(
    grace: Person, settings: Any
) -> None:
    settings.QUOTA_TASKS = 5
    session = grace.has_session()
    answers = at_once(
        lambda _: services.add_task(session.id, by=grace.actor, title="t", duration=1)
    )
    assert outcomes(answers) == {"done": 5, "quota_exceeded": 3}
    assert Task.objects.count() == 5


def test_of_eight_tasks_that_would_fit_alone_only_as_many_are_made_as_have_minutes(
    grace: Person,
) -> None:
    session = grace.has_session(duration=10)
    answers = at_once(
        lambda _: services.add_task(session.id, by=grace.actor, title="t", duration=3)
    )
    assert outcomes(answers) == {"done": 3, "task_budget_exceeded": 5}
