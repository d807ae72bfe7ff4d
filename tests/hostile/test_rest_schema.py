"""Requests made from docs/openapi.yaml by schemathesis: what it allows, and what it forbids.

Whatever is sent, the answer is one that the document describes: its status, its type, its shape.
What the document forbids is refused. For many more of them, which takes minutes:

    ./space test --hypothesis-profile=most tests/hostile/test_rest_schema.py
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import requests
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, reject, settings

from sessions_app import services
from tests.support.api import Answer, Api
from tests.support.contract import DOCS, _document
from tests.support.generated import share
from tests.support.people import Person

EXAMPLES = share(10)
HERE = "http://testserver"
GENERATION = {
    "with-security-parameters": False,  # who asks is ours to say
    "allow-extra-parameters": False,  # unknown ones are ignored, which is promised
}
_ALL = {
    f"{method.upper()} {path}": operation
    for path, operations in _document("openapi.yaml")["paths"].items()
    for method, operation in operations.items()
}
OPERATIONS = list(_ALL)
# A body, or a parameter besides the ids in the path: what may be wrong though the ids are right.
TAKES_SOMETHING = {
    label
    for label, operation in _ALL.items()
    if "requestBody" in operation
    or any(one["in"] != "path" for one in operation.get("parameters", ()))
}


@cache
def operation(label: str) -> Any:
    """What schemathesis makes of the document. (Imported late: it takes three seconds.)"""
    return _all_operations()[label]


@cache
def _all_operations() -> dict[str, Any]:
    import schemathesis
    from schemathesis.config import SchemathesisConfig

    config = SchemathesisConfig.from_dict({"generation": GENERATION})
    document = schemathesis.openapi.from_path(DOCS / "openapi.yaml", config=config)
    found: list[Any] = [result.ok() for result in document.get_all_operations()]  # type: ignore[union-attr]
    return {one.label: one for one in found}


def checks(*, forbidden: bool) -> list[Any]:
    from schemathesis import checks

    always = ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
    return [getattr(checks, name) for name in [*always, *["negative_data_rejection"] * forbidden]]


def ask(api: Api, by: Person | None, case: Any) -> None:
    """Sends what schemathesis thought of, and checks the answer."""
    try:
        request = requests.Request(**case.as_transport_kwargs(base_url=HERE)).prepare()
    except (UnicodeError, ValueError):
        reject()  # nothing that could be sent
    assert request.body is None or isinstance(request.body, str | bytes)
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    answer = api.ask(request.method or "", request.path_url, request.body or b"", headers, by=by)
    case.validate_response(
        _as_theirs(answer, request), checks=checks(forbidden=case.meta.generation.mode.is_negative)
    )


def _as_theirs(answer: Answer, request: requests.PreparedRequest) -> Any:
    from schemathesis.core.transport import Response

    headers = {name: [value] for name, value in answer.header.items()}
    return Response(answer.status, headers, answer.body, request, elapsed=0.0, verify=False)


MODES = [
    *((label, "allowed") for label in OPERATIONS),
    *((label, "forbidden") for label in OPERATIONS if "{" in label or label in TAKES_SOMETHING),
    *((label, "allowed elsewhere") for label in OPERATIONS if "{" in label),
]


@pytest.mark.parametrize(("label", "mode"), MODES, ids=[" ".join(row) for row in MODES])
@pytest.mark.timeout(max(60, EXAMPLES * 2))
def test_the_document_describes_what_happens(api: Api, ada: Person, label: str, mode: str) -> None:
    from schemathesis import GenerationMode

    session = ada.has_session()
    task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    login = ada.user.logins.get().pk
    known = {"session_id": session.id, "task_id": task.id, "login_id": login}
    ids = {name: pk for name, pk in known.items() if f"{{{name}}}" in label}
    one = operation(label)
    cases = one.as_strategy(
        generation_mode=GenerationMode("negative" if mode == "forbidden" else "positive"),
        path_parameters=ids if mode == "allowed" or label in TAKES_SOMETHING else None,
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,  # the same everywhere
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def each(case: Any) -> None:
        with transaction.atomic():
            ask(api, ada if one.definition.raw.get("security") else None, case)
            transaction.set_rollback(True)

    each()
