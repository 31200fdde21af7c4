"""The choices that make a training run, as frozen values: network, inputs, training.

A choice is a value that carries its own parameters, or ``None`` for "left out"; there are no
flags that could contradict them. Sections are those of Krizhevsky, Sutskever and Hinton (2012).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

EDITION = 1
"""Goes up when the mathematics of training changes: a formula, a default, a draw."""

Stream = Literal["init", "order", "crop", "flip", "colour", "dropout"]
Precision = Literal["float32", "bfloat16"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Frozen(BaseModel):
    """A value that is checked when made and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def but(self, **changes: Any) -> Self:
        """Return this value with some fields replaced, checked anew.

        A mapping changes fields inside a field; anything else replaces the field.

        >>> LRN(alpha=2e-5).but(k=1.0)
        LRN(kind='lrn', size=5, alpha=2e-05, beta=0.75, k=1.0, groups=1)

        Raises:
            pydantic.ValidationError: If a field does not exist or its value breaks a rule.
        """
        return type(self).model_validate(_merged(self.model_dump(), changes))


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, change in changes.items():
        old = merged.get(name)
        inside = isinstance(change, Mapping) and isinstance(old, Mapping)
        merged[name] = _merged(old, change) if inside and old is not None else change
    return merged


# Parts: what can follow a convolution or a fully connected layer.


class Relu(Frozen):
    """max(0, x), section 3.1."""

    kind: Literal["relu"] = "relu"


class Tanh(Frozen):
    """tanh(x), what section 3.1 compares with."""

    kind: Literal["tanh"] = "tanh"


class Pool(Frozen):
    """The largest or the mean value of each window; overlapping when size > stride, section 3.4.

    The mean is over the part of the window that lies inside the image.
    """

    kind: Literal["max_pool", "avg_pool"] = "max_pool"
    size: PositiveInt = 3  # pixels
    stride: PositiveInt = 2  # pixels
    rounding: Literal["floor", "ceil"] = "floor"  # of the number of windows

    @model_validator(mode="after")
    def _covers_every_pixel(self) -> Self:
        if self.stride > self.size:
            raise ValueError(
                f"pooling {self.size} by {self.stride} would skip pixels; "
                "make the stride at most the size"
            )
        return self


class LRN(Frozen):
    """Local response normalisation across channels, section 3.3.

    ``alpha`` weighs the *sum* of squares, as printed. The released code divides it by the
    window's size, as PyTorch and Caffe do: their 1e-4 over five channels is 2e-5 here.
    """

    kind: Literal["lrn"] = "lrn"
    size: PositiveInt = 5  # channels, the paper's n
    alpha: NonNegativeFloat = 1e-4
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 2.0
    groups: PositiveInt = 1  # windows do not cross groups (the towers of 2012)


class Dropout(Frozen):
    """Each unit silent with probability ``rate`` while training, section 4.2."""

    kind: Literal["dropout"] = "dropout"
    rate: Fraction = 0.5
    scale: Literal["test", "training"] = "test"  # which activations are multiplied to agree


Part = Annotated[Relu | Tanh | Pool | LRN | Dropout, Field(discriminator="kind")]


class Normal(Frozen):
    """Weights from a normal distribution around zero, biases all alike, section 5."""

    kind: Literal["normal"] = "normal"
    std: PositiveFloat
    bias: float = 0.0


class Conv(Frozen):
    """One convolution and, in order, the parts that follow it."""

    name: str
    maps: PositiveInt
    size: PositiveInt  # pixels
    stride: PositiveInt = 1  # pixels
    padding: int = Field(default=0, ge=0)  # zeros on every side, pixels
    groups: PositiveInt = 1  # 2: each tower sees its own half of the maps, section 3.5
    init: Normal
    then: tuple[str, ...] = ()  # names of parts


class Dense(Frozen):
    """One fully connected layer and, in order, the parts that follow it."""

    name: str
    units: PositiveInt | None = None  # None: one per class, the last layer
    init: Normal
    then: tuple[str, ...] = ()


class Network(Frozen):
    """Convolutions, then fully connected layers, with parts named once for all of them."""

    view: PositiveInt  # pixels, side of the square it sees
    channels: PositiveInt = 3
    classes: int = Field(ge=2)
    parts: dict[str, Part | None]
    convolutions: tuple[Conv, ...]
    classifier: tuple[Dense, ...] = Field(min_length=1)

    @property
    def layers(self) -> list[Conv | Dense]:
        """Every layer with weights, in order."""
        return [*self.convolutions, *self.classifier]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        layers = self.layers
        names = [layer.name for layer in layers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"layer name {min(twice)!r} is used twice")
        if missing := {part for layer in layers for part in layer.then} - self.parts.keys():
            raise ValueError(f"a layer names part {min(missing)!r}, which parts does not define")
        if [layer.units for layer in self.classifier].index(None) != len(self.classifier) - 1:
            raise ValueError("the last layer, and no other, leaves its units to the classes")
        return self


class PcaColour(Frozen):
    """Noise along the principal components of RGB, section 4.1.

    ``unit`` is the printed formula on pixels of 0 to 1: a component moves by its eigenvalue
    times a normal draw. ``source`` is what the released code does: by the root of the
    eigenvalue, and the image is then divided by 1 + std.
    """

    kind: Literal["pca_colour"] = "pca_colour"
    formula: Literal["unit", "source"] = "unit"
    std: PositiveFloat = 0.1


class Inputs(Frozen):
    """How a stored image becomes what the network sees: raw pixels minus the mean image."""

    random_crops: bool = True  # while training; the centre otherwise, section 4.1
    flips: bool = True
    colour: PcaColour | None = None


class MomentumSGD(Frozen):
    """The update of section 5: v = momentum v - rate (decay w + gradient); w = w + v."""

    kind: Literal["momentum_sgd"] = "momentum_sgd"
    rate: PositiveFloat  # of the weights
    bias_rate: PositiveFloat = 1.0  # a multiple of the weights' rate
    momentum: Fraction = 0.9
    weight_decay: dict[str, NonNegativeFloat] = {}  # by layer, on weights only; 0 if not named


class Constant(Frozen):
    """The same rate throughout."""

    kind: Literal["constant"] = "constant"


class Drops(Frozen):
    """Rates multiplied by ``factor`` after each of these epochs."""

    kind: Literal["drops"] = "drops"
    after: tuple[PositiveInt, ...]  # epochs
    factor: PositiveFloat = 0.1


class Until(Frozen):
    """A run is over after the epoch in which its running training error falls to this."""

    training_error: Fraction


class GiveUp(Frozen):
    """A run is over after this epoch if its running error is still this close to chance."""

    epoch: PositiveInt = 1
    within: Fraction = 0.05


class Training(Frozen):
    """Passes over the images, updates, and when to stop."""

    epochs: PositiveInt  # the most passes over the training images
    batch: PositiveInt = 128  # images
    optimizer: MomentumSGD
    schedule: Annotated[Constant | Drops, Field(discriminator="kind")] = Constant()
    images: PositiveInt | None = None  # only the first so many; None: all
    until: Until | None = None
    give_up: GiveUp | None = None


class Config(Frozen):
    """All that decides a training run, but for its seed and its images."""

    network: Network
    inputs: Inputs = Inputs()
    training: Training
    pinned: tuple[Stream, ...] = ()  # streams of chance that follow seed 0 in every run
