"""A picture is decoded in a process of its own, and whatever happens there, happens to it alone."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from sessions_app.exceptions import Busy, ImageInvalid
from sessions_app.pictures import decoder, upload
from sessions_app.pictures.upload import from_data_url
from tests.support.people import data_url, picture

StandIn = Callable[[str], None]
CONFINED = "import sys; sys.path.insert(0, {folder!r}); import decoder; decoder.confine()\n"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Another script in the decoder's place, with the decoder's limits."""

    def replace(script: str) -> None:
        path = tmp_path / "stand_in.py"
        folder = str(Path(decoder.__file__).parent)
        path.write_text(CONFINED.format(folder=folder) + script)
        monkeypatch.setattr(upload, "DECODER", path)

    return replace


def refused(url: str | None = None) -> str:
    """The sentence with which it is."""
    with pytest.raises(ImageInvalid) as refusal:
        from_data_url(url or data_url(picture()))
    return str(refusal.value)


# -- what a decoder may do -----------------------------------------------------------------------

ACCIDENTS = {
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "aborts": "import os; os.abort()",
    "eats memory": "x = [bytearray(50_000_000) for _ in range(100)]",
    "raises": "raise RuntimeError",
    "says nothing": "",
    "says something else": "print('<script>alert(1)</script>')",
    "says that it went well": "sys.stdout.write('RIFF....WEBP'); sys.exit(9)",
    "does not read": "import os; os.close(0); sys.exit(0)",
    "starts another": "import os; os.fork() and sys.exit(1)\nprint('x')",
}


