"""`manage.py export_settings`: writes the settings and the metrics into docs/operations.md."""

import re
from pathlib import Path

from django.conf import settings

from config.management.generated import GeneratedFiles
from ops.metrics import families

# A running Space serves docs/operations.md, and not .env.example.
SETTINGS = (
    "<!-- Made from .env.example by `./space manage export_settings`. Do not edit. -->",
    "<!-- The end of the settings. -->",
)
METRICS = (
    "<!-- Made from ops/metrics by `./space manage export_settings`. Do not edit. -->",
    "<!-- The end of the metrics. -->",
)


class Command(GeneratedFiles):
    help = (
        "Writes the settings and the tables of metrics in docs/operations.md; --check only says"
        " whether they are up to date."
    )

    def documents(self) -> dict[str, str]:
        root = Path(settings.BASE_DIR)
        text = (root / "docs" / "operations.md").read_text()
        example = (root / ".env.example").read_text()
        tables = "\n".join(
            f"**{title}**\n\n{families.table(role)}" for title, role in families.TITLES.items()
        )
        text = _between(text, SETTINGS, f"```ini\n{example}```\n")
        return {"docs/operations.md": _between(text, METRICS, tables)}


def _between(text: str, marks: tuple[str, str], made: str) -> str:
    begin, end = marks
    whole = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    return whole.sub(lambda _: f"{begin}\n\n{made}\n{end}", text)
