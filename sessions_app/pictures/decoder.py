"""Decodes one picture, in a process of its own, which `upload.py` starts.

    python -I -S decoder.py <where Pillow is> PNG|JPEG|WEBP  < the picture  > the same as WebP

A decoder is C code with untrusted input. Here it may crash, use up memory or never end without harm
to the server, and it finds no secrets: no environment, no open file, no place to write to. The exit
status says why a picture is refused.
"""

from __future__ import annotations

import resource
import signal
import struct
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

LARGEST_PIXELS = 25_000_000  # by the header, before anything is decoded
LONGEST_SIDE = 1_600  # of the stored picture
MEMORY = 448 * 1024 * 1024  # bytes of address space; 25 million pixels with alpha take 310 MiB
CPU_S = 10  # the largest takes two
ALARM_S = 40  # for a decoder that hangs after its server is gone

UNREADABLE, TOO_MANY_PIXELS, ANIMATED = 3, 4, 5  # exit status
_ORIENTATION = 0x0112


class Refused(Exception):
    """`args[0]` is the exit status."""


def rewritten(raw: bytes, declared: str) -> bytes:
    """The picture as WebP, with nothing but its pixels. Raises `Refused`."""
    from PIL import Image, UnidentifiedImageError

    bomb = Image.DecompressionBombError
    try:
        with Image.open(BytesIO(raw), formats=[declared]) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise Refused(TOO_MANY_PIXELS)
            # Phones put a second picture behind a photo (MPO); a JPEG is never animated.
            if declared != "JPEG" and getattr(picture, "n_frames", 1) != 1:
                raise Refused(ANIMATED)
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            clean = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            clean = _upright(clean, _orientation(picture))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, MemoryError, bomb):
        raise Refused(UNREADABLE) from None
    out = BytesIO()
    clean.save(out, "WEBP", quality=85)
    return out.getvalue()


def _orientation(picture: Any) -> int:
    """How the camera was held, by the EXIF data, which is not stored."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1  # unreadable EXIF data counts as none


def _upright(picture: Any, orientation: int) -> Any:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def confine() -> None:
    """Limits the process to what decoding needs, as far as the system supports it."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory runs out, Linux kills this process first
    for what, limit in {
        "RLIMIT_AS": MEMORY,  # macOS ignores it; there the number of pixels is the bound
        "RLIMIT_CPU": CPU_S,
        "RLIMIT_CORE": 0,  # a core dump would contain the picture
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 16,
        "RLIMIT_NPROC": 0,
    }.items():
        with suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, what), (limit, limit))
    signal.alarm(ALARM_S)


def main(packages: str, declared: str) -> int:
    sys.dont_write_bytecode = True
    sys.path.append(packages)
    raw = sys.stdin.buffer.read()
    try:
        out = rewritten(raw, declared)
    except Refused as refused:
        return int(refused.args[0])
    sys.stdout.buffer.write(out)
    return 0


if __name__ == "__main__":
    confine()
    sys.exit(main(*sys.argv[1:]))