@pytest.mark.parametrize("script", ACCIDENTS.values(), ids=ACCIDENTS)
def test_whatever_a_decoder_does_the_picture_is_refused(stand_in: StandIn, script: str) -> None:
    stand_in(script)
    assert refused(data_url(picture(size=(900, 700)) * 50)) == "The picture cannot be read."


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(100)",
        "while True: pass",
        "import os, time; os.close(1); time.sleep(100)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)",
    ],
    ids=["sleeps", "spins", "closes its output", "does not want to go"],
)
def test_a_decoder_that_hangs_is_killed(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    stand_in(script)
    monkeypatch.setattr(upload, "DECODER_TIMEOUT_S", 0.5)
    assert refused() == "The picture cannot be read."


def test_a_decoder_with_endless_output_is_killed(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "LARGEST_OUT", 200_000)
    stand_in("while True: sys.stdout.write('RIFF....WEBP' * 10_000)")
    assert refused() == "The picture cannot be read."


def test_the_decoder_has_no_secrets_and_can_write_nothing(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It answers only if all of this is so."""
    monkeypatch.setenv("SECRET_KEY", "s" * 40)
    held = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(held, True)
    written = str(tmp_path / "written")
    stand_in(f"""
import os, resource
assert not [name for name in os.environ if name != "LC_CTYPE"], os.environ
for fd in range(3, 64):
    try: os.fstat(fd)
    except OSError: continue
    raise SystemExit("an open file")
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_CPU)[1] == {decoder.CPU_S}
try:
    with open({written!r}, "w") as file: file.write("x" * 10)
except OSError: pass
assert os.path.getsize({written!r}) == 0
assert "django" not in sys.modules and "site" not in sys.modules
sys.stdout.write("RIFF....WEBP")
""")
    try:
        assert from_data_url(data_url(picture())).read() == b"RIFF....WEBP"
    finally:
        os.close(held)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS holds no limit of address space")
def test_the_memory_of_the_decoder_is_bounded() -> None:
    code = CONFINED.format(folder=str(Path(decoder.__file__).parent))
    run = [sys.executable, "-c", code + f"bytearray({decoder.MEMORY})"]
    tried = subprocess.run(run, capture_output=True, text=True, check=False)
    assert "MemoryError" in tried.stderr


# -- hostile pictures ----------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A good PNG with one more chunk behind its header."""
    png = picture()
    return png[:33] + chunk(kind, data) + png[33:]


def bomb(size: int) -> bytes:
    deflate = zlib.compressobj(9)
    zeros = bytes(1_000_000)
    return b"".join(deflate.compress(zeros) for _ in range(size // 1_000_000)) + deflate.flush()


def scans(count: int) -> bytes:
    """A progressive JPEG of 4,000 x 4,000 with its last scan again and again."""
    out = BytesIO()
    Image.new("L", (4_000, 4_000)).save(out, "JPEG", progressive=True)
    jpeg = out.getvalue()
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * count + b"\xff\xd9"


def saved(mode: str, kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    out = BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def resized_header(raw: bytes, found: bytes, claimed: bytes) -> bytes:
    assert found in raw
    return raw.replace(found, claimed, 1)


HARMLESS = {
    "CMYK": (saved("CMYK", "JPEG"), "jpeg"),
    "grey with 16 bits": (saved("I;16", "PNG"), "png"),
    "a palette": (saved("P", "PNG"), "png"),
    "one bit": (saved("1", "PNG"), "png"),
    "very narrow": (saved("RGB", "PNG", (1, 100_000)), "png"),
    "a text of 300 MB": (with_chunk(b"zTXt", b"Comment\0\0" + bomb(300_000_000)), None),
    "a profile of 300 MB": (with_chunk(b"iCCP", b"icc\0\0" + bomb(300_000_000)), None),
    "a text of 5 MB": (with_chunk(b"tEXt", b"Comment\0" + b"x" * 5_000_000), "png"),
}


@pytest.mark.parametrize(("raw", "kind"), HARMLESS.values(), ids=HARMLESS)
def test_odd_pictures_come_out_small_and_clean_or_are_refused(raw: bytes, kind: str | None) -> None:
    if kind is None:
        assert refused(data_url(raw)) == "The picture cannot be read."
        return
    out = from_data_url(data_url(raw, kind)).read()
    assert len(out) < 2_000
    with Image.open(BytesIO(out)) as image:
        assert image.format == "WEBP"
        assert max(image.size) <= 1_600


HOSTILE = {
    "JPEG that says 60,000 x 60,000": (
        resized_header(
            saved("RGB", "JPEG"), struct.pack(">HH", 30, 40), struct.pack(">HH", 60_000, 60_000)
        ),
        "jpeg",
        "",
    ),
    "WebP that says 16,383 x 16,383": (
        resized_header(
            saved("RGB", "WEBP"),
            struct.pack("<HH", 40, 30),
            struct.pack("<HH", 16_383, 16_383),
        ),
        "webp",
        "",
    ),
    "PNG cut within a row": (picture(size=(300, 200))[:-400], "png", "read"),
    "a header and nothing": (picture()[:33], "png", "read"),
    "eight bytes": (b"\x89PNG\r\n\x1a\n", "png", "read"),
    "one byte": (b"\xff", "jpeg", "read"),
    "zeros": (bytes(1_000_000), "jpeg", "read"),
    "a Windows program": (b"MZ" + bytes(4_000), "png", "read"),
}


@pytest.mark.parametrize(("raw", "kind", "why"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_pictures_are_refused(raw: bytes, kind: str, why: str) -> None:
    assert why in refused(data_url(raw, kind))


def test_thousands_of_scans_end_with_the_processor_time_of_the_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of its own, or the test would take ten seconds of a core."""
    source = Path(decoder.__file__).read_text()
    assert f"CPU_S = {decoder.CPU_S} " in source
    path = tmp_path / "decoder.py"
    path.write_text(source.replace(f"CPU_S = {decoder.CPU_S} ", "CPU_S = 1 "))
    monkeypatch.setattr(upload, "DECODER", path)
    assert refused(data_url(scans(3_000), "jpeg")) == "The picture cannot be read."


# -- whose turn it is ----------------------------------------------------------------------------


def test_one_user_holds_one_slot_and_another_user_gets_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload, "SLOT_TIMEOUT_S", 0.05)
    with upload._slot(1):
        with pytest.raises(Busy), upload._slot(1):
            pass
        with upload._slot(2), pytest.raises(Busy), upload._slot(3):
            pass
    with upload._slot(1), upload._slot(2):
        pass
