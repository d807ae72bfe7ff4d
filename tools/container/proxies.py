"""The proxies' configuration from `deploy/`, with only its addresses and folders moved."""

import shutil
import tempfile
from pathlib import Path

from local.network import free_port
from local.part import Part
from tools.container.commands import must, output_of, program

NOBODY = 65534
AS_NOBODY = [
    program("setpriv"),
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
    "--no-new-privs",
]
AS_NOBODY += ["--inh-caps=-all", "--bounding-set=-all"]  # as the compose file has it
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"


def nginx(root: Path, home: Path, servers: list[int]) -> tuple[Part, int]:
    """nginx in front of servers on these ports, and its port. Its configuration is tested first."""
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="space-nginx-"))
    text = (root / "deploy" / "nginx.conf").read_text()
    moved = {"listen 8080": f"listen 127.0.0.1:{port}", " /tmp/": f" {folder}/"}
    moved["access_log /dev/stdout"] = f"access_log {folder}/access.log"
    for number, server in enumerate(servers, start=1):
        moved[f"server server-{number}:8000"] = f"server 127.0.0.1:{server}"
    file = folder / "nginx.conf"
    file.write_text(_replaced(text, moved))
    for path in (folder, file):
        shutil.chown(path, NOBODY, NOBODY)
    command: list[str | Path] = [*AS_NOBODY, program("nginx"), "-e", "stderr", "-c", file]
    command += ["-g", "daemon off;"]
    output_of([*command, "-t"])
    return Part("nginx", command, home / "nginx.log", {"PATH": PATH}, Part.is_alive), port


def caddy(root: Path, home: Path, servers: list[int]) -> tuple[Part, int]:
    """The same with Caddy, on plain HTTP: there is no host name to have a certificate for."""
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="caddy-", dir=home))
    text = (root / "deploy" / "Caddyfile").read_text()
    moved = {"space.example {": f"http://127.0.0.1:{port} {{"}
    for number, server in enumerate(servers, start=1):
        moved[f"127.0.0.1:800{number}"] = f"127.0.0.1:{server}"
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + _replaced(text, moved))
    environment = {"PATH": PATH, "HOME": str(folder)}
    same: list[str | Path] = ["--config", file, "--adapter", "caddyfile"]
    output_of([program("caddy"), "validate", *same], environment)
    part = Part(
        "caddy",
        [program("caddy"), "run", *same],
        home / "caddy.log",
        environment,
        is_ready=Part.is_alive,
    )
    return part, port


def is_installed(name: str) -> bool:
    return Path(program(name)).is_absolute()


def _replaced(text: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        must(before in text, f"The configuration has no {before!r} any more.")
        text = text.replace(before, after)
    return text
