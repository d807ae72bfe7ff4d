"""The base of commands that write files from the code, or check that they are up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class GeneratedFiles(BaseCommand):
    def documents(self) -> dict[str, str]:
        """The text of each file, by its path in the repository."""
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = []
        for name, text in self.documents().items():
            path = Path(settings.BASE_DIR) / name
            if not options["check"]:
                path.write_text(text)
                self.stdout.write(name)
            elif not path.is_file() or path.read_text() != text:
                stale.append(name.removeprefix("docs/"))
        if stale:
            command = type(self).__module__.rpartition(".")[2]
            raise CommandError(f"Not up to date: {', '.join(stale)}. Run {command}.")
