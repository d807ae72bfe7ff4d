"""The admin: its log-in, its pages and its actions."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session as StaffSession
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.events import LoginRevoked
from accounts.models import Login, User
from accounts.services import logins
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


def staff(name: str, **more: Any) -> User:
    user = logins.sign_up(name, f"{name}@example.com", PASSWORD).user
    for field, value in {"is_staff": True, **more}.items():
        setattr(user, field, value)
    user.save()
    Login.objects.filter(user=user).delete()
    return user


@pytest.fixture
def sam() -> User:
    return staff("sam")


@pytest.fixture
def root() -> User:
    return staff("root", is_superuser=True)


def browser() -> Client:
    return Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})


def post(web: Client, path: str, body: dict[str, Any], form_at: str = "") -> Any:
    """As a browser does it: with the token that the form has."""
    page = web.get(form_at or path).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    return web.post(path, {"csrfmiddlewaretoken": token[1], **body})


def sign_in(name: str, password: str = PASSWORD, web: Client | None = None) -> Any:
    web = web or browser()
    answer = post(web, "/admin/login/", {"username": name, "password": password})
    return web if answer.status_code == 302 else answer


def acted(web: Client, table: str, action: str, *rows: Any) -> str:
    """What the page says after an action on rows of a table."""
    body = {"action": action, "_selected_action": [row.pk for row in rows], "select_across": "0"}
    answer = post(web, f"/admin/{table}/", body)
    assert answer.status_code == 302, answer.content
    return str(web.get(answer["Location"]).content.decode())


# -- the log-in ----------------------------------------------------------------------------------


def test_staff_come_in_by_name_or_address_in_any_case(sam: User) -> None:
    for name in ("sam", "SAM", "Sam@Example.com"):
        assert sign_in(name).get("/admin/").status_code == 200


@pytest.mark.parametrize("name", ["ada", "nobody", "sam"])
def test_other_log_ins_are_refused_with_the_same_answer(ada: Any, sam: User, name: str) -> None:
    answer = sign_in(name, "wrong" if name == "sam" else PASSWORD)
    assert answer.status_code == 200
    assert "Please enter the correct username and password for a staff account" in str(
        answer.content
    )
    assert django_settings.SESSION_COOKIE_NAME not in answer.cookies


def test_a_request_without_a_session_is_redirected_to_the_form(ada: Any) -> None:
    web = browser()
    for path in ("/admin/", "/admin/accounts/user/", "/admin/nowhere/"):
        answer = web.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert web.get("/admin/", headers={"Authorization": f"Bearer {ada.access}"}).status_code == 302


def test_guesses_are_limited_as_everywhere_and_a_page_says_so(sam: User, settings: Any) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = 3
    for _ in range(3):
        assert sign_in("sam", "wrong").status_code == 200
    answer = sign_in("sam")
    assert answer.status_code == 429
    assert answer["Content-Type"].startswith("text/html")
    assert int(answer["Retry-After"]) >= 1
    assert "Too many attempts" in answer.content.decode()
    # It is one count with the API's.
    body = {"username": "sam", "password": PASSWORD}
    assert Client().post("/users/login/", body, "application/json").status_code == 429


def test_a_right_password_of_a_user_who_is_no_staff_is_counted(ada: Any, settings: Any) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_ADDRESS = 2
    Login.objects.all().delete()  # Ada is at home nowhere
    for _ in range(2):
        assert sign_in("ada").status_code == 200
    assert sign_in("ada").status_code == 429


def test_a_form_of_another_page_is_refused(sam: User) -> None:
    web = browser()
    body = {"username": "sam", "password": PASSWORD}
    answer = web.post("/admin/login/", body)
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/html; charset=utf-8")
    foreign = web.post("/admin/login/", body, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    bare = Client(enforce_csrf_checks=True).post("/admin/login/", body)
    assert (bare.status_code, bare.json()["code"]) == (403, "csrf_failed")


def test_the_cookie_is_the_admin_s_alone(sam: User, settings: Any) -> None:
    web = browser()
    web.get("/admin/login/")
    before = web.cookies["csrftoken"].value
    sign_in("sam", web=web)
    cookie = web.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/admin/")
    assert cookie["max-age"] == 8 * 60 * 60
    assert web.cookies["csrftoken"].value != before, "the token is another one after log-in"
    assert web.cookies["csrftoken"]["path"] == "/admin/"


def test_a_second_member_of_staff_gets_another_session(
    sam: User, root: User, settings: Any
) -> None:
    web = sign_in("sam")
    first = web.cookies[settings.SESSION_COOKIE_NAME].value
    post(web, "/admin/login/", {"username": "root", "password": PASSWORD}, form_at="/admin/")
    second = web.cookies[settings.SESSION_COOKIE_NAME].value
    assert first != second
    assert not StaffSession.objects.filter(pk=first).exists()


def test_a_log_in_deletes_expired_sessions(sam: User) -> None:
    sign_in("sam")
    StaffSession.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    sign_in("sam")
    assert StaffSession.objects.count() == 1


def with_a_new_password(user: User) -> None:
    user.set_password("another horse battery")
    user.save()


def no_longer_staff(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=False)


@pytest.mark.parametrize(
    "change", [logins.deactivate, with_a_new_password, no_longer_staff, User.delete]
)
def test_staff_who_lose_access_are_logged_out_at_once(sam: User, change: Any) -> None:
    web = sign_in("sam")
    assert web.get("/admin/").status_code == 200
    change(sam)
    assert web.get("/admin/").status_code == 302


def test_logging_out_ends_the_session(sam: User) -> None:
    web = sign_in("sam")
    assert post(web, "/admin/logout/", {}, form_at="/admin/").status_code == 200
    assert web.get("/admin/").status_code == 302
    assert StaffSession.objects.count() == 0


def test_log_ins_of_staff_are_logged(sam: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "space.security"):
        sign_in("sam", "wrong")
        sign_in("sam")
    events = [getattr(record, "event", "") for record in caplog.records]
    assert {"log_in_failed", "admin_logged_in"} <= set(events)
    assert PASSWORD not in caplog.text


# -- the API knows nothing of it -----------------------------------------------------------------


def test_a_cookie_opens_nothing_of_the_api(sam: User, settings: Any) -> None:
    web = sign_in("sam")
    cookie = f"{settings.SESSION_COOKIE_NAME}={web.cookies[settings.SESSION_COOKIE_NAME].value}"
    with CaptureQueriesContext(connection) as queries:
        for path in ("/users/me/", "/sessions/"):
            answer = Client().get(path, headers={"Cookie": cookie})
            assert answer.status_code == 401
            assert not answer.cookies
            assert "cookie" not in answer.get("Vary", "").lower()
    assert len(queries) == 0


def test_a_request_of_the_api_gets_no_cookie(ada: Any) -> None:
    for answer in (ada.api.get("/users/me/"), Client().get("/"), Client().get("/docs/")):
        assert answer.status_code == 200
        assert not answer.cookies


# -- the pages -----------------------------------------------------------------------------------


def every_page(web: Client, ada: Any) -> dict[str, str]:
    user, login = ada.user.pk, ada.login.pk
    paths = [
        *("", "accounts/", "sessions_app/", "accounts/user/", f"accounts/user/{user}/change/"),
        *(f"accounts/user/{user}/history/", "accounts/user/?is_active__exact=1"),
        *("accounts/login/", f"accounts/login/{login}/change/"),
        *(f"accounts/login/?{q}" for q in (f"user__id__exact={user}", "state=ended")),
        *("accounts/login/?state=standing", "sessions_app/session/", "sessions_app/space/"),
        *(f"sessions_app/session/?{q}" for q in (f"user__id__exact={user}", "q=ada")),
    ]
    answers = {f"/admin/{path}": web.get(f"/admin/{path}") for path in paths}
    assert {path for path, answer in answers.items() if answer.status_code != 200} == set()
    return {path: answer.content.decode() for path, answer in answers.items()}


def test_staff_see_everything_but_secrets(ada: Any, sam: User) -> None:
    pages = every_page(sign_in("sam"), ada)
    everything = "".join(pages.values())
    assert "ada@example.com" in pages["/admin/accounts/user/"]
    login, user = ada.login, ada.user
    for secret in (login.refresh_jti, user.password, ada.access, ada.refresh):
        assert secret not in everything
    assert "jti" not in everything
    assert "password_change" in everything  # a link; nothing else about passwords
    assert "argon2" not in everything


def test_pages_need_no_inline_script_or_style(ada: Any, root: User) -> None:
    web = sign_in("root")
    pages = every_page(web, ada)
    pages["delete"] = web.get(f"/admin/accounts/user/{ada.user.pk}/delete/").content.decode()
    pages["login"] = browser().get("/admin/login/").content.decode()
    for path, page in pages.items():
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*json)|<style| style=| on\w+=", page), (
            path
        )
    policy = web.get("/admin/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_its_files_are_at_an_address_that_changes_with_django(sam: User, settings: Any) -> None:
    page = sign_in("sam").get("/admin/").content.decode()
    (sheet,) = re.findall(r'href="([^"]+admin/css/base.css)"', page)
    assert sheet.startswith(settings.STATIC_URL)
    answer = Client().get(sheet)
    assert answer.status_code == 200
    assert "immutable" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "table", ["accounts/user", "accounts/login", "sessions_app/session", "sessions_app/space"]
)
def test_nothing_can_be_added_changed_or_deleted(ada: Any, sam: User, table: str) -> None:
    web = sign_in("sam")
    pk = {"accounts/user": ada.user.pk, "accounts/login": ada.login.pk}.get(table, 1)
    assert web.get(f"/admin/{table}/add/").status_code == 403
    token = {"csrfmiddlewaretoken": web.cookies["csrftoken"].value}
    changed = web.post(f"/admin/{table}/{pk}/change/", {"username": "eve", **token})
    assert changed.status_code in {302, 403}  # there is none, or it may not be
    deleted = web.post(f"/admin/{table}/{pk}/delete/", {"post": "yes", **token})
    assert deleted.status_code in {302, 403}
    assert ada.user.username == "ada"
    assert ada.is_let_in()


def test_passwords_cannot_be_set(ada: Any, root: User) -> None:
    web = sign_in("root")
    assert web.get(f"/admin/accounts/user/{ada.user.pk}/password/").status_code in {302, 404}
    assert web.get("/admin/password_change/")["Location"] == "/"
    assert ada.user.check_password(PASSWORD)


def test_a_list_asks_the_same_few_questions_however_long_it_is(sam: User) -> None:
    web = sign_in("sam")

    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert web.get(path).status_code == 200
        for query in queries:
            assert "refresh_jti" not in query["sql"]
            counts = re.search(r"SELECT COUNT", query["sql"])
            assert counts is None or "LIMIT 10000" in query["sql"], "it counts a whole table"
        return len(queries)

    paths = ["/admin/accounts/user/", "/admin/accounts/login/", "/admin/sessions_app/session/"]
    logins.sign_up("one", "one@example.com", PASSWORD)
    few = [asked(path) for path in paths]
    for number in range(5):
        logins.sign_up(f"more{number}", f"more{number}@example.com", PASSWORD)
    assert [asked(path) for path in paths] == few
    assert max(few) <= 6


def test_searching_uses_an_index(sam: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    web = sign_in("sam")
    with CaptureQueriesContext(connection) as queries:
        web.get("/admin/accounts/user/?q=SAM@example.com")
    (search,) = [
        q["sql"] for q in queries if "username_key\" = 'sam" in q["sql"] and "COUNT" not in q["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {search}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "username_key" in plan
    assert "Seq Scan" not in plan


def test_users_are_found_by_whole_name_address_or_id(ada: Any, eve: Any, sam: User) -> None:
    web = sign_in("sam")
    for term in ("ada", "ADA", "ada@example.com", str(ada.user.pk)):
        page = web.get("/admin/accounts/user/", {"q": term}).content.decode()
        assert "ada@example.com" in page, term
        assert "eve@example.com" not in page
    for term in ("ad", "9" * 30, "%", "\\", "'", "\u0663"):
        assert web.get("/admin/accounts/user/", {"q": term}).status_code == 200
        assert "ada@" not in web.get("/admin/accounts/user/", {"q": term}).content.decode()


def test_a_filter_reads_no_hidden_column(root: User, sam: User) -> None:
    """Django filters a list by any column that stands in its address: a hash, letter by letter."""
    web = sign_in("sam")
    for lookup in (
        *("user/?password__startswith=argon2", "user/?password__regex=(a%2B)%2B$"),
        *("user/?logins__refresh_jti__startswith=a", "user/?email__endswith=.com"),
        *("login/?refresh_jti__startswith=a", "login/?user__password__startswith=argon2"),
        "login/?user__email__contains=e",
    ):
        with CaptureQueriesContext(connection) as asked:
            answer = web.get(f"/admin/accounts/{lookup}")
        assert answer.status_code in {302, 400}, lookup
        assert not [q for q in asked if " LIKE " in q["sql"] or " ~ " in q["sql"]], lookup


def test_a_wrong_address_is_no_server_error(ada: Any, sam: User) -> None:
    web = sign_in("sam")
    for path in (
        *("accounts/user/?is_active__exact=maybe", "accounts/login/?user__id__exact=x"),
        *("accounts/user/?p=x", "accounts/user/?o=99", "accounts/user/?p=999999999999"),
        *("accounts/user/x/change/", "accounts/user/99999999999999999999/change/", "nowhere/"),
        *("accounts/user/%00/change/", "accounts/user/?q=%00", "accounts/login/?state=%00"),
    ):
        answer = web.get(f"/admin/{path}")
        assert answer.status_code in {200, 302, 400, 404}, path


# -- the actions ---------------------------------------------------------------------------------


def test_support_deactivates_and_reactivates(
    ada: Any, eve: Any, sam: User, revocations: Callable[..., Any], caplog: Any
) -> None:
    web = sign_in("sam")
    with caplog.at_level(logging.INFO, "space.security"), revocations() as revoked:
        page = acted(web, "accounts/user", "deactivate", ada.user)
    assert revoked == [LoginRevoked(ada.user.pk, None, "deactivated")]
    assert f"User {ada.user.pk}: deactivated." in page
    assert not ada.is_let_in()
    assert eve.is_let_in()
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (sam, str(ada.user.pk))
    assert (entry.object_repr, entry.change_message) == (f"user {ada.user.pk}", "Deactivated.")
    (noted,) = [r for r in caplog.records if getattr(r, "event", "") == "admin_acted"]
    assert (noted.by, noted.user, noted.action) == (sam.pk, ada.user.pk, "deactivated")
    acted(web, "accounts/user", "reactivate", ada.user)
    assert ada.user.is_active


def test_support_works_after_a_restore_that_renumbered_the_tables(
    ada: Any, eve: Any, sam: User
) -> None:
    web = sign_in("sam")
    of_users = ContentType.objects.get_for_model(User)  # as the server remembers it
    Permission.objects.filter(content_type=of_users).delete()
    ContentType.objects.filter(pk=of_users.pk).update(id=of_users.pk + 1_000)
    assert f"User {ada.user.pk}: deactivated." in acted(
        web, "accounts/user", "deactivate", ada.user
    )
    connection.check_constraints()  # what a commit would do
    logins.delete_account(ada.user)
    assert not LogEntry.objects.exists()
    ContentType.objects.clear_cache()


def test_support_ends_all_logins_of_a_user(ada: Any, phone: Any, eve: Any, sam: User) -> None:
    acted(sign_in("sam"), "accounts/user", "end_logins", ada.user)
    assert not ada.is_let_in()
    assert not phone.is_let_in()
    assert eve.is_let_in()


def test_support_revokes_one_login(
    ada: Any, phone: Any, sam: User, revocations: Callable[..., Any]
) -> None:
    web = sign_in("sam")
    login = phone.login
    with revocations() as revoked:
        page = acted(web, "accounts/login", "revoke", login)
    assert revoked == [LoginRevoked(login.user_id, login.pk, "ended_by_support")]
    assert f"Login {login.pk}: revoked." in page
    assert not phone.is_let_in()
    assert ada.is_let_in()
    assert LogEntry.objects.get().object_repr == f"login {login.pk}"


@pytest.mark.parametrize("action", ["deactivate", "end_logins"])
def test_support_does_nothing_to_staff_or_to_itself(
    sam: User, root: User, log_in: Callable[..., Any], action: str
) -> None:
    of_root = log_in("root")
    web = sign_in("sam")
    acted(web, "accounts/user", action, root, sam)
    acted(web, "accounts/login", "revoke", of_root.login)
    assert of_root.is_let_in()
    assert User.objects.filter(is_active=True).count() == 2
    assert LogEntry.objects.count() == 0


def test_a_superuser_deactivates_staff(sam: User, root: User) -> None:
    web = sign_in("root")
    acted(web, "accounts/user", "deactivate", sam, root)
    assert not User.objects.get(pk=sam.pk).is_active
    assert User.objects.get(pk=root.pk).is_active


def test_an_action_on_too_many_rows_does_nothing(
    ada: Any, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.admin.MAX_ROWS_PER_ACTION", 0)
    page = acted(sign_in("sam"), "accounts/user", "deactivate", ada.user)
    assert "nothing was done" in page
    assert ada.is_let_in()


def test_only_a_superuser_deletes_and_then_everything(
    ada: Any, sam: User, root: User, revocations: Callable[..., Any]
) -> None:
    user, access = ada.user, ada.access
    path = f"/admin/accounts/user/{user.pk}/delete/"
    assert sign_in("sam").get(path).status_code == 403
    web = sign_in("root")
    assert "1 logins" in web.get(path).content.decode()
    with revocations() as revoked:
        assert post(web, path, {"post": "yes"}).status_code == 302
    assert revoked == [LoginRevoked(user.pk, None, "account_deleted")]
    assert not User.objects.filter(pk=user.pk).exists()
    answer = Client().get("/users/me/", headers={"Authorization": f"Bearer {access}"})
    assert answer.status_code == 401
    assert LogEntry.objects.get().object_repr == f"user {user.pk}"
    assert not LogEntry.objects.filter(object_repr__contains="ada").exists()
    assert web.get(f"/admin/accounts/user/{root.pk}/delete/").status_code == 403
