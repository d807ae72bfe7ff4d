"""A picture that comes as a `data:` URL, decoded and written anew, so that nothing rides along.

It is decoded in a process of its own (`decoder.py`, ADR 33), which may fail in any way: then the
picture is refused. Few at a time, and one of a user, so that nobody holds all of them.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Thread, Timer

from django.core.files.base import ContentFile

from runtime.deadline import left
from runtime.fair_semaphore import FairSemaphore, Overloaded
from sessions_app.exceptions import Busy, ImageInvalid
from sessions_app.pictures import decoder
from sessions_app.stats import stats

log = logging.getLogger(__name__)

LARGEST_BYTES = 6 * 1024 * 1024  # decoded from base64
LARGEST_OUT = 8 * 1024 * 1024  # what a decoder may answer; noise of the largest size has 4 MiB
AT_A_TIME = 2  # in a process: each may take 400 MiB (`decoder.MEMORY`) and a core
PATIENCE_S = 10.0  # one takes up to two seconds, however few bytes it came in
WITHIN_S = 30.0  # a decoder that takes longer is killed; sooner where its request has ended
DECODER = Path(decoder.__file__)

_SENTENCES = {
    decoder.TOO_MANY_PIXELS: f"The picture may have at most {decoder.LARGEST_PIXELS} pixels.",
    decoder.ANIMATED: "The picture may not be animated.",
}
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP"}
_DATA_URL = re.compile(r"data:image/(png|jpe?g|webp);base64,", re.ASCII)


def from_data_url(url: str, user_id: int | None = None) -> ContentFile[bytes]:
    """The picture as a WebP file. Raises `ImageInvalid` with a sentence that says why; `Busy`."""
    head = _DATA_URL.match(url)
    if head is None:
        raise _refused("Send a PNG, JPEG or WebP picture as a base64 data: URL.")
    if (len(url) - head.end()) * 3 // 4 > LARGEST_BYTES:
        raise _refused(f"The picture may have at most {LARGEST_BYTES} bytes.")
    try:
        raw = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _refused("The picture is not valid base64.") from None
    with _slot(user_id):
        return ContentFile(_decoded(raw, _FORMATS[head[1]]), name="picture.webp")


_slots = FairSemaphore(AT_A_TIME, share=lambda _user: 1)


@contextmanager
def _slot(user_id: int | None) -> Iterator[None]:
    """A place for a decoder; a user has one at a time. Raises `Busy`."""
    try:
        with _slots.slot(user_id, within_s=left(PATIENCE_S)):
            yield
    except Overloaded:
        stats.pictures.add("busy")
        raise Busy from None


# -- the process ---------------------------------------------------------------------------------


def _decoded(raw: bytes, declared: str) -> bytes:
    """What the decoder makes of it. Whatever goes wrong there, the picture is refused."""
    try:
        status, out = _run([sys.executable, "-I", "-S", str(DECODER), _packages(), declared], raw)
    except OSError as error:  # no process can be started, for lack of memory
        log.error("a decoder cannot be started: %s", error)
        raise Busy from None
    if status == 0 and len(out) <= LARGEST_OUT and out[:4] == b"RIFF" and out[8:12] == b"WEBP":
        stats.pictures.add("decoded")
        return out
    if left() == 0:
        raise Busy  # nobody knows what is wrong with it
    if status != decoder.UNREADABLE and status not in _SENTENCES:
        log.warning("a picture was refused: its decoder ended with %d", status)
    stats.pictures.add("refused")
    raise _refused(_SENTENCES.get(status, "The picture cannot be read."))


def _run(command: list[str], given: bytes) -> tuple[int, bytes]:
    """Its exit status (negative: the signal that ended it), and little more than `LARGEST_OUT`."""
    with subprocess.Popen(  # noqa: S603 -- our own script
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},  # it has our secrets
        cwd="/",
        close_fds=True,
        bufsize=0,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        timer = Timer(left(WITHIN_S), child.kill)
        timer.daemon = True
        timer.start()
        writer = Thread(target=_give, args=(child.stdin, given), daemon=True)
        writer.start()
        try:
            out = bytearray()
            while len(out) <= LARGEST_OUT and (part := child.stdout.read(64 * 1024)):
                out += part
            if len(out) > LARGEST_OUT:
                child.kill()
            return child.wait(), bytes(out)  # if it closed its output and stays: until the timer
        finally:
            child.kill()
            timer.cancel()
            writer.join()


def _give(pipe: object, given: bytes) -> None:
    with suppress(OSError):  # it has ended, or was killed
        rest = memoryview(given)
        while rest:
            rest = rest[pipe.write(rest) :]  # type: ignore[attr-defined]
    with suppress(OSError):
        pipe.close()  # type: ignore[attr-defined]


@cache
def _packages() -> str:
    """The folder that Pillow is in: the decoder looks nowhere else."""
    spec = find_spec("PIL")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent.parent)


def _refused(why: str) -> ImageInvalid:
    return ImageInvalid({"image": [why]})
