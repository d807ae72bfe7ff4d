"""A service of the compose file as a container for runc, the runtime that Docker uses too.

User, read-only root, capabilities, memory, processes, temporary file systems and volumes are taken
from the service. The network is this machine's: local servers are on its loopback interface.
"""

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.part import Part
from tools.container.commands import attempt, must, output_of, program

STOPS_WITHIN = 15.0  # seconds, as `stop_grace_period` in the compose file


@dataclass
class Runtime:
    """Containers of one image's file system, each with a bundle in a folder below `home`."""

    files: Path
    home: Path
    image: Mapping[str, Any]  # its configuration
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)
        for left_over in output_of([*self._runc, "list", "--quiet"]).split():
            attempt([*self._runc, "delete", "--force", left_over])

    @property
    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self.home / "runc")]

    def part(
        self,
        name: str,
        service: Mapping[str, Any],
        environment: Mapping[str, str],
        is_ready: Callable[[Part], bool] = Part.is_alive,
        command: Sequence[str] | None = None,
    ) -> Part:
        """The container, not yet started. SIGTERM to it is passed on to the program inside."""
        bundle = self.home / name
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir(parents=True)
        output_of([*self._runc, "spec", "--bundle", str(bundle)])
        file = bundle / "config.json"
        spec = json.loads(file.read_text())
        arguments = command or service.get("command") or self.image["Cmd"]
        spec["process"] |= self._process(service, environment, arguments)
        spec["root"] = {"path": str(self.files), "readonly": service["read_only"]}
        spec["mounts"] += [*_temporary(service), *self._volumes(service)]
        linux = spec["linux"]
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "network"]
        memory, processes = int(service["mem_limit"]), service["pids_limit"]
        linux["resources"] = {"memory": {"limit": memory}, "pids": {"limit": processes}}
        file.write_text(json.dumps(spec, indent=1))
        self.names.append(name)
        return Part(
            name,
            [program("runc"), *self._runc[1:], "run", "--bundle", bundle, self._id(name)],
            self.home / f"{name}.log",
            environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            is_ready=is_ready,
            dies_with_us_by=signal.SIGTERM,  # SIGKILL would not be passed on
            stops_by=((signal.SIGTERM, STOPS_WITHIN),),
        )

    def run_inside(self, name: str, command: Sequence[str]) -> int:
        """A command in a container that is running, as a health check is. Its exit code."""
        return attempt([*self._runc, "exec", self._id(name), *command]).returncode

    def peak_memory(self, name: str) -> int:
        """The peak memory of its first process, in bytes; 0 if it does not run."""
        state = attempt([*self._runc, "state", self._id(name)])
        if state.returncode != 0:
            return 0
        status = Path(f"/proc/{json.loads(state.stdout)['pid']}/status").read_text()
        lines = (line.split() for line in status.splitlines())
        return next((int(words[1]) * 1024 for words in lines if words[0] == "VmHWM:"), 0)

    def remove_all(self) -> None:
        for name in self.names:
            attempt([*self._runc, "delete", "--force", self._id(name)])

    def _id(self, name: str) -> str:
        return f"space-{os.getpid()}-{name}"  # control groups are the machine's, not the checkout's

    def _process(
        self, service: Mapping[str, Any], given: Mapping[str, str], arguments: Sequence[str]
    ) -> dict[str, Any]:
        user, group = map(int, service["user"].split(":"))
        must(service["cap_drop"] == ["ALL"], "The service keeps capabilities.")
        kinds = ("bounding", "effective", "inheritable", "permitted", "ambient")
        files = min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        return {
            "terminal": False,
            "user": {"uid": user, "gid": group},
            "args": [*self.image["Entrypoint"], *arguments],
            "env": [*self.image["Env"], *(f"{name}={value}" for name, value in given.items())],
            "cwd": self.image["WorkingDir"],
            "capabilities": {kind: [] for kind in kinds},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": files, "hard": files}],
            "noNewPrivileges": "no-new-privileges:true" in service["security_opt"],
        }

    def _volumes(self, service: Mapping[str, Any]) -> list[dict[str, Any]]:
        mounts = []
        for volume in service.get("volumes", []):
            folder = self.home / f"volume-{volume['source']}"
            if not folder.exists():  # a new volume takes its owner from the image
                folder.mkdir()
                owner = (self.files / volume["target"].lstrip("/")).stat()
                shutil.chown(folder, owner.st_uid, owner.st_gid)
            mounts.append(_mount(volume["target"], "bind", str(folder), ["bind", "rw"]))
        return mounts


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """The variables that compose gives the container; one without a value is not set."""
    given: Mapping[str, str | None] = service["environment"]
    return {name: value for name, value in given.items() if value is not None}


def _temporary(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    mounts = []
    for line in service.get("tmpfs", []):
        folder, _, options = line.partition(":")
        safe = ["nosuid", "nodev", "noexec", *filter(None, options.split(","))]
        mounts.append(_mount(folder, "tmpfs", "tmpfs", safe))
    return mounts


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}
