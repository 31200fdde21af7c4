"""Models of Caffe: their bytes by the wire format of protobuf, and the text of bvlc_alexnet."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Blobs = Mapping[str, Sequence[NDArray[np.float32]]]
"""Weights and biases by layer, as pycaffe's ``net.params`` has them."""


def varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes(found) + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    """Return a field of a message: a number, or bytes with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob_of(values: NDArray[np.float32], old: bool) -> bytes:
    """Return a BlobProto, with four axes as before 2014 or with a shape."""
    data = field(5, values.astype("<f4").tobytes())
    if old:
        axes = (1,) * (4 - values.ndim) + values.shape
        return b"".join(field(1 + place, size) for place, size in enumerate(axes)) + data
    return field(7, field(1, b"".join(map(varint, values.shape)))) + data


def caffemodel(blobs: Blobs, old: bool) -> bytes:
    """Return a NetParameter, of V1LayerParameters if old, with a layer without weights between.

    Source:
        Caffe's src/caffe/proto/caffe.proto, and Protocol Buffers' encoding.
    """
    layers = []
    for name, several in blobs.items():
        kept = b"".join(field(6 if old else 7, blob_of(one, old)) for one in several)
        kind = (field(4, name.encode()), field(5, 4 if "conv" in name else 14))
        layers.append(b"".join(kind) + kept if old else field(1, name.encode()) + kept)
        relu = f"relu_{name}".encode()
        layers.append(field(4, relu) + field(5, 18) if old else field(1, relu))
    number = 2 if old else 100
    return field(1, b"AlexNet") + b"".join(field(number, layer) for layer in layers)
