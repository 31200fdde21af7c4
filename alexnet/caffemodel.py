"""Caffe's files of trained weights, read through Google's protobuf."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOBS = ("weight", "bias")
"""What the two blobs of a layer are."""


class CaffeModelError(ValueError):
    """A file that is no model of Caffe, or cannot be read here; the message says which."""


def read_caffemodel(path: Path) -> dict[str, NDArray[np.floating]]:
    """Return the weights in a .caffemodel by layer and role, such as ``conv1.weight``.

    Layers without weights are left out. Channels are as Caffe has them: blue, green, red.

    Raises:
        CaffeModelError: If it is no such file, or protobuf is not installed.
        OSError: If it cannot be read.
    """
    found: dict[str, NDArray[np.floating]] = {}
    for layer in _layers(path):
        if not layer.blobs:
            continue
        if len(layer.blobs) != len(BLOBS):
            raise CaffeModelError(
                f"layer {layer.name} of {path} has {len(layer.blobs)} blobs, not weights and biases"
            )
        for role, blob in zip(BLOBS, layer.blobs, strict=True):
            found[f"{layer.name}.{role}"] = _array(blob, f"{layer.name}.{role} of {path}")
    if not found:
        raise CaffeModelError(f"{path} has no layer with weights")
    return found


class _Field(NamedTuple):
    """A field of a message: its number in caffe.proto, its type, whether there are several."""

    name: str
    number: int
    kind: str  # int, text, numbers, or the name of a message
    repeated: bool = False


FORMAT = {
    "BlobShape": (_Field("dim", 1, "int", repeated=True),),
    "BlobProto": (
        _Field("num", 1, "int"), _Field("channels", 2, "int"), _Field("height", 3, "int"),
        _Field("width", 4, "int"), _Field("data", 5, "numbers"), _Field("shape", 7, "BlobShape"),
        _Field("double_data", 8, "numbers"),
    ),
    "V1LayerParameter": (_Field("name", 4, "text"), _Field("blobs", 6, "BlobProto", repeated=True)),
    "LayerParameter": (_Field("name", 1, "text"), _Field("blobs", 7, "BlobProto", repeated=True)),
    "NetParameter": (
        _Field("layers", 2, "V1LayerParameter", repeated=True),  # until 2014, as bvlc_alexnet
        _Field("layer", 100, "LayerParameter", repeated=True),
    ),
}  # fmt: skip
"""The part of caffe.proto [src/caffe/proto/caffe.proto] that holds weights.

Packed numbers are read as the bytes that they are: 61 million of them one by one take minutes.
"""


@cache
def _message() -> Any:
    """Return the class of a whole model.

    Raises:
        CaffeModelError: If protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise CaffeModelError(
            "a .caffemodel is read by protobuf, which is not installed; pip install protobuf"
        ) from error
    file = descriptor_pb2.FileDescriptorProto(name="caffe_weights.proto", package="caffe_weights")
    kinds = descriptor_pb2.FieldDescriptorProto
    plain = {"int": kinds.TYPE_INT64, "text": kinds.TYPE_STRING, "numbers": kinds.TYPE_BYTES}
    for name, fields in FORMAT.items():
        message = file.message_type.add(name=name)
        for field in fields:
            message.field.add(
                name=field.name,
                number=field.number,
                type=plain.get(field.kind, kinds.TYPE_MESSAGE),
                type_name=None if field.kind in plain else f".caffe_weights.{field.kind}",
                label=kinds.LABEL_REPEATED if field.repeated else kinds.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe_weights.NetParameter"))


def _layers(path: Path) -> list[Any]:
    message = _message()
    from google.protobuf.message import DecodeError

    try:
        model = message.FromString(path.read_bytes())
    except DecodeError as error:
        raise CaffeModelError(f"{path} is cut short, or no model of Caffe") from error
    return [*model.layers, *model.layer]


def _array(blob: Any, name: str) -> NDArray[np.floating]:
    """Return the numbers of a blob in its shape; before 2014 it had four axes, always."""
    values = np.frombuffer(blob.double_data, "<f8") if blob.double_data else None
    values = np.frombuffer(blob.data, "<f4") if values is None else values
    old = (blob.num, blob.channels, blob.height, blob.width)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else old
    if len(values) != np.prod(shape):
        raise CaffeModelError(f"{name} has {len(values)} numbers, not those of {shape}")
    return values.reshape(shape)
