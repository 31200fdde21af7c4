"""Files of ours, which carry a digest of their own content: what was cut or edited is noticed.

A digest is no signature: who edits a file and computes it anew is not found out. It is there for
what happens to files: disks and copies that fail, editors, and programs that merge.
"""

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from alexnet.config.base import canonical
from alexnet.data.digests import digest_of
from alexnet.text import holds_control

SEAL = "sha256"
"""The name of the digest, beside what it is of."""
LARGE = re.compile(rb"[eE]\+?\d{2}|\d{100}")
"""How JSON writes numbers that may be none: 1e999 is read as infinite."""
LARGEST = 256 * 2**20
"""Bytes that a file of ours has at most: a record of a thousand epochs has a hundredth of it."""


class SealError(ValueError):
    """A file that is not as this program left it; the message says in a few words what it is."""


def seal_of(content: dict[str, Any]) -> str:
    """Return the digest of what a JSON file says, however it is written.

    >>> seal_of({"a": 1, "b": 2.0}) == seal_of({"b": 2.0, "a": 1})
    True
    """
    return digest_of(canonical(content).encode())


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return content with its digest."""
    return content | {SEAL: seal_of(content)}


def sealed_text(content: dict[str, Any]) -> str:
    """Return content with its digest as the text of a file."""
    return json.dumps(sealed(content), indent=1, allow_nan=False) + "\n"


def read_sealed(path: Path) -> dict[str, Any]:
    """Return what a sealed JSON file says, without its digest.

    Raises:
        SealError: If it is no file, too large, no JSON object, or not as it was written.
        OSError: If it cannot be read.
    """
    return unsealed(parsed(read_bytes(path)))


def unsealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return content without its digest.

    Raises:
        SealError: If it has none, or that of another content.
    """
    inside = {name: value for name, value in content.items() if name != SEAL}
    if SEAL not in content:
        raise SealError("has no digest of its content")
    if content[SEAL] != seal_of(inside):
        raise SealError("was edited after it was written")
    return inside


def parsed(content: bytes) -> dict[str, Any]:
    """Return the JSON object in some bytes, whose numbers are finite.

    Raises:
        SealError: If there is none.
    """
    try:
        found = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise SealError("is cut short or not JSON") from error
    if not isinstance(found, dict):
        raise SealError("is not a JSON object")
    if LARGE.search(content) and not _is_finite(found):
        raise SealError("holds a number that is not finite")
    if holds_control(content, found):
        raise SealError("holds control characters")
    return found


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_finite, inside))


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """Return the content of a regular file.

    A folder, a pipe or a device in its place, or behind a link, is refused before it is opened:
    reading a pipe waits for ever.

    Raises:
        SealError: If it is none, or larger than ``largest`` bytes.
        OSError: If it cannot be read.
    """
    about = refuse_irregular(path)
    if about.st_size > largest:
        raise SealError(f"has {about.st_size >> 20} MiB, more than any file of ours")
    # A pipe that is put there in between keeps nobody waiting either.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        return file.read(largest)


def refuse_irregular(path: Path) -> os.stat_result:
    """Refuse what is no regular file; return what the system knows of one that is.

    Raises:
        SealError: If it is a folder, a pipe or a device, or a link to one.
        OSError: If there is nothing.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise SealError(f"is {_kind(about.st_mode)}, not a file")
    return about


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe"}
    return next((name for is_one, name in kinds.items() if is_one(mode)), "a device")
