"""What holds for every hostile request: no error in the log, no 5xx, one shape for every error.

`_nothing_goes_wrong` watches the log, and `api.check` each answer. A test need do nothing for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test.client import ClientHandler

from tests.support.api import Answer, Api, check, wire


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which an error was logged, or Django's client got an answer of our fault."""
    call: Any = ClientHandler.__call__

    def checked(handler: ClientHandler, environ: dict[str, Any]) -> Any:
        response = call(handler, environ)
        if not response.streaming:
            header = {name.lower(): value for name, value in response.items()}
            answer = Answer(response.status_code, header, response.content)
            check(environ["REQUEST_METHOD"], environ["PATH_INFO"], answer)
        return response

    monkeypatch.setattr(ClientHandler, "__call__", checked)
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(errors)
    lines = [logging.Formatter().format(record) for record in errors.records]
    assert not lines, "errors were logged:\n" + "\n".join(lines)


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    """A test is quicker than any user. Those of limits set their own."""
    for name in dir(django_settings):
        if name.startswith("LIMIT_") and type(getattr(django_settings, name)) is int:
            setattr(settings, name, 1_000_000)


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture(scope="session")
def _wire() -> Iterator[Api]:
    with wire() as one:
        yield one


@pytest.fixture
def api(_wire: Api, patient: None) -> Api:
    """The application, on the connection to the database that the test has."""
    return _wire
