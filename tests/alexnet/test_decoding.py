"""Every kind of file that people keep pictures in, against worked-out pixels and other resizers."""

import hashlib
import io
import re
import resource
import struct
import sys
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from torchvision.transforms.v2 import functional

from alexnet.data.digests import digest_of
from alexnet.data.manifest import Fit
from alexnet.data.pictures import UndecodableError, square
from alexnet.data.prepare.decoding import common_fit, decoded, examined
from alexnet.data.prepare.files import LARGEST, File
from tests.builders.pictures import saved, stored

Bytes = NDArray[np.uint8]
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """Return a PNG put together by its specification; ``rows`` begin with their filter's byte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + pixels


def array(*values: object, kind: type = np.uint8) -> Image.Image:
    """Return an image of one row with these pixels."""
    return Image.fromarray(np.array([values], kind))


def palette() -> Image.Image:
    """Return three pixels: red, blue, red."""
    image = array(0, 1, 0).convert("P")
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1, 0])
    return image


TWO = {"save_all": True, "append_images": [array(BLUE)]}
PINK = (255, 204, 204)  # a fifth of red and four of white: 255 - (255 - c) / 5
MASKED = Image.merge("LA", (array(100, 3), array(51, 0)))
ALPHA = array((200, 100, 0, 51), (9, 9, 9, 0), (1, 2, 3, 255))
FILES = {
    "grey": (saved(array(0, 7, 255), "PNG"), [0, 7, 255]),
    "one bit": (saved(array(0, 255).convert("1"), "PNG"), [0, 255]),
    "palette": (saved(palette(), "PNG"), [RED, BLUE, RED]),
    "no blue": (saved(palette(), "PNG", transparency=1), [RED, WHITE, RED]),
    "little red": (saved(palette(), "PNG", transparency=b"\x33\xff"), [PINK, BLUE, PINK]),
    "alpha": (saved(ALPHA, "PNG"), [(244, 224, 204), WHITE, (1, 2, 3)]),
    "grey with alpha": (saved(MASKED, "PNG"), [(224, 224, 224), WHITE]),
    "a transparent colour": (saved(array(RED, BLUE), "PNG", transparency=RED), [WHITE, BLUE]),
    "a transparent grey": (saved(array(3, 4), "PNG", transparency=3), [WHITE, (4, 4, 4)]),
    "16 bits": (saved(array(0, 255, 256, 65535, kind=np.uint16), "PNG"), [0, 0, 1, 255]),
    "16 bits of RGB": (png(1, 1, 16, 2, b"\0\xff\xff\1\0\0\xff"), [(255, 1, 0)]),
    "16 bits of TIFF": (saved(array(511, 512, kind=np.uint16), "TIFF"), [1, 2]),
    "PPM": (b"P6 2 1 255\n" + bytes([*RED, *BLUE]), [RED, BLUE]),
    "BMP": (saved(array(RED, BLUE), "BMP"), [RED, BLUE]),
    "GIF": (saved(array(RED), "GIF", **TWO), [RED]),
    "animated PNG": (saved(array(RED), "PNG", **TWO), [RED]),
    "animated WebP": (saved(array(RED), "WEBP", lossless=True, **TWO), [RED]),
}


def pixel_digest(pixels: np.ndarray) -> str:
    """Return the digest of grey levels (h, w) or colours (h, w, 3), row by row."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


@pytest.mark.parametrize(("content", "pixels"), FILES.values(), ids=FILES)
def test_a_file_shows_what_a_viewer_shows(content: bytes, pixels: object, tmp_path: Path) -> None:
    """Opaque, of 8 bits, grey or RGB, the first picture; whatever its name says."""
    image, _ = decoded(stored(tmp_path, content, "named.jpg"))

    assert np.asarray(image).tolist() == np.array([pixels]).tolist()
    assert image.mode == ("L" if np.ndim(pixels) == 1 else "RGB")


