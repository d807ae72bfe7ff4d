"""`manage.py export_settings`: writes the tables of metrics in docs/operations.md."""

import re
from pathlib import Path

from django.conf import settings

from config.management.generated import GeneratedFiles
from ops.metrics import families

BEGIN = "<!-- Made from ops/metrics by `./space manage export_settings`. Do not edit. -->"
END = "<!-- The end of the metrics. -->"


class Command(GeneratedFiles):
    help = (
        "Writes the tables of metrics in docs/operations.md; --check only says whether they are up"
        " to date."
    )

    def documents(self) -> dict[str, str]:
        text = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
        tables = "\n".join(
            f"**{title}**\n\n{families.table(role)}" for title, role in families.TITLES.items()
        )
        whole = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
        return {"docs/operations.md": whole.sub(lambda _: f"{BEGIN}\n\n{tables}\n{END}", text)}
