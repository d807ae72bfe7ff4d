"""JSON as it comes in, and JSON that goes out whatever a client accepts."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class AnswerAnyway(DefaultContentNegotiation):
    """What a client accepts where we have it, else what we have: a 406 would help nobody."""

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
    """DRF's parser, without its 500 for a body that nests a hundred thousand deep."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON nests too deep.") from error
