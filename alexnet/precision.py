"""The types of numbers that a precision stands for.

``float32`` and ``bfloat16`` are for training: weights, loss and update are float32, and with
``bfloat16`` the layers compute in it. ``float64`` is for proofs: everything is float64, and what is
drawn is drawn in it, so that two processors differ by their last digits alone.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from alexnet.config import Precision


def arithmetic(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Return the context in which layers compute in ``precision`` on a type of device."""
    return torch.autocast(device, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def image_type(precision: Precision) -> torch.dtype:
    """Return the type of images: that which the first layer would round them to anyway."""
    return {
        "bfloat16": torch.bfloat16,
        "float32": torch.float32,
        "float64": torch.float64,
    }[precision]


def weight_type(precision: Precision) -> torch.dtype:
    """Return the type of weights, scores, losses and updates."""
    return wide(image_type(precision))


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return a type that sums of that type are computed in: float32, or float64 of float64."""
    return torch.promote_types(dtype, torch.float32)


def widened(values: Tensor) -> Tensor:
    """Return values in a type that they can be summed in; see `wide`."""
    return values.to(wide(values.dtype))
