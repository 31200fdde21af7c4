"""The parts that can follow a layer, as frozen values; sections are those of the paper.

A choice is a value that carries its own parameters, or ``None`` for "left out"; there are no
flags that could contradict them.
"""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from alexnet.config.base import Fraction, Frozen, added_field

Rounding = Literal["floor", "ceil"]


def _has_a_middle(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a window of {size} has no middle; make its size odd")
    return size


Window = Annotated[PositiveInt, AfterValidator(_has_a_middle)]


class Relu(Frozen):
    """max(0, x), section 3.1."""

    kind: Literal["relu"] = "relu"


class Tanh(Frozen):
    """``outer`` tanh(``inner`` x); as it is, what section 3.1 compares with.

    LeCun's scaled one is 1.7159 tanh(2x/3): of unit slope where it matters, Efficient BackProp
    (1998), section 4.4.
    """

    kind: Literal["tanh"] = "tanh"
    outer: PositiveFloat = added_field(1.0)
    inner: PositiveFloat = added_field(1.0)


class LeakyRelu(Frozen):
    """x if positive, else ``slope`` x; one year younger than the paper (Maas et al. 2013)."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    slope: PositiveFloat = 0.01


class Elu(Frozen):
    """x if positive, else ``alpha`` (exp(x) - 1) (Clevert, Unterthiner and Hochreiter 2015)."""

    kind: Literal["elu"] = "elu"
    alpha: PositiveFloat = 1.0


class Gelu(Frozen):
    """x times the normal distribution's share below x (Hendrycks and Gimpel 2016).

    ``tanh`` is their approximation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    """

    kind: Literal["gelu"] = "gelu"
    formula: Literal["exact", "tanh"] = "exact"


class Silu(Frozen):
    """x / (1 + exp(-x)), also called Swish (Elfwing, Uchibe and Doya 2017)."""

    kind: Literal["silu"] = "silu"


class Pool(Frozen):
    """The largest or the mean value of each window; overlapping when size > stride, section 3.4.

    The mean is over the part of the window that lies inside the image.
    """

    kind: Literal["max_pool", "avg_pool"] = "max_pool"
    size: PositiveInt = 3  # pixels
    stride: PositiveInt = 2  # pixels
    rounding: Rounding = "floor"  # of the number of windows

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
    size: Window = 5  # channels, the paper's n
    alpha: NonNegativeFloat = 1e-4
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 2.0
    groups: PositiveInt = 1  # windows do not cross groups (the towers of 2012)


class MapNorm(Frozen):
    """Response normalisation within each map, over a square of pixels; cuda-convnet's ``rnorm``.

    The released code has one after conv2's LRN, which the paper does not mention.
    ``alpha`` weighs the sum of squares, as in `LRN`: the code's 0.001 over 5 x 5 is 4e-5 here.
    """

    kind: Literal["map_norm"] = "map_norm"
    size: Window = 5  # pixels, side of the square
    alpha: NonNegativeFloat = 4e-5
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 1.0


class BatchNorm(Frozen):
    """Each map minus its mean, divided by its deviation, over a batch while training.

    Three years younger than the paper (Ioffe and Szegedy 2015). Without scale and shift, since
    response normalisation, in whose place it stands, has no weights either; afterwards by running
    averages.
    """

    kind: Literal["batch_norm"] = "batch_norm"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1  # share of the newest batch
    epsilon: PositiveFloat = 1e-5


class Dropout(Frozen):
    """Each unit silent with probability ``rate`` while training, section 4.2."""

    kind: Literal["dropout"] = "dropout"
    rate: Fraction = 0.5
    scale: Literal["test", "training"] = "test"  # which activations are multiplied to agree


ACTIVATIONS = (Relu, Tanh, LeakyRelu, Elu, Gelu, Silu)
"""Those that the facet "activation" names."""
Part = Annotated[
    Relu | Tanh | LeakyRelu | Elu | Gelu | Silu | Pool | LRN | MapNorm | BatchNorm | Dropout,
    Field(discriminator="kind"),
]
