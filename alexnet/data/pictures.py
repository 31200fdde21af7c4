"""From an image of any kind to a square of RGB pixels, as a viewer would show it."""

import io
import warnings
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alexnet.data.manifest import Fit
from alexnet.data.statistics import Pixels

LOSSLESS = ("PNG", "BMP", "PPM")
"""Formats, as Pillow names them, whose pixels are the same from every decoder."""
LOSSY = ("JPEG", "MPO", "GIF", "WEBP", "TIFF", "JPEG2000", "AVIF")
"""The other formats that are read; not those, such as EPS, that are programs to be run."""


UNREADABLE = {
    "HEIC": (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "SVG": (b"<svg", b"<?xml"),
    "a PDF": (b"%PDF",),
}
"""How formats begin that are images, and that not every Pillow reads."""


class UndecodableError(ValueError):
    """A file that shows no image; the message says why, in a few words."""


def opened(content: bytes) -> tuple[Image.Image, str | None]:
    """Return the image in a file's bytes, in mode L or RGB, upright and opaque, and its format.

    Transparent images are put on white; of animations the first is taken.

    Raises:
        UndecodableError: If they show no image.
    """
    with warnings.catch_warnings():
        # Pillow warns of what may be a bomb, and of what it cannot make out in metadata.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=_formats()) as image:
                return as_seen(image), image.format
        except (UndecodableError, MemoryError):
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise UndecodableError(f"more than {Image.MAX_IMAGE_PIXELS:,} pixels") from error
        except UnidentifiedImageError as error:
            raise UndecodableError(_unknown(content)) from error
        except Exception as error:  # Pillow's plugins raise all kinds on damaged files
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UndecodableError(f"damaged: {reason}") from error


def _unknown(content: bytes) -> str:
    """Return what a file is that Pillow does not know: an image of a format that it cannot read.

    >>> _unknown(b"    ftypheic" + bytes(8))
    'HEIC, which Pillow cannot read; save it as JPEG or PNG'
    """
    brand = content[8:12] if content[4:8] == b"ftyp" else content[:12]
    for name, brands in UNREADABLE.items():
        if brand.startswith(brands):
            return f"{name}, which Pillow cannot read; save it as JPEG or PNG"
    return "not an image"


@cache
def _formats() -> tuple[str, ...]:
    Image.init()  # some are not in every build of Pillow
    return tuple(name for name in LOSSLESS + LOSSY if name in Image.OPEN)


def as_seen(image: Image.Image) -> Image.Image:
    """Return the first picture of an opened file in mode L or RGB, upright and opaque.

    Raises:
        UndecodableError: If its pixels are numbers that nobody agrees how to see.
    """
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or _is_signed(image):
        image = _in_eight_bits(image)
    elif image.mode == "F":
        raise UndecodableError("pixels in floating point, which have no agreed grey levels")
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


BITS, PHOTOMETRIC, LOWEST, HIGHEST, KIND = 258, 262, 280, 281, 339
"""TIFF's tags: BitsPerSample, PhotometricInterpretation, Min- and MaxSampleValue, SampleFormat."""
UNSIGNED, SIGNED, WHITE_IS_ZERO = 1, 2, 0


def _tag(image: Image.Image, number: int) -> int | None:
    """Return the first value of a tag of a TIFF; None of another format, or without it."""
    tags = getattr(image, "tag_v2", {})
    value = tags.get(number)
    return int(value[0] if isinstance(value, tuple) else value) if value is not None else None


def _is_signed(image: Image.Image) -> bool:
    return _tag(image, KIND) == SIGNED


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return grey levels of another number of bits as a screen shows them: their upper eight.

    Raises:
        UndecodableError: If the file does not say which of its values is white.
    """
    levels = np.asarray(image)
    if _is_signed(image) and levels.dtype == np.uint8:
        levels = levels.view(np.int8)
    if _tag(image, KIND) in (None, UNSIGNED) and _tag(image, BITS) == 32:
        levels = levels.view(np.uint32)
    low, high = _range(image)
    shown = (np.clip(levels.astype(np.int64), low, high) - low) * 256 // (high - low + 1)
    if _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO:
        shown = 255 - shown
    return Image.fromarray(shown.astype(np.uint8))


def _range(image: Image.Image) -> tuple[int, int]:
    """Return the values of black and white.

    Those of PNG, PGM and JPEG 2000 come as 16 bits, whatever they were. A TIFF has as many as it
    says, unless its largest value is that of fewer bits: 12, of many cameras and scanners. Of
    signed and of 32-bit numbers, few use all there are.
    """
    bits = _tag(image, BITS)
    if bits is None:
        return 0, 65535
    low, high = _tag(image, LOWEST) or 0, _tag(image, HIGHEST)
    is_range = high is not None and high > 0 and high & (high + 1) == 0 and low in (0, -high - 1)
    if high is not None and is_range:
        return low, high
    if not _is_signed(image) and bits <= 16:
        return 0, 2**bits - 1
    kind = "signed " if _is_signed(image) else ""
    raise UndecodableError(
        f"{kind}grey levels of {bits} bits, and no MinSampleValue and MaxSampleValue (tags 280 and "
        "281) that say what is black and white"
    )


def square(image: Image.Image, fit: Fit) -> Pixels:
    """Return an image in mode L or RGB as uint8 (size, size, 3).

    Resizing is bilinear with a filter as wide as it shrinks (antialiased). What lies outside of the
    central square is never resized, so a strip of any length costs no more than a square.

    Raises:
        UndecodableError: If ``fit`` is ``own`` or ``frame`` and the image does not fit.
    """
    width, height = image.size
    size = (fit.size, fit.size)
    match fit.kind:
        case "own" if image.size != size:
            raise UndecodableError(f"{width} x {height} pixels, not {fit.size} x {fit.size}")
        case "frame":
            if max(image.size) > fit.size:
                raise UndecodableError(f"{width} x {height} pixels, more than {fit.size}")
            framed = Image.new(image.mode, size)
            framed.paste(image, ((fit.size - width) // 2, (fit.size - height) // 2))
            image = framed
        case "stretch":
            image = image.resize(size, Image.Resampling.BILINEAR)
        case "centre" if image.size != size:
            side = min(image.size)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            image = image.resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
