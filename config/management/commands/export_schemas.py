"""`manage.py export_schemas`: writes docs/openapi.yaml and docs/asyncapi.yaml from the code."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from realtime.protocol import asyncapi

HEAD = "# Made from the code by `./space manage export_schemas`. Do not edit.\n"


class Command(BaseCommand):
    help = (
        "Writes the OpenAPI and AsyncAPI documents; --check only says whether they are up to date."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        docs = Path(settings.BASE_DIR) / "docs"
        stale = []
        for name, text in documents().items():
            path = docs / name
            if options["check"]:
                if not path.is_file() or path.read_text() != text:
                    stale.append(name)
            else:
                path.write_text(text)
                self.stdout.write(f"docs/{name}")
        if stale:
            raise CommandError(f"Not up to date: {', '.join(stale)}. Run export_schemas.")


def documents() -> dict[str, str]:
    """The text of each document by its file's name."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    openapi = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()  # type: ignore[no-untyped-call]
    version = str(settings.SPECTACULAR_SETTINGS["VERSION"])
    return {
        "openapi.yaml": HEAD + openapi,
        "asyncapi.yaml": HEAD + yaml.safe_dump(asyncapi.document(version), sort_keys=False),
    }
