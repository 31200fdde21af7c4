"""Paths as people write them."""

import os
import shutil
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path in which ~ is the home folder; as it is where there is none.

    Where no shell has seen to it: after ``--results=``, in variables, in notebooks.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 pathlib's raises without a home folder


def free_bytes(path: Path) -> int:
    """Return how many bytes are free where a path is, or would be."""
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    return shutil.disk_usage(there).free
