"""Decodes one picture, in a process of its own, which `images.py` starts.

    python -I -S decoder.py <where Pillow is> PNG|JPEG|WEBP  < the picture  > the same as WebP

A decoder is C code that is fed by strangers. Here it may crash, eat memory or never end: it takes
nobody with it, and has nothing to find: no environment, no open file, no place to write to. What
is refused is told by the exit status.
"""

from __future__ import annotations

import resource
import signal
import struct
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

LARGEST_PIXELS = 25_000_000  # looked up in the header, before anything is decoded
LONGEST_SIDE = 1_600  # what is kept
MEMORY = 448 * 1024 * 1024  # bytes of address space; 25 million pixels with alpha take 310 MiB
CPU_S = 10  # the largest takes two
ALARM_S = 40  # whoever started it may be gone: nobody else would end one that sleeps

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
    """How the camera was held: it stands in the EXIF data, which is not kept."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1  # what cannot be read says nothing


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
    """Gives up what decoding does not need. What a system does not know is left out."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # where memory runs out, this goes first (Linux)
    for what, limit in {
        "RLIMIT_AS": MEMORY,  # macOS does not hold it; there the number of pixels is the bound
        "RLIMIT_CPU": CPU_S,
        "RLIMIT_CORE": 0,  # a core would hold somebody's picture
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
