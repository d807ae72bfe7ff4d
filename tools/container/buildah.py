"""The image, built by buildah over a base made by debootstrap, all of it below `.space/container`.

The official base image is in no registry of packages. A Debian of the release that the Dockerfile
names takes its place: the same C library, and Python of the same minor version.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.container import pip_config
from tools.container.commands import attempt, must, output_of

IMAGE = "localhost/space"
PACKAGES = "python3,python3-venv,ca-certificates"  # those of the official image that we need
FROM_DOCKERFILE = re.compile(r"^ARG BASE=\S+/python:(\d+\.\d+)-slim-([a-z]+)$", re.MULTILINE)


@contextmanager
def _without_spaces(folder: Path) -> Iterator[Path]:
    """A path to the folder that debootstrap, a shell script, can do with."""
    if " " not in str(folder):
        yield folder
        return
    with TemporaryDirectory() as links:
        link = Path(links) / "base"
        link.symlink_to(folder)
        yield link


class Buildah:
    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        storage = ["--root", str(home / "storage"), "--runroot", str(home / "storage-run")]
        quick = ["buildah", *storage, "--storage-driver", "overlay"]
        works = attempt([*quick, "info"]).returncode == 0  # not on every file system
        self._command = quick if works else ["buildah", *storage, "--storage-driver", "vfs"]
        attempt([*self._command, "rm", "--all"])  # mounts of a run that was killed

    def _do(self, *arguments: str | Path) -> str:
        return output_of([*self._command, *arguments]).strip()

    def make_base(self) -> str:
        """The base image's name; made by debootstrap if it is not there from a run before."""
        python, release = base_of(self.root / "Dockerfile")
        name = f"localhost/debian-{release}-python{python}"
        if attempt([*self._command, "inspect", "--type", "image", name]).returncode == 0:
            return name
        with self._container("scratch") as (container, files):
            variant = ("--variant=minbase", f"--include={PACKAGES}")
            with _without_spaces(files) as target:
                output_of(["debootstrap", *variant, release, target])
            found = output_of(["chroot", files, "python3", "--version"]).split()[-1]
            must(found.startswith(f"{python}."), f"{release} has Python {found}, not {python}.")
            for spare in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(files / spare)
            self._do("commit", "--quiet", "--format", "docker", container, name)
        return name

    def build(self, base: str, python: Path, environment: Mapping[str, str]) -> None:
        """The image from the Dockerfile. `python`: whose pip says where packages come from."""
        settings = pip_config.read(python, environment)
        secret = self.home / "pip.conf"
        secret.touch(mode=0o600)
        secret.write_text(pip_config.as_file(settings))
        volumes = (f"--volume={path}:{path}:ro" for path in pip_config.folders(settings))
        self._do(
            *("bud", "--isolation", "chroot", "--format", "docker", "--tag", IMAGE),
            *("--build-arg", f"BASE={base}", f"--secret=id=pip.conf,src={secret}"),
            *volumes,
            self.root,
        )

    def configuration(self) -> dict[str, Any]:
        """The image's own settings: user, command, health check."""
        image = json.loads(self._do("inspect", "--type", "image", IMAGE))
        configuration: dict[str, Any] = image["Docker"]["config"]
        return configuration

    @contextmanager
    def files(self) -> Iterator[Path]:
        """The image's file system."""
        with self._container(IMAGE) as (_, files):
            yield files

    @contextmanager
    def _container(self, image: str) -> Iterator[tuple[str, Path]]:
        container = self._do("from", "--pull-never", image)
        try:
            yield container, Path(self._do("mount", container))
        finally:
            attempt([*self._command, "umount", container])
            attempt([*self._command, "rm", container])

    def forget_what_is_unused(self) -> None:
        """Layers of builds before."""
        attempt([*self._command, "rmi", "--prune"])


def base_of(dockerfile: Path) -> tuple[str, str]:
    """Python's minor version and Debian's release, as the Dockerfile names them."""
    found = FROM_DOCKERFILE.search(dockerfile.read_text())
    must(found is not None, "The Dockerfile has no `ARG BASE=.../python:X.Y-slim-RELEASE`.")
    assert found
    return found[1], found[2]
