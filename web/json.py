"""Parses JSON strictly, and answers in JSON whatever a client accepts."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MOST_NESTED = 32  # objects and lists within each other; valid requests have two


class AnswerAnyway(DefaultContentNegotiation):
    """Never answers 406: a client that accepts no JSON gets it all the same."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        ours = list(renderers)
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, ours, format_suffix)
            return chosen
        except (NotAcceptable, Http404):  # the second is for an unknown `?format=`
            return ours[0], ours[0].media_type


class Json(JSONParser):
    """DRF's parser for JSON of RFC 8259: UTF-8, whatever `charset` says.

    Python has "charsets" that decompress (`zlib`: a body of 100 KB gives 100 MB) or fail in other
    ways. The nesting is limited, since the code after the parser is recursive.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            parsed = super().parse(
                stream, media_type, {**(parser_context or {}), "encoding": "utf-8"}
            )
        except RecursionError as error:
            raise ParseError(_TOO_DEEP) from error
        if not _nests_within(MOST_NESTED, parsed):
            raise ParseError(_TOO_DEEP)
        return parsed


_TOO_DEEP = "The JSON nests too deep."


def _nests_within(most: int, value: Any) -> bool:
    level = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return not any(isinstance(value, dict | list) for value in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
