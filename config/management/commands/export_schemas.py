"""`manage.py export_schemas`: writes docs/openapi.yaml and docs/asyncapi.yaml from the code."""

import yaml
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from config.management.generated import GeneratedFiles
from realtime.protocol import asyncapi

HEAD = "# Made from the code by `./space manage export_schemas`. Do not edit.\n"


class Command(GeneratedFiles):
    help = (
        "Writes the OpenAPI and AsyncAPI documents; --check only says whether they are up to date."
    )

    def documents(self) -> dict[str, str]:
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        openapi = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()  # type: ignore[no-untyped-call]
        version = str(settings.SPECTACULAR_SETTINGS["VERSION"])
        return {
            "docs/openapi.yaml": HEAD + openapi,
            "docs/asyncapi.yaml": HEAD
            + yaml.safe_dump(asyncapi.document(version), sort_keys=False),
        }
