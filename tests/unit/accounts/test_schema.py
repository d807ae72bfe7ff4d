"""Accounts in the OpenAPI document."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    generator: Any = SchemaGenerator(urlconf="accounts.api.urls")  # type: ignore[no-untyped-call]
    document = generator.get_schema(public=True)
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


def test_every_operation_has_a_name_and_a_summary(operations: dict[str, Any]) -> None:
    assert set(operations) == {
        *("sign_up", "log_in", "refresh_tokens", "log_out", "log_out_everywhere"),
        *("change_password", "get_me", "change_me", "delete_me"),
        *("list_logins", "end_other_logins", "get_login", "end_login"),
        *("ask_for_reset", "confirm_reset"),
    }
    for operation in operations.values():
        assert operation["summary"]
        assert operation["tags"] == ["Accounts"]


def test_every_operation_says_how_it_fails(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        failures = {int(status) for status in operation["responses"] if int(status) >= 400}
        assert 503 in failures, name
        assert failures & {400, 401}, name


def test_operations_that_need_a_token_say_so(operations: dict[str, Any]) -> None:
    entrance = {"sign_up", "log_in", "refresh_tokens", "ask_for_reset", "confirm_reset"}
    open_to_all = {name for name, it in operations.items() if not it.get("security")}
    assert open_to_all == entrance
    assert operations["get_me"]["security"] == [{"access": []}]
