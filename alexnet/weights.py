"""Weights that were trained elsewhere, or by a run, put into the network of a config.

Files are read as numbers alone: nothing in them is ever called.
"""

import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from alexnet.caffemodel import BLOBS, CaffeModelError, read_caffemodel
from alexnet.config import Config, Conv, Dense, Network, Precision
from alexnet.model import AlexNet, skeleton
from alexnet.paths import expanded
from alexnet.precision import weight_type

NUMBERED = re.compile(r"(features|classifier)\.(\d+)\.(weight|bias)")
"""How torchvision calls them: by the numbers of modules."""

Source = str | os.PathLike[str] | Mapping[str, Any]


class WeightsError(ValueError):
    """Weights that are not those of a network; the message names the first that does not fit."""


def load_weights(config: Config, weights: Source, precision: Precision = "float32") -> AlexNet:
    """Return the network of a config with weights of some other origin, in evaluation mode.

    The layout is told from the names:

    - our own, such as ``features.conv1.weight``;
    - torchvision's, ``features.0.weight``, whose layers come in the same order as ours;
    - Caffe's, by layer: ``conv1.weight``, or ``conv1`` for both of a layer's blobs, as in pycaffe's
      ``net.params``. The first layer's channels are turned from Caffe's blue, green, red to ours,
      so that the network sees red first; its images are grey levels without their mean.

    Args:
        config: Such as ``preset("torchvision")`` or ``preset("caffe_alexnet")``.
        weights: Tensors or arrays by name, or a file: .safetensors; .pt or .pth, a state of
            PyTorch; .npz of NumPy; .caffemodel, which needs ``protobuf``.
        precision: Of which the weights will be: float64 for ``float64``, else float32.

    Raises:
        WeightsError: If a file cannot be read, or a name or a shape is not the network's.
    """
    found = weights if isinstance(weights, Mapping) else _read(expanded(weights))
    named = _in_our_names(config.network, found)
    return with_weights(config.network, named, precision).eval()


def with_weights(
    network: Network, weights: Mapping[str, Tensor], precision: Precision = "float32"
) -> AlexNet:
    """Return a network with weights by our names, on the CPU.

    Raises:
        WeightsError: If a name or a shape is not the network's.
    """
    built, kind = skeleton(network), weight_type(precision)
    shapes = {name: tuple(one.shape) for name, one in built.state_dict().items()}
    if missing := [name for name in shapes if name not in weights]:
        raise WeightsError(f"the weights have no {missing[0]}, which the network has")
    if unknown := [name for name in weights if name not in shapes]:
        raise WeightsError(f"the network has no {unknown[0]}, which the weights have")
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise WeightsError(
                f"{name} has the shape {tuple(weights[name].shape)}, and in the network {shape}"
            )
    own = {  # counts of batches stay integers
        name: one.to(kind) if one.is_floating_point() else one for name, one in weights.items()
    }
    built.load_state_dict(own, assign=True)
    return built.to(memory_format=torch.channels_last)


def _in_our_names(network: Network, weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return weights of any layout by our names."""
    if weights and all(NUMBERED.fullmatch(name) for name in weights):
        return _from_numbers(network, {name: _tensor(name, one) for name, one in weights.items()})
    own = {name for name in weights if name.startswith(("features.", "classifier."))}
    if weights and not own:
        return _from_caffe(network, weights)
    return {name: _tensor(name, one) for name, one in weights.items()}


def _from_numbers(network: Network, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return torchvision's weights by our names: the layers of both parts in their order."""
    found: dict[str, Tensor] = {}
    layers_of: dict[str, Sequence[Conv | Dense]] = {
        "features": network.convolutions,
        "classifier": network.classifier,
    }
    for part, layers in layers_of.items():
        matches = [match for name in weights if (match := NUMBERED.fullmatch(name))]
        numbers = sorted({int(match[2]) for match in matches if match[1] == part})
        if len(numbers) != len(layers):
            raise WeightsError(
                f"the weights have {len(numbers)} layers in {part}, and the network {len(layers)}"
            )
        for number, layer in zip(numbers, layers, strict=True):
            for role in ("weight", "bias"):
                if (name := f"{part}.{number}.{role}") not in weights:
                    raise WeightsError(f"the weights have no {name}, which the network has")
                found[f"{part}.{layer.name}.{role}"] = weights[name]
    return found


def _from_caffe(network: Network, weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return Caffe's weights by our names, the first layer's channels from red to blue."""
    blobs = dict(_blobs(weights))
    shapes = {name: one.shape for name, one in skeleton(network).state_dict().items()}
    known = {name.partition(".")[2]: name for name in shapes}
    found: dict[str, Tensor] = {}
    for name, values in blobs.items():
        if name not in known:
            raise WeightsError(f"the network has no {name}, which the weights have")
        # Caffe before 2014 wrote every blob with four axes, the first ones of length 1.
        axes = len(shapes[known[name]])
        while values.ndim > axes and values.shape[0] == 1:
            values = values[0]
        found[known[name]] = values
    first = known[f"{network.layers[0].name}.weight"]
    if network.convolutions and first in found and found[first].ndim == 4:
        found[first] = found[first].flip(1)
    return found


def _blobs(weights: Mapping[str, Any]) -> Sequence[tuple[str, Tensor]]:
    """Return Caffe's blobs by layer and role."""
    found = []
    for name, value in weights.items():
        if name.endswith(tuple(f".{role}" for role in BLOBS)):
            found.append((name, _tensor(name, value)))
            continue
        blobs = [] if isinstance(value, np.ndarray | Tensor) else list(value)
        if len(blobs) != len(BLOBS):
            raise WeightsError(f"{name} is not the weights and the biases of a layer; give both")
        for role, blob in zip(BLOBS, blobs, strict=True):
            found.append((f"{name}.{role}", _tensor(f"{name}.{role}", blob)))
    return found


def _tensor(name: str, value: Any) -> Tensor:
    """Return some numbers as a tensor on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    values = value.data if hasattr(value, "diff") else value  # a blob of pycaffe has both
    try:
        return torch.from_numpy(np.array(values))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{name} holds no numbers") from error


def _read(path: Path) -> Mapping[str, Any]:
    """Return the weights in a file.

    Raises:
        WeightsError: If it cannot be read, or holds anything but numbers by name.
    """
    if (reader := READERS.get(path.suffix.lower())) is None:
        known = ", ".join(READERS)
        raise WeightsError(f"{path} is no file of weights that can be read; use one of {known}")
    try:
        found = reader(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})") from error
    except CaffeModelError as error:
        raise WeightsError(str(error)) from error
    except UnpicklingError as error:
        raise WeightsError(
            f"{path} is damaged, or holds more than numbers, which is not safe to load; "
            "save model.state_dict() alone"
        ) from error
    except (SafetensorError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is cut short or damaged") from error
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise WeightsError(f"{path} holds no weights by name; save model.state_dict()")
    return found


def _state(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _arrays(path: Path) -> Any:
    with path.open("rb") as file:  # NumPy leaves it open where it is damaged
        arrays = np.load(file, allow_pickle=False)
        return dict(arrays) if isinstance(arrays, Mapping) else arrays


READERS: dict[str, Callable[[Path], Any]] = {
    ".safetensors": load_file,
    ".pt": _state,
    ".pth": _state,
    ".npz": _arrays,
    ".caffemodel": read_caffemodel,
}
