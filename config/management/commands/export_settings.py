"""`manage.py export_settings`: writes .env.example and the tables in docs/operations.md."""

import re
import textwrap
from pathlib import Path
from typing import Any

from django.conf import settings

from config.management.generated import GeneratedFiles
from config.variables import NONE, Variable, sections

HEAD = """\
# Every variable that Space reads, with its default. Copy to `.env` and uncomment what you change: a
# line that is left empty counts as set, to nothing. The environment wins over `.env`.
# `./space run` and `./space test` need none of these. Production needs the secrets, DATABASE_URL,
# REDIS_URL, ALLOWED_HOSTS and PUBLIC_URL, and leaves SPACE_ENV alone.
# Made from config/variables.py by `./space manage export_settings`. Do not edit.
"""
WIDTH = 98
BEGIN = "<!-- Made from config/variables.py by `./space manage export_settings`. Do not edit. -->"
END = "<!-- The end of what is made. -->"
METRICS_BEGIN = "<!-- Made from ops/metrics by `./space manage export_settings`. Do not edit. -->"
METRICS_END = "<!-- The end of the metrics. -->"


class Command(GeneratedFiles):
    help = (
        "Writes .env.example and the tables of docs/operations.md; --check only says whether they"
        " are up to date."
    )

    def documents(self) -> dict[str, str]:
        operations = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
        operations = _between(operations, BEGIN, table(), END)
        operations = _between(operations, METRICS_BEGIN, metrics(), METRICS_END)
        return {".env.example": example(), "docs/operations.md": operations}


def _between(text: str, begin: str, made: str, end: str) -> str:
    whole = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    return whole.sub(lambda _: f"{begin}\n\n{made}\n{end}", text)


def metrics() -> str:
    """The tables of the families of `/metrics`."""
    from ops.metrics import families

    return "\n".join(
        f"**{title}**\n\n{families.table(role)}" for title, role in families.TITLES.items()
    )


def example() -> str:
    """`.env.example`."""
    lines = [HEAD]
    for section, variables in sections().items():
        lines.append(f"# -- {section} ".ljust(WIDTH, "-"))
        for variable in variables:
            in_words = f" Default: {_default(variable)}." if _is_in_words(variable) else ""
            meaning = (variable.meaning + in_words).replace("`", "")
            lines += textwrap.wrap(meaning, WIDTH, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"#{variable.name}={variable.example or _plain(variable.default)}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def table() -> str:
    """The tables of docs/operations.md."""
    parts = []
    for section, variables in sections().items():
        rows = [f"| `{v.name}` | {_default(v)} | {v.meaning} |\n" for v in variables]
        parts.append(
            f"**{section}**\n\n| variable | default | meaning |\n|---|---|---|\n{''.join(rows)}"
        )
    return "\n".join(parts)


def _is_in_words(variable: Variable[Any]) -> bool:
    return bool(variable.shown or variable.example or variable.development is not NONE)


def _default(variable: Variable[Any]) -> str:
    if variable.shown:
        return variable.shown
    default = f"`{_plain(variable.default)}`" if _plain(variable.default) else "empty"
    if variable.development is NONE:
        return default
    return f"{default} (development: `{_plain(variable.development)}`)"


def _plain(value: Any) -> str:
    """As it is written in the environment."""
    if value is NONE:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
