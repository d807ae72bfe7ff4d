"""Pictures come as data: URLs, and nothing rides along."""

from __future__ import annotations

import errno
import re
import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps, ImageStat, PngImagePlugin

from sessions_app import services
from sessions_app.exceptions import Busy, ImageInvalid
from sessions_app.ledger import Turn
from sessions_app.models import Session
from sessions_app.pictures import decoder, upload
from sessions_app.pictures.upload import from_data_url
from tests.app.sessions_app.conftest import Listen
from tests.support.generated import share
from tests.support.people import Person, data_url, picture

SCRIPT = b"<script>alert(1)</script>"


def post(person: Person, image: Any) -> Any:
    return person.post("/sessions/", {"title": "Write", "duration": 25, "image": image})


def stored(settings: Any) -> list[Path]:
    return [file for file in Path(settings.MEDIA_ROOT).rglob("*") if file.is_file()]


def rewritten(raw: bytes, kind: str = "png") -> bytes:
    webp: bytes = from_data_url(data_url(raw, kind)).read()
    return webp


# -- in and out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "declared"), [("PNG", "png"), ("JPEG", "jpeg"), ("JPEG", "jpg"), ("WEBP", "webp")]
)
def test_a_picture_comes_out_as_webp_under_an_absolute_url(
    ada: Person, settings: Any, kind: str, declared: str
) -> None:
    session = post(ada, data_url(picture(kind, (40, 30)), declared)).json()
    assert re.fullmatch(
        r"http://testserver/media/sessions/[A-Za-z0-9_-]{24}\.webp", session["image"]
    )
    assert ada.sees(session["id"])["image"] == session["image"]
    (file,) = stored(settings)
    with Image.open(file) as image:
        assert (image.format, image.size) == ("WEBP", (40, 30))


def test_the_same_picture_of_two_users_has_two_names(ada: Person, eve: Person) -> None:
    urls = {post(person, data_url(picture())).json()["image"] for person in (ada, eve)}
    assert len(urls) == 2


@pytest.mark.parametrize("image", [None, ""])
def test_no_picture_is_null(ada: Person, image: Any) -> None:
    answer = post(ada, image)
    assert (answer.status_code, answer.json()["image"]) == (201, None)


def test_a_large_picture_is_made_smaller(ada: Person) -> None:
    with Image.open(BytesIO(rewritten(picture(size=(3_200, 1_000))))) as image:
        assert image.size == (1_600, 500)


def test_transparency_stays() -> None:
    out = BytesIO()
    Image.new("RGBA", (4, 3), (1, 2, 3, 0)).save(out, "PNG")
    with Image.open(BytesIO(rewritten(out.getvalue()))) as image:
        assert image.mode == "RGBA"


@pytest.mark.parametrize("held", range(1, 9))
def test_a_photo_is_turned_upright(held: int) -> None:
    """As Pillow's own turning of the same photo."""
    photo = Image.radial_gradient("L").convert("RGB").crop((0, 0, 90, 60))
    exif = Image.Exif()
    exif[0x0112] = held
    out = BytesIO()
    photo.save(out, "JPEG", exif=exif)
    with Image.open(out) as taken, Image.open(BytesIO(rewritten(out.getvalue(), "jpeg"))) as image:
        upright = ImageOps.exif_transpose(taken)
        assert image.size == upright.size == ((90, 60) if held < 5 else (60, 90))
        assert max(ImageStat.Stat(ImageChops.difference(image, upright)).mean) < 8


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what is odd
@given(exif=st.binary(max_size=80).map(lambda junk: b"Exif\0\0II*\0\x08\0\0\0" + junk))
@settings(max_examples=share(200))
def test_a_photo_whose_description_is_broken_is_taken_as_it_lies(exif: bytes) -> None:
    assert decoder.rewritten(picture("JPEG", exif=exif), "JPEG")


def test_a_photo_with_a_second_picture_inside_is_taken() -> None:
    """Phones put a preview or a depth map behind the photo (MPO)."""
    out = BytesIO()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    frames[0].save(out, "MPO", save_all=True, append_images=frames[1:])
    with Image.open(BytesIO(rewritten(out.getvalue(), "jpeg"))) as image:
        assert (image.size, getattr(image, "n_frames", 1)) == ((40, 30), 1)


