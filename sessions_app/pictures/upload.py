"""Takes a picture from a `data:` URL and encodes it again, so that only its pixels are kept.

It is decoded in a process of its own (`decoder.py`, ADR 33), which may fail in any way: then the
picture is refused. Few decoders run at a time, and one of a user, so that no user takes them all.
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
LARGEST_OUT = 8 * 1024 * 1024  # of the decoder; noise of the largest size takes 4 MiB
MAX_DECODERS = 2  # in a process: each may take 400 MiB (`decoder.MEMORY`) and a core
SLOT_TIMEOUT_S = 10.0  # one takes up to two seconds, however few bytes it came in
DECODER_TIMEOUT_S = 30.0  # then it is killed; sooner if its request has ended
DECODER = Path(decoder.__file__)

_SENTENCES = {
    decoder.TOO_MANY_PIXELS: f"The picture may have at most {decoder.LARGEST_PIXELS} pixels.",
    decoder.ANIMATED: "The picture may not be animated.",
}
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP"}
_DATA_URL = re.compile(r"data:image/(png|jpe?g|webp);base64,", re.ASCII)


def from_data_url(url: str, user_id: int | None = None) -> ContentFile[bytes]:
    """The picture as a WebP file. Raises `ImageInvalid` with the reason, and `Busy`."""
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


_slots = FairSemaphore(MAX_DECODERS, share=lambda _user: 1)


@contextmanager
def _slot(user_id: int | None) -> Iterator[None]:
    """A slot for a decoder; a user has one at a time. Raises `Busy`."""
    try:
        with _slots.slot(user_id, within_s=left(SLOT_TIMEOUT_S)):
            yield
    except Overloaded:
        stats.pictures.add("busy")
        raise Busy from None


# -- the process ---------------------------------------------------------------------------------


def _decoded(raw: bytes, declared: str) -> bytes:
    """The picture as the decoder gives it. It is refused if the decoder fails in any way."""
    try:
        status, out = _run([sys.executable, "-I", "-S", str(DECODER), _packages(), declared], raw)
    except OSError as error:  # no process can be started: out of memory
        log.error("a decoder cannot be started: %s", error)
        raise Busy from None
    if status == 0 and len(out) <= LARGEST_OUT and out[:4] == b"RIFF" and out[8:12] == b"WEBP":
        stats.pictures.add("decoded")
        return out
    if left() == 0:
        raise Busy  # the decoder was killed for its deadline: nothing is known of the picture
    if status != decoder.UNREADABLE and status not in _SENTENCES:
        log.warning("a picture was refused: its decoder ended with %d", status)
    stats.pictures.add("refused")
    raise _refused(_SENTENCES.get(status, "The picture cannot be read."))


def _run(command: list[str], given: bytes) -> tuple[int, bytes]:
    """Its exit status (negative: a signal), and its output up to about `LARGEST_OUT` bytes."""
    with subprocess.Popen(  # noqa: S603 -- our own script
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},  # ours has secrets
        cwd="/",
        close_fds=True,
        bufsize=0,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        timer = Timer(left(DECODER_TIMEOUT_S), child.kill)
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
            return child.wait(), bytes(
                out
            )  # one that closes its output and stays is killed by the timer
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
    """The folder of Pillow: the only one from which the decoder imports."""
    spec = find_spec("PIL")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent.parent)


def _refused(why: str) -> ImageInvalid:
    return ImageInvalid({"image": [why]})
