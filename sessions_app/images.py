"""A picture that comes as a `data:` URL, decoded and written anew, so that nothing rides along."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from io import BytesIO
from threading import BoundedSemaphore

from django.core.files.base import ContentFile
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from accounts.turns import taken
from sessions_app.exceptions import Busy, ImageInvalid

LARGEST_BYTES = 6 * 1024 * 1024  # decoded
LARGEST_PIXELS = 25_000_000  # checked in the header, before anything is decoded
LONGEST_SIDE = 1_600  # what is kept
# Decoding the largest takes 200 MiB: one after the other, or a few requests would take all memory.
_one_at_a_time = BoundedSemaphore(1)
PATIENCE_S = 10.0  # one takes up to two seconds, however few bytes it came in
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP"}
_ORIENTATION = 0x0112
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_DATA_URL = re.compile(r"data:image/(png|jpe?g|webp);base64,", re.ASCII)


def from_data_url(url: str) -> ContentFile[bytes]:
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
    if not taken(_one_at_a_time, within_s=PATIENCE_S):
        raise Busy
    try:
        return ContentFile(_rewritten(raw, _FORMATS[head[1]]), name="picture.webp")
    finally:
        _one_at_a_time.release()


def _rewritten(raw: bytes, declared: str) -> bytes:
    try:
        with Image.open(BytesIO(raw), formats=[declared]) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise _refused(f"The picture may have at most {LARGEST_PIXELS} pixels.")
            # Phones put a second picture behind a photo (MPO); a JPEG is never animated.
            if declared != "JPEG" and getattr(picture, "n_frames", 1) != 1:
                raise _refused("The picture may not be animated.")
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            clean = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            clean = _upright(clean, _orientation(picture))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _refused("The picture cannot be read.") from None
    out = BytesIO()
    clean.save(out, "WEBP", quality=85)
    return out.getvalue()


def _orientation(picture: Image.Image) -> int:
    """How the camera was held: it stands in the EXIF data, which is not kept."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return 1  # what cannot be read says nothing


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _refused(why: str) -> ImageInvalid:
    return ImageInvalid({"image": [why]})
