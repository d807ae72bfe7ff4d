"""Every field of every form: the values that it refuses, and the fields that no form writes.

A refusal names its field. Its sentence is a library's in most cases, so no test here reads it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Login, User
from sessions_app import services
from sessions_app.models import Session, SessionEvent, Space, Task
from tests.support.api import Answer, Api
from tests.support.people import PASSWORD, Person

NOT_TEXT: list[Any] = [5, 5.0, -0.0, True, False, [], ["a"], {}, {"a": "b"}, 2**70]
NOT_NUMBERS: list[Any] = ["5", "", " 5 ", "5.0", 5.0, 5.5, -0.0, True, False, [], [5], {}, 1e300]
NOT_BOOLEANS: list[Any] = [None, 0, 1, 1.0, "true", "", "yes", [], [True], {}]
NOT_CHARACTERS = ["a\0b", "a\ud800b", "\udfff"]
HUGE = [2**63, 2**70, -(2**70)]
W = {"title": "W", "duration": 5}
PATHS = {
    "session": "/sessions/{s}/",
    "tasks": "/sessions/{s}/tasks/",
    "task": "/sessions/{s}/tasks/{t}/",
}


class Forms:
    """The forms of Ada, who has a session with a task. Nothing may change as long as she is refused."""

    def __init__(self, api: Api, ada: Person) -> None:
        session = ada.has_session()
        task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
        self.api, self.ada, self.ids = api, ada, {"s": session.id, "t": task.id}

    def send(self, method: str, path: str, **form: Any) -> Answer:
        return self.api.ask(method, path.format(**self.ids), json.dumps(form), by=self.ada)

    def refuse(
        self, method: str, path: str, rest: dict[str, Any], field: str, *values: Any
    ) -> None:
        before = as_it_was()
        for value in values:
            is_refused(self.send(method, path, **rest | {field: value}), field)
        assert as_it_was() == before


@pytest.fixture
def forms(api: Api, ada: Person) -> Forms:
    return Forms(api, ada)


def is_refused(answer: Answer, field: str) -> str:
    """The first sentence about the field. All else that an error promises is checked by the wire."""
    assert (answer.status, answer.code) == (400, "invalid"), answer
    found = answer.json()
    assert found["error"] in {s for k, v in found.items() if isinstance(v, list) for s in v}
    sentence: str = found[field][0]
    return sentence


def as_it_was() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (User, Session, Task, Space, SessionEvent)
    ]


# -- texts, numbers, truths, lists -----------------------------------------------------------------

LOG_IN, PASSWORDS_OF = (
    {"username": "ada", "password": "x"},
    {"old_password": "x", "new_password": "y"},
)
RESET = {"uid": "x", "token": "x", "new_password": PASSWORD}
# (method, path, the rest of the form, field, most characters, may be null, may be blank)
TEXTS: list[tuple[str, str, dict[str, Any], str, int | None, bool, bool]] = [
    ("POST", "/users/login/", LOG_IN, "username", None, False, False),
    ("POST", "/users/login/", LOG_IN, "password", None, False, False),
    ("POST", "/users/login/", LOG_IN, "device", 64, False, True),
    ("POST", "/users/token/refresh/", {}, "refresh", None, False, False),
    ("POST", "/users/logout/", {}, "refresh", None, True, True),
    ("POST", "/users/password/", PASSWORDS_OF, "old_password", None, False, False),
    ("POST", "/users/password/", PASSWORDS_OF, "new_password", 128, False, False),
    ("POST", "/users/password/reset/", {}, "email", 1_000, False, False),
    ("POST", "/users/password/reset/confirm/", RESET, "uid", 100, False, False),
    ("POST", "/users/password/reset/confirm/", RESET, "token", 200, False, False),
    ("POST", "/users/password/reset/confirm/", RESET, "new_password", 128, False, False),
    ("PATCH", "/users/me/", {}, "username", 1_000, False, False),
    ("PATCH", "/users/me/", {}, "time_zone", 64, False, False),
    ("PATCH", "/users/me/", {}, "password", None, False, False),
    ("DELETE", "/users/me/", {}, "password", None, False, False),
    ("POST", "/sessions/", W, "title", 100, False, False),
    ("POST", "/sessions/", W, "sound", 100, False, True),
    ("PUT", PATHS["session"], {}, "title", 100, False, False),
    ("PATCH", PATHS["session"], {}, "title", 100, False, False),
    ("POST", PATHS["tasks"], W, "title", 100, False, False),
    ("PUT", PATHS["task"], {}, "title", 100, False, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "rest", "field", "most", "null", "blank"),
    TEXTS,
    ids=[f"{row[3]} of {row[0]} {row[1]}" for row in TEXTS],
)
def test_a_text_is_text(
    forms: Forms, method: str, path: str, rest: Any, field: str, most: Any, null: bool, blank: bool
) -> None:
    values = [*NOT_TEXT, *NOT_CHARACTERS, *[None] * (not null), *[""] * (not blank)]
    values += ["  "] * (field == "title") + (["x" * (most + 1)] if most else [])
    forms.refuse(method, path, rest, field, *values)


NUMBERS: list[tuple[str, str, dict[str, Any], str, list[int]]] = [
    ("PATCH", "/users/me/", {}, "day_start", [-1, 1_440]),
    ("POST", "/sessions/", W, "duration", [0, -1, 1_441]),
    ("PUT", PATHS["session"], {}, "duration", [0, -1, 1_441]),
    ("PATCH", PATHS["session"], {}, "duration", [0, -1, 1_441]),
    ("POST", PATHS["tasks"], W, "duration", [0, -1, 1_441]),
    ("PUT", PATHS["task"], {}, "duration", [0, -1, 1_441]),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "rest", "field", "outside"), NUMBERS)
def test_a_number_is_a_whole_one_in_its_bounds(
    forms: Forms, method: str, path: str, rest: Any, field: str, outside: list[int]
) -> None:
    forms.refuse(method, path, rest, field, *NOT_NUMBERS, None, *outside, *HUGE)


@pytest.mark.parametrize("value", ["-0", "0", "1439"])
def test_a_day_starts_at_any_minute_of_it(api: Api, ada: Person, value: str) -> None:
    assert api.ask("PATCH", "/users/me/", f'{{"day_start": {value}}}', by=ada).status == 200
    assert ada.user.day_start == int(value)


@pytest.mark.parametrize("before", [[], ["start"], ["start", "pause"]], ids=str)
def test_an_extension_is_a_day_at_most(forms: Forms, before: list[str]) -> None:
    for action in before:
        assert forms.send("POST", f"{PATHS['session']}{action}/").status == 200
    values = [*NOT_NUMBERS, None, 86_401, -86_401, *HUGE]
    forms.refuse("POST", f"{PATHS['session']}extend/", {}, "seconds", *values)


def test_a_truth_is_true_or_false(forms: Forms) -> None:
    forms.refuse("POST", f"{PATHS['session']}start/", {}, "replace", *NOT_BOOLEANS)
    forms.refuse("POST", PATHS["tasks"], W, "done", *NOT_BOOLEANS)
    forms.refuse("PUT", PATHS["task"], {}, "done", *NOT_BOOLEANS)


NO_REMINDERS: list[Any] = [
    "60", 60, {}, {"0": 60}, [0], [-60], [86_401], [2**70], ["60"], [60.0], [True], [None], [[60]], [60, 60], list(range(1, 12)), [0] * 50_000,
]  # fmt: skip


def test_reminders_are_a_few_numbers(forms: Forms) -> None:
    forms.refuse("PATCH", "/users/me/", {}, "reminders", None, *NO_REMINDERS)
    forms.refuse("PUT", PATHS["session"], {}, "reminders", *NO_REMINDERS)
    forms.refuse("POST", "/sessions/", W, "reminders", *NO_REMINDERS)


# -- time zones and sounds -------------------------------------------------------------------------

NO_ZONES = [
    "../../etc/passwd", "/etc/passwd", "../../../../../../etc/localtime", "posix/Europe/Berlin", "right/Europe/Berlin", "Factory", "localtime",
    "posixrules", "europe/berlin", "EUROPE/BERLIN", "Europe/Berlin/", "/Europe/Berlin", "Europe", "Europe/", "Europe/Nowhere", "Mars/Olympus",
    "UTC+1", "+01:00", "GMT+25", "CEST", "EST5EDT,M3.2.0,M11.1.0", "Europe\\Berlin", "Europe/Berlin\u200b", "Еurope/Berlin", "zone.tab", "tzdata.zi",
    "leapseconds", "iso3166.tab", ".", "..", "Europe/../UTC", "%2e%2e", "None", "null", "0", "con", "\U0001fa90",
]  # fmt: skip
ZONES = ["Africa/Cairo", "America/Santiago", "Pacific/Apia", "Australia/Lord_Howe", "Etc/GMT+12", "Asia/Kathmandu"]  # fmt: skip


def test_a_zone_that_does_not_exist_is_refused(forms: Forms) -> None:
    forms.refuse("PATCH", "/users/me/", {}, "time_zone", *NO_ZONES)


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_that_exists_is_taken(forms: Forms, zone: str) -> None:
    assert forms.send("PATCH", "/users/me/", time_zone=zone).status == 200
    services.finish(forms.ada.has_running().id, by=forms.ada.actor)
    assert forms.api.ask("GET", "/spaces/", by=forms.ada).json()[0]["month"]


NO_SOUNDS = [
    "snow", "RAIN", "rain.ogg", "sounds/rain.mp3", "/sounds/rain.mp3?x", "/sounds/../rain.mp3", "../rain", "/sounds/", "rain\u200b",
    "http://evil.example/rain.mp3", "//evil.example/rain.mp3", "data:audio/mp3;base64,AAAA", "javascript:alert(1)", "file:///etc/passwd", "null",
]  # fmt: skip
SOUNDS = [
    "", "rain", "waves", "bell", "/sounds/rain.mp3", "/sounds/waves.mp3", "/sounds/bell.mp3",
    " rain ",
]  # fmt: skip


def test_a_sound_is_one_of_ours(forms: Forms) -> None:
    forms.refuse("POST", "/sessions/", W, "sound", *NO_SOUNDS)
    forms.refuse("PUT", PATHS["session"], {}, "sound", *NO_SOUNDS)
    forms.refuse("PATCH", PATHS["session"], {}, "sound", *NO_SOUNDS)


def test_our_sounds_and_those_of_the_published_client_are_taken(forms: Forms) -> None:
    for sound in SOUNDS:
        answer = forms.send("POST", "/sessions/", **W, sound=sound)
        assert (answer.status, answer.json()["sound"]) == (201, sound.strip())


# -- names and passwords ---------------------------------------------------------------------------

TAKEN = {
    "in upper case": "ADA",
    "in full width": "\uff21\uff44\uff21",
    "with spaces around it": "  ada\u3000",
    "with a superscript": "ad\u1d43",
    "in bold mathematics": "\U0001d41a\U0001d41d\U0001d41a",
    "in circles": "\u24d0\u24d3\u24d0",
    "with a combining form": "e\u0301mile",
    "with a sharp s": "strasse",
    "with a ligature": "o\ufb03ce",
    "with a dotted capital I": "\u212aelvin",
}
NO_NAMES = {
    "with a NUL": "admin\0",
    "with a lone surrogate": "ada\ud83e",
    "only a space": " ",
    "only a wide space": "\u3000",
    "only a zero width space": "\u200b",
    "with a zero width space": "a\u200bda",
    "with a zero width joiner": "a\u200dda",
    "with a soft hyphen": "a\u00adda",
    "with a word joiner": "ada\u2060",
    "from right to left": "\u202eada",
    "isolated": "\u2066ada\u2069",
    "with a byte order mark": "\ufeffada",
    "with a line break within": "a\nda",
    "with a space within": "a da",
    "with a tag": "<b>ada</b>",
    "with quotes": "ada' OR '1'='1",
    "with a slash": "../ada",
    "with an emoji": "ada\U0001fa90",
    "with a tag character": "ada\U000e0041",
    "with a private letter": "ada\ue000",
    "the address of somebody": "grace@example.com",
    "an address that is nobody's": "nobody@example.com",
    "of 151 letters": "a" * 151,
    "of 162 letters once it is normalised": "\ufdfa" * 9,
}
NAMES = [
    "аda", "αdα", "ada.", "a_da", "0", "null", "__proto__", "admin", "me", "漢字", "ʻokina",
    "a" * 150,
]  # fmt: skip


def sign_up(api: Api, **more: str) -> Answer:
    form = {"username": "new", "email": "new@example.org", "password": PASSWORD} | more
    return api.ask("POST", "/users/signup/", json.dumps(form))


def test_a_name_is_somebodys_or_no_name(api: Api, ada: Person, eve: Person) -> None:
    for number, other in enumerate(["\u00e9mile", "stra\u00dfe", "office", "kelvin"]):
        assert sign_up(api, username=other, email=f"{number}@example.org").status == 201
    before = as_it_was()
    for what, name in TAKEN.items():
        change = api.ask("PATCH", "/users/me/", json.dumps({"username": name}), by=eve)
        for answer in (sign_up(api, username=name), change):
            assert "already exists" in is_refused(answer, "username"), what
    for what, name in NO_NAMES.items():
        assert "already exists" not in is_refused(sign_up(api, username=name), "username"), what
    assert as_it_was() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_only_looks_like_another_is_another(api: Api, ada: Person, name: str) -> None:
    """A reader cannot tell homographs apart, so every right hangs on an id and none on a name."""
    answer = sign_up(api, username=name)
    assert (answer.status, answer.json()["user"]["username"]) == (201, name)
    assert answer.json()["user"]["id"] != ada.user_id


EMAILS = ["", " ", "a", "a@", "@a.co", "a@b", "a@b..co", "a b@c.co", "a@b.co\nbcc:x@y.co", "a@b.co,c@d.co", "<a@b.co>", "a@[127.0.0.1", "a@-b.co", "a\u200b@b.co", "a@b.co\0", "\ud800@b.co", "a" * 250 + "@b.co", "a@" + "b" * 70 + ".co", "javascript:a@b"]  # fmt: skip


def test_a_malformed_address_is_refused(api: Api, patient: None) -> None:
    for email in EMAILS:
        is_refused(sign_up(api, email=email), "email")
    assert not User.objects.exists()


NO_PASSWORDS = {
    "of nine characters": "correct h",
    "of 129 characters": "correct horse " + "x" * 115,
    "that is the name": "ada-lovelace",
    "that is the address": "countess@example.org",
    "that everybody has": "1234567890",
    "that many have": "qwertyuiop",
    "of digits alone": "83650174926",
    "with a NUL": "correct\0horse",
    "with a lone surrogate": "correct\ud800horse",
}
PASSWORDS = {
    "of ten characters": "correct ho",
    "of 128 characters": "correct horse " + "x" * 114,
    "of ten emoji": "\U0001fa90\U0001f40e\U0001f50b\U0001f4ce\U0001f319\U0001f31f\U0001f308\U0001f340\U0001f34b\U0001f422",
    "of spaces alone": " " * 12,
    "with spaces around it": "  correct horse  ",
    "with a line break": "correct\nhorse",
    "in full width": "\uff43\uff4f\uff52\uff52\uff45\uff43\uff54 \uff48\uff4f\uff52\uff53\uff45",
    "with a combining form": "cafe\u0301 au lait",
}
COUNTESS = {"username": "ada-lovelace", "email": "countess@example.org"}


def test_a_password_that_is_easy_to_guess_is_refused(api: Api, patient: None) -> None:
    for password in NO_PASSWORDS.values():
        is_refused(sign_up(api, **COUNTESS, password=password), "password")
    assert not User.objects.exists()


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=list(PASSWORDS))
def test_a_password_is_kept_letter_for_letter(api: Api, patient: None, password: str) -> None:
    def log_in(word: str) -> Answer:
        form = {"username": "ada-lovelace", "password": word}
        return api.ask("POST", "/users/login/", json.dumps(form))

    assert sign_up(api, **COUNTESS, password=password).status == 201
    others = {password.strip(), password.upper(), password + " ", password[:-1]} - {password, ""}
    assert {(log_in(other).status, log_in(other).code) for other in others} == {
        (401, "invalid_credentials")
    }
    answer = log_in(password)
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


def logins_but_last_seen() -> list[Any]:
    return [row | {"last_seen": None} for row in Login.objects.values()]


def test_fields_that_no_form_writes_are_not_written(forms: Forms) -> None:
    assert forms.send("POST", f"{PATHS['session']}start/").status == 200
    before, logins = as_it_was(), logins_but_last_seen()
    for method, path in [
        *((verb, path) for path in (PATHS["session"], PATHS["task"]) for verb in ("PUT", "PATCH")),
        ("PATCH", "/users/me/"),
    ]:
        assert forms.send(method, path, **NEVER_WRITTEN).status == 200
    assert as_it_was() == before
    assert logins_but_last_seen() == logins


def test_a_new_row_ignores_fields_that_no_form_writes(api: Api, ada: Person) -> None:
    form = NEVER_WRITTEN | {"title": "W", "duration": 25}
    made, plain = (
        api.ask("POST", "/sessions/", json.dumps(body), by=ada).json()
        for body in (form, {"title": "W", "duration": 25})
    )
    times = {"id", "created_at", "timer"}
    assert {k: v for k, v in made.items() if k not in times} == {
        k: v for k, v in plain.items() if k not in times
    }
    assert (made["timer"]["status"], made["timer"]["version"]) == ("ready", 1)
    row = Session.objects.get(pk=made["id"])
    assert (row.user_id, row.status) == (ada.user_id, "ready")
    assert (row.started_at, row.ended_at) == (None, None)
    assert row.created_at.year > 2001
    task = api.ask("POST", f"/sessions/{row.pk}/tasks/", json.dumps(form), by=ada).json()
    assert (task["session"], task["done"]) == (row.pk, False)
    user = User.objects.get(pk=sign_up(api, **NEVER_WRITTEN).json()["user"]["id"])
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert user.revision == 0
    assert user.date_joined.year > 2001
    assert Login.objects.get(user=user).address == "127.0.0.1"
