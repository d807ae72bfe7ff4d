"""A Valkey of one test's own, which can go away and come back at the same address."""

from __future__ import annotations

import os
import secrets
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.part import Part
from local.servers import Programs
from local.valkey import Valkey
from tests.support.servers import reserved_port


@dataclass
class OwnValkey:
    server: Valkey
    folder: Path
    part: Part = field(init=False)

    def come(self) -> None:
        self.part = self.server.part(self.folder / "valkey.log", os.environ)
        self.part.start()
        self.part.wait_until_ready(10)

    def go(self) -> None:
        assert self.part.process is not None
        self.part.process.kill()
        self.part.process.wait()


@contextmanager
def own_valkey(folder: Path) -> Iterator[OwnValkey]:
    """One that runs."""
    program = Programs.below(Path(sysconfig.get_path("purelib"))).valkey
    with reserved_port() as port:
        valkey = Valkey(program, folder / "valkey", port, secrets.token_hex(8))
        own = OwnValkey(valkey, folder)
        own.come()
        try:
            yield own
        finally:
            own.part.stop()
