"""Checks what the image holds: its settings, its files, its packages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.venv import name_of, pins
from tools.container.commands import must

# The parts of the repository that production runs.
CONTENT = {"accounts", "client", "config", "docs", "manage.py", "realtime", "requirements.txt"}
CONTENT |= {"ops", "runtime", "server", "sessions_app", "static", "web", "__pycache__"}
APP, PACKAGES = "app", "opt/venv/lib"


def check_configuration(image: Mapping[str, Any]) -> None:
    user = image["User"].split(":")
    numeric = all(part.isdecimal() and int(part) > 0 for part in user)
    must(len(user) == 2 and numeric, f"The user is {image['User']}: not two numbers above 0.")
    must(image["Entrypoint"] == ["python", "manage.py"], "The entry point is not manage.py itself.")
    must(image["Cmd"][0] == "serve", "The image does not serve by default.")
    must(bool(image.get("Healthcheck")), "The image has no health check.")
    names = {line.split("=")[0] for line in image["Env"]}
    secret = {
        name for name in names if "KEY" in name or "PASSWORD" in name or name.endswith("_URL")
    }
    must(not secret, f"The image has secrets or addresses in its environment: {secret}.")


def check_files(files: Path, root: Path) -> None:
    app = files / APP
    found = {path.name for path in app.iterdir()}
    must(found == CONTENT, f"In /app there is {sorted(found ^ CONTENT)} too much or too little.")
    _check_packages(files, root)
    collected = {path.relative_to(app / "static") for path in (app / "static").rglob("*.js")}
    ours = {path.relative_to(root / "client") for path in (root / "client").rglob("*.js")}
    must(ours <= collected, f"Not collected: {sorted(map(str, ours - collected))}.")
    must((app / "static" / "js" / "main.js.gz").exists(), "Static files are not compressed.")
    modules = list((app / "config").glob("*.py"))
    compiled = list((app / "config" / "__pycache__").glob("*.pyc"))
    must(len(compiled) == len(modules), "The code is not compiled.")
    writable = [path for path in (app, files / "opt/venv") if path.stat().st_uid != 0]
    must(not writable, f"{writable} can be written to by the image's user.")
    left = [path for path in ("run/secrets", "opt/pip", "root/.cache") if (files / path).exists()]
    must(not left, f"Left over from the build: {left}.")


def _check_packages(files: Path, root: Path) -> None:
    """Exactly the pins of requirements.txt; so no package that only development needs."""
    infos = (files / PACKAGES).glob("python3*/site-packages/*.dist-info")
    installed = {_plain(path.name.split("-")[0]) for path in infos}
    pinned = {_plain(name_of(pin).split(";")[0]) for pin in pins(root / "requirements.txt")}
    must(installed <= pinned, f"Not in requirements.txt: {sorted(installed - pinned)}.")
    development = {
        _plain(name_of(pin).split(";")[0]) for pin in pins(root / "requirements-dev.txt")
    }
    must(not installed & (development - pinned), "Packages of development are in the image.")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