# -- nothing rides along -------------------------------------------------------------------------


def with_text() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SCRIPT.decode())
    return picture(pnginfo=info)


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = SCRIPT.decode()
    return picture("JPEG", exif=exif)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (picture() + SCRIPT, "png"),
        (picture("JPEG") + SCRIPT, "jpeg"),
        (picture("JPEG", comment=SCRIPT), "jpeg"),
        (picture("JPEG", icc_profile=SCRIPT), "jpeg"),
        (picture(icc_profile=SCRIPT), "png"),
        (with_text(), "png"),
        (with_exif(), "jpeg"),
        (picture("WEBP", xmp=SCRIPT, exif=SCRIPT, icc_profile=SCRIPT), "webp"),
    ],
    ids=["behind-png", "behind-jpeg", "comment", "jpeg-icc", "png-icc", "text", "exif", "webp"],
)
def test_only_the_pixels_of_a_picture_are_kept(raw: bytes, kind: str) -> None:
    out = rewritten(raw, kind)
    assert b"script" not in out
    for chunk in (b"ICCP", b"EXIF", b"XMP "):
        assert chunk not in out


# -- refused -------------------------------------------------------------------------------------


def header_only(width: int, height: int) -> bytes:
    """A PNG of some bytes that says it is very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def animated(kind: str) -> bytes:
    out = BytesIO()
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
REFUSED = {
    "not a data URL": "https://example.com/a.png",
    "a path": "/etc/passwd",
    "a word": "picture",
    "SVG": data_url(SVG, "svg+xml"),
    "SVG that says PNG": data_url(SVG, "png"),
    "GIF": data_url(picture("GIF"), "gif"),
    "GIF that says PNG": data_url(picture("GIF"), "png"),
    "PNG that says JPEG": data_url(picture("PNG"), "jpeg"),
    "HTML": "data:text/html;base64,PHNjcmlwdD4=",
    "not base64": "data:image/png;base64,%%%%",
    "base64 with spaces": data_url(picture()).replace("A", "A ", 1),
    "base64 cut short": data_url(picture())[:-1] + "=" * 3,
    "without base64": "data:image/png,abc",
    "empty": "data:image/png;base64,",
    "cut short": data_url(picture("PNG", (400, 300))[:-60]),
    "animated PNG": data_url(animated("PNG"), "png"),
    "animated WebP": data_url(animated("WEBP"), "webp"),
    "30 million pixels": data_url(header_only(6_000, 5_000)),
    "a billion pixels": data_url(header_only(40_000, 25_000)),
    "no pixels": data_url(header_only(0, 0)),
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_other_files_are_refused(ada: Person, settings: Any, url: str) -> None:
    answer = post(ada, url)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "image_invalid"), body
    assert body["image"] == [body["error"]]
    assert stored(settings) == []


def test_too_many_bytes_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(ImageInvalid, match="bytes"):
        from_data_url("data:image/png;base64," + "%" * (upload.LARGEST_BYTES * 4 // 3 + 8))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_hundred_million_pixels_are_refused(ada: Person) -> None:
    """Here Pillow itself only warns."""
    answer = post(ada, data_url(header_only(10_000, 10_000)))
    assert (answer.status_code, answer.json()["code"]) == (400, "image_invalid")


@pytest.mark.parametrize("image", [5, True, ["data:"], {"url": "data:"}, 5.5])
def test_a_picture_that_is_no_string_is_refused(ada: Person, image: Any) -> None:
    answer = post(ada, image)
    assert (answer.status_code, list(answer.json()["image"])) == (
        400,
        ["Send the picture as a data: URL."],
    )


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what is odd; here all of it is
@given(
    kind=st.sampled_from(["png", "jpeg", "webp"]),
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=share(200))
def test_a_damaged_picture_is_taken_or_refused_but_never_an_accident(
    kind: str, damage: list[tuple[int, int]]
) -> None:
    raw = bytearray(picture(kind.upper(), (16, 16)))
    for place, value in damage:
        raw[place % len(raw)] = value
    with suppress(decoder.Refused):
        decoder.rewritten(bytes(raw), kind.upper())


# -- where it is stored --------------------------------------------------------------------------


def test_where_the_disk_is_full_nothing_is_made_and_nothing_is_left(
    ada: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = default_storage.save

    def full(name: str, content: Any) -> str:
        save(name, ContentFile(content.read()[:10]))  # the first bytes have room
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(default_storage, "save", full)
    answer = post(ada, data_url(picture()))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0
    assert stored(settings) == []
    assert ada.get("/sessions/").json() == []


def test_where_a_picture_cannot_be_read_a_session_is_not_repeated_without_it(
    ada: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = post(ada, data_url(picture())).json()

    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(default_storage, "open", broken)
    answer = ada.post(f"/sessions/{session['id']}/repeat/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert len(ada.get("/sessions/").json()) == 1


def test_a_picture_for_which_no_decoder_can_start_is_429(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(upload, "_run", broken)
    answer = post(ada, data_url(picture()))
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


# -- its life ------------------------------------------------------------------------------------


def test_a_picture_is_replaced_and_the_old_one_deleted(
    ada: Person, settings: Any, announced: Listen
) -> None:
    session = post(ada, data_url(picture())).json()
    with announced():
        edited = ada.put(
            f"/sessions/{session['id']}/", {"image": data_url(picture("JPEG"), "jpeg")}
        ).json()
    assert edited["image"] != session["image"]
    (file,) = stored(settings)
    assert edited["image"].endswith(file.name)


REMOVALS: dict[str, Any] = {
    "null": lambda ada, path: ada.patch(path, {"image": None}),
    "an empty text": lambda ada, path: ada.patch(path, {"image": ""}),
    "without its session": lambda ada, path: ada.delete(path),
    "without its user": lambda ada, path: ada.user.delete(),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
def test_a_removed_picture_leaves_no_file(
    ada: Person, settings: Any, announced: Listen, remove: Any
) -> None:
    session = post(ada, data_url(picture())).json()
    with announced():
        remove(ada, f"/sessions/{session['id']}/")
    assert stored(settings) == []
    assert not Session.objects.exclude(image="").exists()


def test_a_repeated_session_has_a_picture_of_its_own(
    ada: Person, settings: Any, announced: Listen
) -> None:
    session = post(ada, data_url(picture())).json()
    copy = ada.post(f"/sessions/{session['id']}/repeat/").json()
    assert copy["image"] != session["image"]
    with announced():
        ada.delete(f"/sessions/{session['id']}/")
    (file,) = stored(settings)
    assert copy["image"].endswith(file.name)


def test_a_session_whose_picture_is_lost_can_be_repeated(ada: Person, settings: Any) -> None:
    session = post(ada, data_url(picture())).json()
    for file in stored(settings):
        file.unlink()
    copy = ada.post(f"/sessions/{session['id']}/repeat/")
    assert (copy.status_code, copy.json()["image"]) == (201, None)


# -- served --------------------------------------------------------------------------------------


def test_a_picture_is_served_so_that_it_can_do_nothing(ada: Person) -> None:
    url = post(ada, data_url(picture())).json()["image"]
    response = ada.api.get(url)
    assert response.status_code == 200
    assert response["Content-Type"] == "image/webp"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox")
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    with Image.open(BytesIO(b"".join(response))) as image:
        assert image.format == "WEBP"
    response.close()


def test_only_pictures_are_served_under_media(ada: Person) -> None:
    post(ada, data_url(picture()))
    for path in (
        *("sessions/none.webp", "", "sessions/", "../manage.py", "%2e%2e/manage.py"),
        *("..%2fmanage.py", "%00", "sessions/%00.webp", "//etc/passwd", "/etc/passwd"),
    ):
        response = ada.api.get(f"/media/{path}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path


def test_a_failed_request_leaves_no_file(
    ada: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(Turn, "record", fail)
    with pytest.raises(RuntimeError):
        services.create(by=ada.actor, title="W", duration=5, image=ContentFile(b"picture"))
    assert stored(settings) == []


# -- many at once --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_for_a_decoder_holds_no_connection_and_gets_429(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "SLOT_TIMEOUT_S", 0.01)
    connection.ensure_connection()
    with upload._slot(-1), upload._slot(-2):
        with pytest.raises(Busy):
            from_data_url(data_url(picture()))
        assert connection.connection is None, "others need it"
        answer = post(ada, data_url(picture()))
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Retry-After"] == "5"
    assert post(ada, data_url(picture())).status_code == 201, "the turn was given back"
