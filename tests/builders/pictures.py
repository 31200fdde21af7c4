"""Pictures as files of many kinds."""

import io
from pathlib import Path

from PIL import Image

from alexnet.data.prepare.files import File


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the bytes of an image's file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def stored(folder: Path, content: bytes, name: str = "picture") -> File:
    """Return a file with this content."""
    (folder / name).write_bytes(content)
    return File(name, str(folder / name), 0, len(content))