@pytest.mark.parametrize(
    ("mode", "colour"),
    [("L", 99), ("RGB", (200, 30, 60)), ("CMYK", (0, 255, 255, 0)), ("CMYK", (255, 0, 0, 128))],
)
def test_a_jpeg_of_any_mode_shows_its_colour(mode: str, colour: object, tmp_path: Path) -> None:
    """Ink takes from white: RGB is (255 - ink) (255 - black) / 255, as screens show it."""
    content = saved(Image.new(mode, (16, 16), colour), "JPEG", quality=100)
    inks = np.array(colour, float)
    expected = (255 - inks[:3]) * (255 - inks[3]) / 255 if mode == "CMYK" else inks

    image, _ = decoded(stored(tmp_path, content))

    assert np.abs(np.asarray(image) - expected).max() <= 2


TURNED = {
    1: ["123", "456"], 2: ["321", "654"], 3: ["654", "321"], 4: ["456", "123"],
    5: ["14", "25", "36"], 6: ["41", "52", "63"], 7: ["63", "52", "41"], 8: ["36", "25", "14"],
}  # fmt: skip
"""How a picture of two rows of three squares should be seen, by where EXIF says its row 0 is."""


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_as_its_camera_was(orientation: int, kind: str, tmp_path: Path) -> None:
    """Worked out from EXIF's table, in every format that has it."""
    levels, expected = (
        np.kron([[int(one) * 40 for one in row] for row in TURNED[number]], np.ones((8, 8)))
        for number in (1, orientation)
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(levels.astype(np.uint8)), kind, exif=exif)

    shown, _ = decoded(stored(tmp_path, content))

    assert shown.size == expected.shape[::-1]
    assert np.abs(np.asarray(shown.convert("L")) - expected).max() <= 8


ENTRY = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01"  # one value follows: the orientation
EXIF = {
    "none": b"Exif\0\0",
    "nonsense": b"Exif\0\0nonsense",
    "far": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "cut": ENTRY,
    "text": ENTRY + b"\x02\0\x03\0\0\0ab\0\0\0\0\0\0",
    "no values": ENTRY + b"\x03\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "the 99th": ENTRY + b"\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    "a fraction far away": ENTRY + b"\x05\0\x01\0\0\0\xff\xff\0\0\0\0\0\0",
}


@pytest.mark.parametrize("exif", EXIF.values(), ids=EXIF)
def test_damaged_metadata_do_not_lose_a_picture(exif: bytes, tmp_path: Path) -> None:
    """It is shown as it is stored."""
    image = Image.fromarray(NOISE)

    shown, _ = decoded(stored(tmp_path, saved(image, "JPEG", exif=exif)))

    assert shown.tobytes() == Image.open(io.BytesIO(saved(image, "JPEG"))).tobytes()


