"""Every use of chance has a name, so that arms of one seed share all that they can."""

import hashlib
from collections.abc import Collection

from alexnet.config import Stream


def derive(seed: int, *names: object) -> int:
    """Return the seed of one named use of chance; equal names, equal seeds, on every machine.

    The last 63 bits are kept, which is what every generator accepts.

    >>> derive(3, "init", "conv1") == derive(3, "init", "conv1") != derive(3, "init", "conv2")
    True
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream_seed(seed: int, pinned: Collection[Stream], stream: Stream, *names: object) -> int:
    """Return the seed of a stream of a run; a pinned stream is that of seed 0 in every run."""
    return derive(0 if stream in pinned else seed, stream, *names)
