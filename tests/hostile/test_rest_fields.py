"""Every field of every form: what it refuses, word for word, and what no form can write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Login, User
from sessions_app import services
from sessions_app.models import Session, SessionEvent, Space, Task
from tests.hostile.wire import Answer, Wire
from tests.support.people import PASSWORD, Person

REQUIRED, NULL, BLANK = (
    "This field is required.",
    "This field may not be null.",
    "This field may not be blank.",
)
NO_TEXT, NO_NUMBER, NO_BOOLEAN = (
    "Must be a string.",
    "Must be a whole number.",
    "Must be a valid boolean.",
)
NO_NUL = "Null characters are not allowed."
HUGE = "Ensure this value is less than or equal to {}."
SMALL = "Ensure this value is greater than or equal to {}."
SURROGATE = "Surrogate characters are not allowed: U+{:X}."
NOT_TEXT: list[Any] = [5, 5.0, -0.0, True, False, [], ["a"], {}, {"a": "b"}, 2**70]
NOT_NUMBERS: list[Any] = ["5", "", " 5 ", "5.0", 5.0, 5.5, -0.0, True, False, [], [5], {}, 1e300]


NO_ZONE = "There is no such time zone."
ODD_TEXTS = [
    ("a\0b", NO_NUL),
    ("a\ud800b", SURROGATE.format(0xD800)),
    ("\udfff", SURROGATE.format(0xDFFF)),
]


def told(answer: Answer, field: str) -> str:
    """The first sentence about the field. All else that an error promises is checked by the wire."""
    assert (answer.status, answer.code) == (400, "invalid"), answer
    sentence: str = answer.json()[field][0]
    assert answer.json()["error"] in {
        s for k, v in answer.json().items() if isinstance(v, list) for s in v
    }
    return sentence


def as_it_was() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (User, Session, Task, Space, SessionEvent)
    ]


# -- texts ---------------------------------------------------------------------------------------

# (method, path, the rest of the form, field, most characters, may be null, may be blank)
TEXTS: list[tuple[str, str, dict[str, Any], str, int | None, bool, bool]] = [
    ("POST", "/users/login/", {"username": "ada", "password": "x"}, "username", None, False, False),
    ("POST", "/users/login/", {"username": "ada", "password": "x"}, "password", None, False, False),
    ("POST", "/users/login/", {"username": "ada", "password": "x"}, "device", 64, False, True),
    ("POST", "/users/token/refresh/", {}, "refresh", None, False, False),
    ("POST", "/users/logout/", {}, "refresh", None, True, True),
    ("POST", "/users/password/", {"old_password": "x", "new_password": "y"}, "old_password", None, False, False),
    ("POST", "/users/password/", {"old_password": "x", "new_password": "y"}, "new_password", 128, False, False),
    ("POST", "/users/password/reset/", {}, "email", 1_000, False, False),
    ("POST", "/users/password/reset/confirm/", {"uid": "x", "token": "x", "new_password": PASSWORD}, "uid", 100, False, False),
    ("POST", "/users/password/reset/confirm/", {"uid": "x", "token": "x", "new_password": PASSWORD}, "token", 200, False, False),
    ("POST", "/users/password/reset/confirm/", {"uid": "x", "token": "x", "new_password": PASSWORD}, "new_password", 128, False, False),
    ("PATCH", "/users/me/", {}, "username", 1_000, False, False),
    ("PATCH", "/users/me/", {}, "time_zone", 64, False, False),
    ("PATCH", "/users/me/", {}, "password", None, False, False),
    ("DELETE", "/users/me/", {}, "password", None, False, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "rest", "field", "most", "null", "blank"),
    TEXTS,
    ids=[f"{row[3]} of {row[0]} {row[1]}" for row in TEXTS],
)
def test_a_text_is_text(
    api: Wire,
    ada: Person,
    method: str,
    path: str,
    rest: Any,
    field: str,
    most: int | None,
    null: bool,
    blank: bool,
) -> None:
    before = as_it_was()

    def refused(value: Any) -> str:
        return told(api.ask(method, path, json.dumps(rest | {field: value}), by=ada), field)

    for value in NOT_TEXT:
        assert refused(value) in {NO_TEXT, "Not a valid string."}, value
    for value, sentence in ODD_TEXTS:
        assert refused(value) == (sentence if field != "time_zone" else NO_ZONE)
    if not null:
        assert refused(None) == NULL
    if not blank:
        assert refused("") == BLANK
    if most is not None:
        sentence = f"Ensure this field has no more than {most} characters."
        assert refused("x" * (most + 1)) == (sentence if field != "time_zone" else NO_ZONE)
    assert as_it_was() == before


# -- numbers, truths, lists ------------------------------------------------------------------------


@pytest.mark.parametrize("value", [*NOT_NUMBERS, -1, 1_440, 2**63, 2**70, -(2**70)], ids=repr)
def test_a_day_starts_at_a_minute_of_it(api: Wire, ada: Person, value: Any) -> None:
    sentence = told(
        api.ask("PATCH", "/users/me/", json.dumps({"day_start": value}), by=ada), "day_start"
    )
    if type(value) is int:
        assert sentence == (SMALL.format(0) if value < 0 else HUGE.format(1_439))
    else:
        assert sentence == NO_NUMBER
    assert ada.user.day_start == 0


@pytest.mark.parametrize("value", ["-0", "0", "1439"])
def test_any_minute_of_a_day_will_do(api: Wire, ada: Person, value: str) -> None:
    assert api.ask("PATCH", "/users/me/", f'{{"day_start": {value}}}', by=ada).status == 200
    assert ada.user.day_start == int(value)


NO_REMINDERS: list[tuple[Any, str]] = [
    (None, NULL),
    ("60", 'Expected a list of items but got type "str".'),
    (60, 'Expected a list of items but got type "int".'),
    ({}, 'Expected a list of items but got type "dict".'),
    ({"0": 60}, 'Expected a list of items but got type "dict".'),
    ([0], SMALL.format(1)),
    ([-60], SMALL.format(1)),
    ([86_401], HUGE.format(86_400)),
    ([2**70], HUGE.format(86_400)),
    (["60"], NO_NUMBER),
    ([60.0], NO_NUMBER),
    ([True], NO_NUMBER),
    ([None], NULL),
    ([[60]], NO_NUMBER),
    ([60, 60], "Each offset may stand once."),
    (list(range(1, 12)), "Ensure this field has no more than 10 elements."),
    ([0] * 50_000, "Ensure this field has no more than 10 elements."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "sentence"), NO_REMINDERS, ids=[repr(v)[:30] for v, _ in NO_REMINDERS]
)
def test_reminders_are_a_few_numbers(api: Wire, ada: Person, value: Any, sentence: str) -> None:
    session = ada.has_session()
    forms = [
        ("PATCH", "/users/me/", {}),
        ("PUT", f"/sessions/{session.id}/", {}),
        ("POST", "/sessions/", {"title": "W", "duration": 5}),
    ]
    for method, path, rest in forms if value is not None else forms[:1]:
        answer = api.ask(method, path, json.dumps(rest | {"reminders": value}), by=ada)
        assert told(answer, "reminders") == sentence
    assert ada.user.reminders == [300, 60]
    assert Session.objects.get().reminders is None


@pytest.mark.parametrize("value", [None, 0, 1, 1.0, "true", "", "yes", [], [True], {}], ids=repr)
def test_a_truth_is_true_or_false(api: Wire, ada: Person, value: Any) -> None:
    path = f"/sessions/{ada.has_session().id}/"
    answer = api.ask("POST", f"{path}start/", json.dumps({"replace": value}), by=ada)
    assert told(answer, "replace") == "Must be true or false."
    answer = api.ask(
        "POST", f"{path}tasks/", json.dumps({"title": "T", "duration": 1, "done": value}), by=ada
    )
    assert told(answer, "done") == (NULL if value is None else NO_BOOLEAN)


@pytest.mark.parametrize(
    "value", [*NOT_NUMBERS, None, 86_401, -86_401, 2**63, 2**70, -(2**70)], ids=repr
)
@pytest.mark.parametrize("how", ["running", "paused", "ready"])
def test_an_extension_is_a_day_at_most(api: Wire, ada: Person, value: Any, how: str) -> None:
    session = {"running": ada.has_running, "paused": ada.has_paused, "ready": ada.has_session}[
        how
    ]()
    before = as_it_was()
    answer = api.ask(
        "POST", f"/sessions/{session.id}/extend/", json.dumps({"seconds": value}), by=ada
    )
    assert told(answer, "seconds") == "A whole number from -86400 to 86400 is required."
    assert as_it_was() == before


# -- time zones ------------------------------------------------------------------------------------

NO_ZONES = [
    "../../etc/passwd", "/etc/passwd", "../../../../../../etc/localtime", "posix/Europe/Berlin", "right/Europe/Berlin", "Factory", "localtime",
    "posixrules", "europe/berlin", "EUROPE/BERLIN", "Europe/Berlin/", "/Europe/Berlin", "Europe", "Europe/", "Europe/Nowhere", "Mars/Olympus",
    "UTC+1", "+01:00", "GMT+25", "CEST", "EST5EDT,M3.2.0,M11.1.0", "Europe\\Berlin", "Europe/Berlin\u200b", "Еurope/Berlin", "zone.tab", "tzdata.zi",
    "leapseconds", "iso3166.tab", ".", "..", "Europe/../UTC", "%2e%2e", "None", "null", "0", "con", "\U0001fa90",
]  # fmt: skip


@pytest.mark.parametrize("zone", NO_ZONES, ids=ascii)
def test_a_zone_that_does_not_exist_is_refused(api: Wire, ada: Person, zone: str) -> None:
    answer = api.ask("PATCH", "/users/me/", json.dumps({"time_zone": zone}), by=ada)
    assert told(answer, "time_zone") == NO_ZONE
    assert ada.user.time_zone == "UTC"


@pytest.mark.parametrize(
    "zone",
    [
        "Africa/Cairo",
        "America/Santiago",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "Etc/GMT+12",
        "Asia/Kathmandu",
    ],
)
def test_a_zone_that_exists_will_do(api: Wire, ada: Person, zone: str) -> None:
    assert api.ask("PATCH", "/users/me/", json.dumps({"time_zone": zone}), by=ada).status == 200
    services.finish(ada.has_running().id, by=ada.actor)
    assert api.ask("GET", "/spaces/", by=ada).json()[0]["month"]


# -- sounds ------------------------------------------------------------------------------------------

NO_SOUNDS = [
    "snow", "RAIN", "rain.ogg", "sounds/rain.mp3", "/sounds/rain.mp3?x", "/sounds/../rain.mp3", "../rain", "/sounds/", "rain\u200b",
    "http://evil.example/rain.mp3", "//evil.example/rain.mp3", "data:audio/mp3;base64,AAAA", "javascript:alert(1)", "file:///etc/passwd", "null",
]  # fmt: skip


@pytest.mark.parametrize("sound", NO_SOUNDS, ids=ascii)
def test_a_sound_is_one_of_ours(api: Wire, ada: Person, sound: str) -> None:
    path = f"/sessions/{ada.has_session().id}/"
    for method, target, rest in [
        ("POST", "/sessions/", {"title": "W", "duration": 5}),
        ("PUT", path, {}),
        ("PATCH", path, {}),
    ]:
        answer = api.ask(method, target, json.dumps(rest | {"sound": sound}), by=ada)
        assert told(answer, "sound") == "There is no such sound."
    assert Session.objects.get().sound == ""


@pytest.mark.parametrize(
    "sound",
    [
        "",
        "rain",
        "waves",
        "bell",
        "/sounds/rain.mp3",
        "/sounds/waves.mp3",
        "/sounds/bell.mp3",
        " rain ",
    ],
)
def test_ours_and_those_of_the_published_client_will_do(api: Wire, ada: Person, sound: str) -> None:
    answer = api.ask(
        "POST", "/sessions/", json.dumps({"title": "W", "duration": 5, "sound": sound}), by=ada
    )
    assert (answer.status, answer.json()["sound"]) == (201, sound.strip())


# -- names and passwords ---------------------------------------------------------------------------

BAD_CHARACTERS = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
TAKEN = "A user with that username already exists."
NAMES: list[tuple[str, str, str]] = [
    ("in upper case", "ADA", TAKEN),
    ("in full width", "\uff21\uff44\uff21", TAKEN),
    ("with spaces around it", "  ada\u3000", TAKEN),
    ("with a superscript", "ad\u1d43", TAKEN),
    ("in bold mathematics", "\U0001d41a\U0001d41d\U0001d41a", TAKEN),
    ("in circles", "\u24d0\u24d3\u24d0", TAKEN),
    ("with a combining form", "e\u0301mile", TAKEN),
    ("with a sharp s", "strasse", TAKEN),
    ("with a ligature", "o\ufb03ce", TAKEN),
    ("with a dotted capital I", "\u212aelvin", TAKEN),
    ("with a NUL", "admin\0", NO_NUL),
    ("with a lone surrogate", "ada\ud83e", SURROGATE.format(0xD83E)),
    ("only a space", " ", BLANK),
    ("only a wide space", "\u3000", BLANK),
    ("only a zero width space", "\u200b", BAD_CHARACTERS),
    ("with a zero width space", "a\u200bda", BAD_CHARACTERS),
    ("with a zero width joiner", "a\u200dda", BAD_CHARACTERS),
    ("with a soft hyphen", "a\u00adda", BAD_CHARACTERS),
    ("with a word joiner", "ada\u2060", BAD_CHARACTERS),
    ("from right to left", "\u202eada", BAD_CHARACTERS),
    ("isolated", "\u2066ada\u2069", BAD_CHARACTERS),
    ("with a byte order mark", "\ufeffada", BAD_CHARACTERS),
    ("with a line break within", "a\nda", BAD_CHARACTERS),
    ("with a space within", "a da", BAD_CHARACTERS),
    ("with a tag", "<b>ada</b>", BAD_CHARACTERS),
    ("with quotes", "ada' OR '1'='1", BAD_CHARACTERS),
    ("with a slash", "../ada", BAD_CHARACTERS),
    ("with an emoji", "ada\U0001fa90", BAD_CHARACTERS),
    ("with a tag character", "ada\U000e0041", BAD_CHARACTERS),
    ("with a private letter", "ada\ue000", BAD_CHARACTERS),
    ("the address of somebody", "grace@example.com", "A user name that is an e-mail address must be your own."),
    ("an address that is nobody's", "nobody@example.com", "A user name that is an e-mail address must be your own."),
    ("of 151 letters", "a" * 151, "Ensure this field has no more than 150 characters."),
    ("of 162 letters once it is normalised", "\ufdfa" * 9, "Ensure this field has no more than 150 characters."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence"), [r[1:] for r in NAMES], ids=[r[0] for r in NAMES])
def test_a_name_is_somebodys_or_no_name(
    api: Wire, ada: Person, eve: Person, name: str, sentence: str
) -> None:
    for number, other in enumerate(["\u00e9mile", "stra\u00dfe", "office", "kelvin"]):
        form = {"username": other, "email": f"{number}@example.org", "password": PASSWORD}
        assert api.ask("POST", "/users/signup/", json.dumps(form)).status == 201
    before = as_it_was()
    form = {"username": name, "email": "new@example.org", "password": PASSWORD}
    assert told(api.ask("POST", "/users/signup/", json.dumps(form)), "username") == sentence
    if sentence == TAKEN:
        answer = api.ask("PATCH", "/users/me/", json.dumps({"username": name}), by=eve)
        assert told(answer, "username") == sentence
    assert as_it_was() == before


@pytest.mark.parametrize(
    "name",
    [
        "аda",
        "αdα",
        "ada.",
        "a_da",
        "0",
        "null",
        "__proto__",
        "admin",
        "me",
        "漢字",
        "ʻokina",
        "a" * 150,
    ],
)
def test_a_name_that_only_looks_like_another_is_another(api: Wire, ada: Person, name: str) -> None:
    """Homographs are told apart by nobody who reads, so no right may ever hang on a name: it hangs
    on an id.
    """
    form = {"username": name, "email": "new@example.org", "password": PASSWORD}
    answer = api.ask("POST", "/users/signup/", json.dumps(form))
    assert (answer.status, answer.json()["user"]["username"]) == (201, name)
    assert answer.json()["user"]["id"] != ada.user_id


EMAILS = ["", " ", "a", "a@", "@a.co", "a@b", "a@b..co", "a b@c.co", "a@b.co\nbcc:x@y.co", "a@b.co,c@d.co", "<a@b.co>", "a@[127.0.0.1", "a@-b.co", "a\u200b@b.co", "a@b.co\0", "\ud800@b.co", "a" * 250 + "@b.co", "a@" + "b" * 70 + ".co", "javascript:a@b"]  # fmt: skip


@pytest.mark.parametrize("email", EMAILS, ids=lambda text: ascii(text[:20]))
def test_an_address_that_is_none_is_refused(api: Wire, patient: None, email: str) -> None:
    form = {"username": "new", "email": email, "password": PASSWORD}
    told(api.ask("POST", "/users/signup/", json.dumps(form)), "email")
    assert not User.objects.exists()


PASSWORDS: list[tuple[str, str, str | None]] = [
    ("of nine characters", "correct h", "This password is too short. It must contain at least 10 characters."),
    ("of ten characters", "correct ho", None),
    ("of 128 characters", "correct horse " + "x" * 114, None),
    ("of 129 characters", "correct horse " + "x" * 115, "Ensure this field has no more than 128 characters."),
    ("of ten emoji", "\U0001fa90\U0001f40e\U0001f50b\U0001f4ce\U0001f319\U0001f31f\U0001f308\U0001f340\U0001f34b\U0001f422", None),
    ("that is the name", "ada-lovelace", "The password is too similar to the username."),
    ("that is the address", "countess@example.org", "The password is too similar to the email."),
    ("that everybody has", "1234567890", "This password is too common."),
    ("that many have", "qwertyuiop", "This password is too common."),
    ("of digits alone", "83650174926", "This password is entirely numeric."),
    ("with a NUL", "correct\0horse", NO_NUL),
    ("with a lone surrogate", "correct\ud800horse", SURROGATE.format(0xD800)),
    ("of spaces alone", " " * 12, None),
    ("with spaces around it", "  correct horse  ", None),
    ("with a line break", "correct\nhorse", None),
    ("in full width", "\uff43\uff4f\uff52\uff52\uff45\uff43\uff54 \uff48\uff4f\uff52\uff53\uff45", None),
    ("with a combining form", "cafe\u0301 au lait", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("password", "sentence"), [r[1:] for r in PASSWORDS], ids=[r[0] for r in PASSWORDS]
)
def test_a_password_is_hard_to_guess_and_kept_letter_for_letter(
    api: Wire, patient: None, password: str, sentence: str | None
) -> None:
    form = {"username": "ada-lovelace", "email": "countess@example.org", "password": password}
    answer = api.ask("POST", "/users/signup/", json.dumps(form))
    if sentence is not None:
        assert told(answer, "password") == sentence
        assert not User.objects.exists()
        return
    assert answer.status == 201
    for other in {password.strip(), password.upper(), password + " ", password[:-1]} - {
        password,
        "",
    }:
        answer = api.ask(
            "POST", "/users/login/", json.dumps({"username": "ada-lovelace", "password": other})
        )
        assert (answer.status, answer.code) == (401, "invalid_credentials")
    answer = api.ask(
        "POST", "/users/login/", json.dumps({"username": "ada-lovelace", "password": password})
    )
    assert answer.status == 200
    assert password.encode() not in answer.body


# -- what no form writes ---------------------------------------------------------------------------

NEVER_WRITTEN: dict[str, Any] = {
    "id": 1, "pk": 1, "user": 1, "user_id": 1, "owner": 1, "session": 1, "session_id": 1, "status": "completed", "state": "completed",
    "timer": {"status": "completed", "version": 9, "remaining_ms": 0}, "revision": 99, "created_at": "2001-01-01T00:00:00Z",
    "updated_at": "2001-01-01T00:00:00Z", "started_at": "2001-01-01T00:00:00Z", "ended_at": "2001-01-01T00:00:00Z",
    "ends_at": "2001-01-01T00:00:00Z", "reminder_at": "2001-01-01T00:00:00Z", "remaining_ms": 1, "focused_ms": 9_999, "planned_ms": 1,
    "task_minutes": 0, "tasks": [], "spaces": [], "events": [], "is_staff": True, "is_superuser": True, "is_active": False, "groups": [1],
    "user_permissions": [1], "date_joined": "2001-01-01T00:00:00Z", "last_login": "2001-01-01T00:00:00Z", "username_key": "x", "email_key": "x",
    "login": 1, "logins": [], "address": "6.6.6.6", "refresh_jti": "x", "first_name": "x", "seed": 1, "x": 1, "y": 1, "sky": "2001-01-01",
}  # fmt: skip


def test_what_no_form_writes_is_not_written(api: Wire, ada: Person) -> None:
    session = ada.has_running()
    task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    before = as_it_was()
    logins = list(Login.objects.values())
    path = f"/sessions/{session.id}/"
    for method, target in [
        ("PUT", path),
        ("PATCH", path),
        ("PUT", f"{path}tasks/{task.id}/"),
        ("PATCH", f"{path}tasks/{task.id}/"),
        ("PATCH", "/users/me/"),
    ]:
        assert api.ask(method, target, json.dumps(NEVER_WRITTEN), by=ada).status == 200
    assert as_it_was() == before
    assert [{**row, "last_seen": None} for row in Login.objects.values()] == [
        {**row, "last_seen": None} for row in logins
    ]


def test_what_is_made_is_made_as_if_they_were_not_there(api: Wire, ada: Person) -> None:
    form = json.dumps(NEVER_WRITTEN | {"title": "W", "duration": 25})
    made = [
        api.ask("POST", "/sessions/", raw, by=ada).json()
        for raw in (form, '{"title": "W", "duration": 25}')
    ]
    times = {"id", "created_at", "timer"}
    assert {k: v for k, v in made[0].items() if k not in times} == {
        k: v for k, v in made[1].items() if k not in times
    }
    assert made[0]["timer"]["status"] == "ready"
    assert made[0]["timer"]["version"] == 1
    row = Session.objects.get(pk=made[0]["id"])
    assert (row.user_id, row.status, row.started_at, row.ended_at) == (
        ada.user_id,
        "ready",
        None,
        None,
    )
    assert row.created_at.year > 2001
    task = api.ask("POST", f"/sessions/{row.pk}/tasks/", form, by=ada).json()
    assert (task["session"], task["done"]) == (row.pk, False)
    form = json.dumps(
        NEVER_WRITTEN | {"username": "new", "email": "new@example.org", "password": PASSWORD}
    )
    answer = api.ask("POST", "/users/signup/", form).json()
    user = User.objects.get(pk=answer["user"]["id"])
    assert (user.is_staff, user.is_superuser, user.is_active, user.revision) == (
        False,
        False,
        True,
        0,
    )
    assert user.date_joined.year > 2001
    assert Login.objects.get(user=user).address == "127.0.0.1"
