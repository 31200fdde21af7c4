"""An offline file of Weights & Biases, read: their client has no reader of its own any more."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32_768
"""Bytes; a log of LevelDB is cut into such blocks, and no header lies across two."""
HEADER = struct.Struct("<IHB")
"""Of a piece: its checksum, length and kind."""
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def pieces(content: bytes) -> Iterator[bytes]:
    """Yield what a file of theirs holds, record by record, as LevelDB's log format says."""
    assert content[:4] == b":W&B"
    place, held = 7, b""  # behind the file's own header
    while place + HEADER.size <= len(content):
        if BLOCK - place % BLOCK < HEADER.size:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(content, place)
        start = place + HEADER.size
        held += content[start : start + length]
        place = start + length
        if kind in (WHOLE, LAST):
            yield held
            held = b""
        else:
            assert kind in (FIRST, MIDDLE)


def records_in(path: Path) -> list[Any]:
    """Return the records of an offline file, in their own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    return [Record.FromString(piece) for piece in pieces(path.read_bytes())]
