"""All that decides a training run, and the one place from which others take these values.

Networks are described in `network` and `parts`, inputs and training in `training`.
"""

from functools import cached_property
from typing import Literal, Self

from pydantic import model_validator

from alexnet.config.base import Fraction, Frozen, added_field, canonical
from alexnet.config.network import Conv, Dense, FanIn, Init, Maps, Network, Normal
from alexnet.config.parts import (
    ACTIVATIONS,
    LRN,
    BatchNorm,
    Custom,
    Dropout,
    Elu,
    Gelu,
    LeakyRelu,
    MapNorm,
    Part,
    Pool,
    Relu,
    Silu,
    Tanh,
)
from alexnet.config.training import (
    Adam,
    AreaCrops,
    ChannelMeans,
    Constant,
    Drops,
    Exponential,
    GiveUp,
    Inputs,
    LayerRate,
    MeanImage,
    MomentumSGD,
    Offsets,
    PcaColour,
    Plateau,
    Schedule,
    Steps,
    Training,
    Until,
)

EDITION = 1
"""Goes up when the mathematics of training changes: a formula, a default, a draw."""

Stream = Literal["init", "order", "crop", "flip", "colour", "dropout"]
Precision = Literal["float32", "bfloat16", "float64"]


class Config(Frozen):
    """All that decides a training run, but for its seed and its images."""

    network: Network
    inputs: Inputs = Inputs()
    training: Training
    pinned: tuple[Stream, ...] = ()  # streams of chance that follow seed 0 in every run

    @cached_property
    def canonical(self) -> str:
        """JSON that is the same for the same config; see `alexnet.config.base.canonical`."""
        return canonical(self.model_dump(mode="json"))

    def __hash__(self) -> int:
        """Let what is computed of a config be kept by it."""
        return hash(self.canonical)

    @model_validator(mode="after")
    def _names_its_own_layers(self) -> Self:
        known = {layer.name for layer in self.network.layers}
        named = {one.layer: "layer_rates" for one in self.training.layer_rates}
        optimizer = self.training.optimizer
        if isinstance(optimizer, MomentumSGD) and isinstance(optimizer.weight_decay, dict):
            named |= dict.fromkeys(optimizer.weight_decay, "weight_decay")
        for layer in sorted(named.keys() - known):
            raise ValueError(f"{named[layer]} names {layer!r}, which is not a layer")
        if self.inputs.resize is not None and self.inputs.resize < self.network.view:
            raise ValueError(
                f"images resized to {self.inputs.resize} pixels have no view of "
                f"{self.network.view}; resize to at least that"
            )
        return self

    def misfit(self, side: int) -> str | None:
        """Say why images of ``side`` by ``side`` pixels cannot be seen as this asks, or None."""
        side, view, crops = self.inputs.resize or side, self.network.view, self.inputs.random_crops
        places = side - view + 1
        if places < 1:
            return (
                f"the network sees {view} x {view} pixels, and the images have {side} x {side}; "
                "resize them (inputs.resize) or take a smaller network"
            )
        if isinstance(crops, Offsets) and crops.places > places:
            return (
                f"crops start at {crops.places} x {crops.places} places, and a view of {view} "
                f"pixels has {places} x {places} in images of {side} (inputs.random_crops)"
            )
        return None


__all__ = [
    "ACTIVATIONS",
    "EDITION",
    "LRN",
    "Adam",
    "AreaCrops",
    "BatchNorm",
    "ChannelMeans",
    "Config",
    "Constant",
    "Conv",
    "Custom",
    "Dense",
    "Dropout",
    "Drops",
    "Elu",
    "Exponential",
    "FanIn",
    "Fraction",
    "Frozen",
    "Gelu",
    "GiveUp",
    "Init",
    "Inputs",
    "LayerRate",
    "LeakyRelu",
    "MapNorm",
    "Maps",
    "MeanImage",
    "MomentumSGD",
    "Network",
    "Normal",
    "Offsets",
    "Part",
    "PcaColour",
    "Plateau",
    "Pool",
    "Precision",
    "Relu",
    "Schedule",
    "Silu",
    "Steps",
    "Stream",
    "Tanh",
    "Training",
    "Until",
    "added_field",
]
