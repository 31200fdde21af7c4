"""From a file of a source to its image, and what is known of it before its pixels are wanted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from alexnet.data.digests import digest_of
from alexnet.data.manifest import Fit
from alexnet.data.pictures import LOSSLESS, UndecodableError, opened
from alexnet.data.prepare.files import LARGEST, File

JPEG = b"\xff\xd8\xff"


def decoded(file: File) -> tuple[Image.Image, str]:
    """Return an image in mode L or RGB, turned as it should be seen, and its digest.

    The digest is of the pixels where the file is lossless, else of its bytes, since decoders may
    differ in a grey level. Transparent images are put on white; of animations the first is taken.

    Raises:
        UndecodableError: If it shows no image.
    """
    content = _content(file)
    if file.shape is not None:
        image = Image.fromarray(np.frombuffer(content, np.uint8).reshape(file.shape))
        return image, _pixel_digest(image)
    image, kind = opened(content)
    return image, _pixel_digest(image) if kind in LOSSLESS else digest_of(content)


def _content(file: File) -> bytes:
    """Return a file's bytes, of which there are some."""
    if file.size > LARGEST:
        raise UndecodableError(f"larger than {LARGEST >> 20} MiB")
    try:
        content = file.read()
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UndecodableError(f"cannot be read: {error.strerror}") from error
    except OSError as error:
        if error.errno is not None:  # a disk that fails is no reason to leave an image out
            raise
        raise UndecodableError(f"cannot be read: {error}") from error
    if not content:
        raise UndecodableError("empty")
    return content


def _pixel_digest(image: Image.Image) -> str:
    """Return the digest of an image's pixels, row by row: one byte each if grey, else three."""
    return digest_of(image.tobytes())


class Examined(NamedTuple):
    """What is known of a file before its pixels are wanted."""

    digest: str  # empty if it cannot be used
    size: tuple[int, int] | None = None  # width and height, pixels, if they were asked for
    reason: str = ""  # why it cannot be used


def examined(file: File, sizes: bool) -> Examined:
    """Return a file's digest and, if asked for, the size of its image.

    All but JPEG is decoded, since of a lossless file the pixels are digested.
    """
    try:
        if not sizes and file.shape is None and file.size <= LARGEST:
            content = _content(file)
            if content.startswith(JPEG):
                return Examined(digest_of(content))
        image, digest = decoded(file)
        return Examined(digest, image.size)
    except UndecodableError as error:
        return Examined("", reason=str(error))


def common_fit(sizes: Sequence[tuple[int, int]]) -> Fit:
    """Return the fit that suits a person's own images: their own size if it is one small square.

    Anything else is brought to the paper's 256 pixels.
    """
    if len(set(sizes)) == 1 and sizes[0][0] == sizes[0][1] <= 64:
        return Fit(kind="own", size=sizes[0][0])
    return Fit(kind="centre", size=256)