def refused() -> dict[str, tuple[bytes, str]]:
    """Return files that show nothing, and why."""
    jpeg, lossless = (saved(Image.fromarray(NOISE), kind) for kind in ("JPEG", "PNG"))
    notes = PngImagePlugin.PngInfo()
    notes.add_text("bomb", "0" * 2**23, zip=True)
    return {
        "nothing": (b"", "^empty$"),
        "text": (b"a cat, a dog", "^not an image$"),
        "JPEG cut": (jpeg[: len(jpeg) // 2], "^damaged: .*truncated"),
        "PNG cut": (lossless[: len(lossless) // 2], "^damaged: .*truncated"),
        "head of a JPEG": (jpeg[:3], "^(not an image|damaged)"),
        "head of a PNG": (lossless[:8], "^(not an image|damaged)"),
        "floating point": (saved(array(0.5, kind=np.float32), "TIFF"), "floating point"),
        "announced": (png(30_000, 30_000, 8, 2, b""), "^more than 89,478,485 pixels"),
        "many": (png(9600, 9600, 1, 0, bytes(1201 * 9600)), "^more than 89,478,485 pixels"),
        "words": (saved(Image.fromarray(NOISE), "PNG", pnginfo=notes), "^damaged"),
    }


@pytest.mark.parametrize(("content", "reason"), refused().values(), ids=refused())
def test_what_shows_nothing_says_why(content: bytes, reason: str, tmp_path: Path) -> None:
    """And is never decoded into memory that a machine has not got."""
    file = stored(tmp_path, content, "picture.jpg")

    with pytest.raises(UndecodableError, match=reason) as refusal:
        decoded(file)
    assert examined(file, sizes=True) == ("", None, str(refusal.value))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A link to nothing, a folder, one that has become shorter; one too large is not opened."""
    (tmp_path / "link").symlink_to("nowhere")
    whole = stored(tmp_path, b"abc", "short")
    files = {
        "^cannot be read: No such file": File("link", str(tmp_path / "link"), 0, 7),
        "^cannot be read: Is a directory": File("folder", str(tmp_path), 0, 7),
        "^cannot be read: ends after 3 of [49] bytes": whole._replace(size=9),
        "^larger than 256 MiB": File("large", "never opened", 0, LARGEST + 1),
    }

    for reason, file in files.items():
        with pytest.raises(UndecodableError, match=reason):
            decoded(file)
        for sizes in (True, False):
            found = examined(file, sizes)
            assert re.search(reason, found.reason)
            assert not found.digest


def test_lossless_pictures_are_digested_by_their_pixels(tmp_path: Path) -> None:
    """So that recompressed copies are one; grey ones by one channel, turned ones as seen."""
    colour, grey = Image.fromarray(NOISE), Image.fromarray(NOISE[..., 0])
    exif = Image.Exif()
    exif[0x0112] = 3
    for image in (colour, grey):
        back = image.transpose(Image.Transpose.ROTATE_180)
        contents = [
            saved(image, "PNG", compress_level=0),
            saved(image, "PNG", compress_level=9),
            saved(back, "PNG", exif=exif),
            saved(image, "BMP"),
            saved(image, "PPM"),
        ]
        for number, content in enumerate(contents):
            file = stored(tmp_path, content, str(number))

            found = [decoded(file)[1], *(examined(file, sizes).digest for sizes in (True, False))]

            assert found == [pixel_digest(np.asarray(image))] * 3


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "TIFF"])
def test_other_pictures_are_digested_by_their_bytes(kind: str, tmp_path: Path) -> None:
    """Since decoders differ; whether or not their size is asked for."""
    content = saved(Image.fromarray(NOISE), kind)
    file = stored(tmp_path, content)

    assert decoded(file)[1] == digest_of(content)
    assert examined(file, sizes=False).digest == digest_of(content)
    assert examined(file, sizes=True) == (digest_of(content), (120, 90), "")


@pytest.mark.parametrize("shape", [(90, 120, 3), (90, 120)])
def test_raw_pixels_are_taken_as_they_are(shape: tuple[int, ...], tmp_path: Path) -> None:
    """As Parquet's and IDX's spool has them."""
    pixels = NOISE[..., : shape[2]] if len(shape) == 3 else NOISE[..., 0]
    file = stored(tmp_path, pixels.tobytes())._replace(shape=shape)

    image, digest = decoded(file)

    assert np.array_equal(np.asarray(image), pixels)
    assert digest == pixel_digest(pixels)
    assert examined(file, sizes=False) == (digest, (120, 90), "")


MUTATED = {
    kind: saved(Image.fromarray(NOISE[:24, :32]), kind)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")
}


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(sorted(MUTATED)),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
    st.integers(0, 3000),
)
def test_damaged_files_are_shown_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever bytes change and wherever it ends, nothing else is raised."""
    content = bytearray(MUTATED[kind])
    for place, value in changes:
        content[place % len(content)] = value
    file = stored(tmp_path_factory.getbasetemp(), bytes(content[: max(cut, 1)]), "mutated")

    for sizes in (True, False):
        found = examined(file, sizes)
        assert bool(found.digest) != bool(found.reason)
    try:
        shown, _ = decoded(file)
    except UndecodableError:
        return
    assert shown.mode in ("L", "RGB")


@pytest.mark.parametrize(
    ("size", "side"), [((120, 60), 32), ((60, 120), 32), ((90, 30), 10), ((16, 48), 64)]
)
def test_the_centre_is_torchvisions(size: tuple[int, int], side: int) -> None:
    """Its Resize and CenterCrop, where the longer side comes to whole and even pixels."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    bilinear = functional.InterpolationMode.BILINEAR
    whole = functional.resize(image, [side], interpolation=bilinear, antialias=True)

    ours = square(image, Fit(kind="centre", size=side))

    theirs = np.asarray(functional.center_crop(whole, [side]))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def weights(size: int, side: int, cut: float) -> NDArray[np.float64]:
    """Return how much each pixel of a row counts for each of ``side``, less ``cut`` at each end."""
    scale = (size - 2 * cut) / side
    centres = cut + (np.arange(side) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centres[:, None]) / max(scale, 1)
    shares = np.clip(1 - distances, 0, None)
    return shares / shares.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", ["centre", "stretch"])
@pytest.mark.parametrize("size", [(97, 61), (61, 98), (33, 20), (50, 50), (1, 31)])
def test_squares_are_weighed_as_the_filter_says(
    size: tuple[int, int], kind: Literal["centre", "stretch"]
) -> None:
    """In NumPy and floating point, shrunk or grown; Pillow rounds twice, to a level in all."""
    width, height = size
    pixels = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    cuts = [(n - min(size)) / 2 if kind == "centre" else 0 for n in (height, width)]
    down, across = (weights(n, 40, cut) for n, cut in zip((height, width), cuts, strict=True))
    expected = np.einsum("yh,xw,hwc->yxc", down, across, pixels)

    ours = square(Image.fromarray(pixels), Fit(kind=kind, size=40))

    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("kind", ["own", "centre", "stretch", "frame"])
def test_an_image_of_the_size_is_untouched(
    kind: Literal["own", "centre", "stretch", "frame"],
) -> None:
    """In colour and in grey, which is three equal channels."""
    grey = np.stack([NOISE[:60, :60, 0]] * 3, axis=-1)
    for pixels in (NOISE[:60, :60], grey):
        image = Image.fromarray(pixels).convert("L" if pixels is grey else "RGB")

        assert np.array_equal(square(image, Fit(kind=kind, size=60)), pixels)


def test_a_frame_is_black_and_even() -> None:
    """Three by two pixels in a square of six: a pixel at the left, two above and below."""
    pixels = np.arange(10, 28, dtype=np.uint8).reshape(2, 3, 3)
    expected = np.zeros((6, 6, 3), np.uint8)
    expected[2:4, 1:4] = pixels

    assert np.array_equal(square(Image.fromarray(pixels), Fit(kind="frame", size=6)), expected)


@pytest.mark.parametrize("size", [(33, 32), (32, 31), (16, 16)])
def test_images_of_another_size_than_their_own_are_refused(size: tuple[int, int]) -> None:
    """With both sizes; larger ones have no room in a frame."""
    image = Image.new("RGB", size)
    with pytest.raises(UndecodableError, match=f"{size[0]} x {size[1]} pixels, not 32 x 32"):
        square(image, Fit(kind="own", size=32))
    with pytest.raises(UndecodableError, match="pixels, more than 15"):
        square(image, Fit(kind="frame", size=15))


@pytest.mark.parametrize("size", [(1, 65_000), (65_000, 1)])
def test_a_strip_costs_no_more_than_a_square(size: tuple[int, int], tmp_path: Path) -> None:
    """Resized whole, it would be 256 by 16,640,000 pixels, of 4 GB; its middle is what is seen."""
    pixels = np.zeros(size[::-1], np.uint8)
    pixels.flat[32_490:32_510] = 77
    file = stored(tmp_path, saved(Image.fromarray(pixels), "PNG"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = square(decoded(file)[0], Fit(kind="centre", size=256))

    assert (found == 77).all()
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken * (1 if sys.platform == "darwin" else 1024) < 2**28


@pytest.mark.parametrize(
    ("sizes", "fit"),
    [
        ([(28, 28)] * 3, Fit(kind="own", size=28)),
        ([(64, 64)], Fit(kind="own", size=64)),
        ([(65, 65)] * 3, Fit(kind="centre", size=256)),
        ([(32, 32), (32, 33)], Fit(kind="centre", size=256)),
        ([(32, 16)] * 3, Fit(kind="centre", size=256)),
        ([], Fit(kind="centre", size=256)),
    ],
)
def test_small_squares_keep_their_size(sizes: list[tuple[int, int]], fit: Fit) -> None:
    """If all are alike, up to 64 pixels; all else comes to the paper's 256."""
    assert common_fit(sizes) == fit


def tiff(bits: int, kind: int | None, levels: bytes, **tags: int) -> bytes:
    """Return a grey TIFF of 2 x 2 pixels, entry by entry as the standard has them.

    Args:
        bits: BitsPerSample.
        kind: SampleFormat: 1 unsigned, 2 signed; None leaves it out.
        levels: The pixels, little end first, rows of whole bytes.
        tags: ``photometric``, ``lowest``, ``highest`` in place of what is usual, or nothing.
    """
    photometric = tags.get("photometric", 1)
    entries = [
        (256, 2), (257, 2), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1),
        (278, 2), (279, len(levels)),
    ]  # fmt: skip
    if "lowest" in tags:
        entries.append((280, tags["lowest"]))
    if "highest" in tags:
        entries.append((281, tags["highest"]))
    if kind is not None:
        entries.append((339, kind))
    body = struct.pack("<H", len(entries))
    for tag, value in entries:
        body += struct.pack("<HHIHH", tag, 3, 1, value & 0xFFFF, 0)
    return b"II*\0" + struct.pack("<I", 8 + len(levels)) + levels + body + struct.pack("<I", 0)


GREY_LEVELS = {
    "16 bits": (tiff(16, 1, struct.pack("<4H", 0, 256, 32768, 65535)), [0, 1, 128, 255]),
    "16 bits, unsaid": (tiff(16, None, struct.pack("<4H", 0, 255, 257, 65280)), [0, 0, 1, 255]),
    "white is zero": (
        tiff(16, 1, struct.pack("<4H", 0, 256, 32768, 65535), photometric=0),
        [255, 254, 127, 0],
    ),
    "12 bits packed": (
        tiff(12, 1, bytes([0x00, 0x08, 0x00, 0xFF, 0xFF, 0xFF])),
        [0, 128, 255, 255],
    ),
    "12 bits in 16": (
        tiff(16, 1, struct.pack("<4H", 0, 16, 2048, 4095), highest=4095),
        [0, 1, 128, 255],
    ),
    "the largest there happens to be": (  # a statistic, and no range
        tiff(16, 1, struct.pack("<4H", 0, 256, 2048, 4000), highest=4000),
        [0, 1, 8, 15],
    ),
    "8 bits in 32": (
        tiff(32, 1, struct.pack("<4I", 0, 1, 128, 255), highest=255),
        [0, 1, 128, 255],
    ),
    "signed 16, none below zero": (
        tiff(16, 2, struct.pack("<4h", 0, 128, 16384, 32767), lowest=0, highest=32767),
        [0, 1, 128, 255],
    ),
}


@pytest.mark.parametrize(("content", "expected"), GREY_LEVELS.values(), ids=GREY_LEVELS)
def test_grey_levels_are_as_bright_as_the_file_says(
    content: bytes, expected: list[int], tmp_path: Path
) -> None:
    """The upper eight of as many bits as are in use; none turns black."""
    image, _ = decoded(stored(tmp_path, content))

    assert np.asarray(image).ravel().tolist() == expected


@pytest.mark.parametrize(
    "content",
    [
        tiff(16, 2, struct.pack("<4h", -32768, -1, 0, 32767)),
        tiff(8, 2, struct.pack("<4b", -128, -1, 0, 127)),
        tiff(32, 2, struct.pack("<4i", 0, 1, 128, 255)),
        tiff(32, 1, struct.pack("<4I", 0, 1, 128, 255)),
        tiff(32, 1, struct.pack("<4I", 0, 1, 128, 200), highest=200),
    ],
)
def test_grey_levels_without_a_range_are_refused(content: bytes, tmp_path: Path) -> None:
    """Guessed wrong, an image would be black, or twice as bright."""
    with pytest.raises(UndecodableError, match="that say what is black and white"):
        decoded(stored(tmp_path, content))


def test_a_signed_byte_is_no_bright_one(tmp_path: Path) -> None:
    """-128 is black where the file says so, and not as bright as 128."""
    levels = struct.pack("<4b", -128, -1, 0, 127)
    body = tiff(8, 2, levels, lowest=0, highest=127)

    image, _ = decoded(stored(tmp_path, body))

    assert np.asarray(image).ravel().tolist() == [0, 0, 0, 254]
