"""The parts that can follow a layer, as frozen values; sections are those of the paper.

A choice is a value that carries its own parameters, or ``None`` for "left out"; there are no
flags that could contradict them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    model_validator,
)

from alexnet.config.base import Fraction, Frozen, added_field
from alexnet.config.source import find_source, split

Rounding = Literal["floor", "ceil"]


class PoolWindow(NamedTuple):
    """What pooling sees at a time, in pixels."""

    size: int
    stride: int
    padding: int
    rounding: Rounding


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

    @property
    def window(self) -> PoolWindow:
        """What it sees at a time."""
        return PoolWindow(self.size, self.stride, 0, self.rounding)

    @model_validator(mode="after")
    def _covers_every_pixel(self) -> Self:
        _refuse_gaps(self.size, self.stride)
        return self


def _refuse_gaps(size: int, stride: int) -> None:
    if stride > size:
        raise ValueError(
            f"pooling {size} by {stride} would skip pixels; make the stride at most the size"
        )


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


class Custom(Frozen):
    """Code of one's own: a class of `torch.nn.Module`, or a function of a tensor, in a file.

    The file is found, read and never imported until a network is built. Its digest is part of this
    value, and so of a run's name: other code is another run. `alexnet.custom` says what the code
    may do.
    """

    kind: Literal["custom"] = "custom"
    target: str  # file:name, the file without .py
    # For the constructor of a class, or for each call of a function beside the activations:
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    role: Literal["activation", "norm", "pool"] = "activation"
    size: PositiveInt | None = None  # of a pool's window, pixels; of others there is none
    stride: PositiveInt | None = None  # likewise
    padding: NonNegativeInt = 0  # of a pool, on every side, pixels
    rounding: Rounding = "floor"  # of a pool's number of windows
    parameters: NonNegativeInt = 0  # numbers that it learns, after each layer that it follows
    parameters_per_map: NonNegativeInt = 0  # and for each of the layer's maps or units
    # SHA-256 of the file, in hex, found when the value is made; a record or plan has it:
    source: str = Field(default="", pattern="^[0-9a-f]{64}$")

    @property
    def window(self) -> PoolWindow | None:
        """What it sees at a time if it pools."""
        if self.size is None or self.stride is None:
            return None
        return PoolWindow(self.size, self.stride, self.padding, self.rounding)

    @property
    def module(self) -> str:
        """What its file is called, without .py."""
        return split(self.target)[0]

    def learned(self, maps: int) -> int:
        """Return how many numbers it learns after a layer of so many maps or units."""
        return self.parameters + self.parameters_per_map * maps

    @model_validator(mode="before")
    @classmethod
    def _with_its_source(cls, data: Any, info: ValidationInfo) -> Any:
        """Find the file of a value that is being made; one that is read back has a digest."""
        made = info.mode == "python" and isinstance(data, dict) and not data.get("source")
        if made and isinstance(target := data.get("target"), str):
            return {**data, "source": find_source(target).digest}
        return data

    @model_validator(mode="after")
    def _can_be_written_and_found(self) -> Self:
        split(self.target)
        if not self.source:
            raise ValueError(f"{self.target} has no digest of its file")
        for text in _texts(self.kwargs):
            if not text.isprintable():
                raise ValueError(f"{text!a} in kwargs has characters that do not show")
        for name in self.kwargs:
            if not name.isidentifier():
                raise ValueError(f"{name!r} in kwargs is no name of an argument")
        return self

    @model_validator(mode="after")
    def _has_a_window_if_it_pools(self) -> Self:
        window = self.window
        if self.role == "pool":
            if window is None:
                raise ValueError(f"{self.target} pools; say its size and stride, in pixels")
            _refuse_gaps(window.size, window.stride)
            if 2 * window.padding > window.size:
                raise ValueError(
                    f"a padding of {window.padding} is more than half of a window of "
                    f"{window.size}, which would see nothing else"
                )
        elif (self.size, self.stride, self.padding, self.rounding) != (None, None, 0, "floor"):
            raise ValueError(
                f"{self.target} has the role {self.role!r}, which keeps the size of maps; leave "
                "out size, stride, padding and rounding, or say role='pool'"
            )
        return self


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, keys too."""
    match value:
        case str():
            yield value
        case dict():
            for name, inside in value.items():
                yield name
                yield from _texts(inside)
        case list():
            for inside in value:
                yield from _texts(inside)


AnyPart = (
    Relu
    | Tanh
    | LeakyRelu
    | Elu
    | Gelu
    | Silu
    | Pool
    | LRN
    | MapNorm
    | BatchNorm
    | Dropout
    | Custom
)
KINDS = tuple(
    kind for part in get_args(AnyPart) for kind in get_args(part.model_fields["kind"].annotation)
)
OWN = "code of your own is Custom(target='file:name'), see docs/own-study.md"


def _refuse_unknown(value: Any) -> Any:
    """Refuse what is no part, with the way in which it can be one."""
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, Mapping):
        what = getattr(value, "__name__", type(value).__name__)
        raise ValueError(f"{what} is no part, which is a value such as Relu(); {OWN}")
    if (kind := value.get("kind")) not in KINDS:
        raise ValueError(f"there is no part of kind {kind!r}; known: {', '.join(KINDS)}; {OWN}")
    return value


ACTIVATIONS = (Relu, Tanh, LeakyRelu, Elu, Gelu, Silu)
"""Those of the package, which the facet "activation" names; a `Custom` may be one too."""
Part = Annotated[Annotated[AnyPart, Field(discriminator="kind")], BeforeValidator(_refuse_unknown)]
