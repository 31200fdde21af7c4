"""How a network is trained, as frozen values: what it sees, how it learns, when it is over."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from alexnet.config.base import Fraction, Frozen, added_field

Rgb = tuple[float, float, float]


class PcaColour(Frozen):
    """Noise along the principal components of RGB, section 4.1.

    ``unit`` is the printed formula on pixels of 0 to 1: a component moves by its eigenvalue
    times a normal draw. ``source`` is what the released code does: by the root of the
    eigenvalue, and the image is then divided by 1 + std.
    """

    kind: Literal["pca_colour"] = "pca_colour"
    formula: Literal["unit", "source"] = "unit"
    std: PositiveFloat = 0.1
    last_epoch: PositiveInt | None = added_field(
        None
    )  # without noise afterwards, as in 2012's logs


class MeanImage(Frozen):
    """Each pixel minus its mean over the training images, section 2; raw unless divided."""

    kind: Literal["mean_image"] = "mean_image"
    divisor: PositiveFloat = 1.0  # of grey levels
    # Which square of the mean image: its centre, as in 2012, or where the image was cropped, Caffe
    square: Literal["centre", "aligned"] = "centre"


class ChannelMeans(Frozen):
    """Each channel minus its mean, divided by its standard deviation: what came after 2012."""

    kind: Literal["channel_means"] = "channel_means"
    means: Rgb | None = None  # grey levels; None: of the training images
    deviations: Rgb | None = None

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.deviations is not None and min(self.deviations) <= 0:
            raise ValueError(f"a channel cannot be divided by {min(self.deviations):g}")
        return self


class AreaCrops(Frozen):
    """Rectangles of random area and shape, resized to the view: torchvision's random crops."""

    kind: Literal["area_crops"] = "area_crops"
    smallest: Annotated[float, Field(gt=0, le=1)] = 0.08  # share of the image's area
    stretch: Annotated[float, Field(ge=1)] = 4 / 3  # most that width is of height, and vice versa


class Offsets(Frozen):
    """Squares at so many places down and across, from the upper left corner.

    The paper counts 32 x 32; the released code draws from all 33 x 33 that 256 pixels have.
    """

    kind: Literal["offsets"] = "offsets"
    places: PositiveInt


Crops = Annotated[AreaCrops | Offsets, Field(discriminator="kind")]


class Inputs(Frozen):
    """How a stored image becomes what the network sees."""

    resize: PositiveInt | None = added_field(
        None
    )  # pixels, side of the square it is scaled to first
    random_crops: bool | Crops = True  # while training, anywhere if True; else the centre
    flips: bool = True
    chunk: PositiveInt = added_field(1)  # images in a row that share a crop and a flip; 32 in 2012
    colour: PcaColour | None = None
    normalise: Annotated[MeanImage | ChannelMeans, Field(discriminator="kind")] = added_field(
        MeanImage()
    )
    shuffle: Literal["each epoch", "once"] = added_field(
        "each epoch"
    )  # 2012: when files were written

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        area, normalise = isinstance(self.random_crops, AreaCrops), self.normalise
        if area and self.chunk > 1:
            raise ValueError("crops of random area are drawn for each image; leave chunk at 1")
        if area and isinstance(normalise, MeanImage) and normalise.square == "aligned":
            raise ValueError("crops of random area have no aligned square of the mean image")
        return self


class MomentumSGD(Frozen):
    """The update of section 5: v = momentum v - rate (decay w + gradient); w = w + v.

    The paper, its code and Caffe have the rate inside the velocity. ``pytorch`` has it outside,
    v = momentum v + decay w + gradient; w = w - rate v, which differs after the rate has changed:
    inside, the old velocity goes on at the old rate. On `alexnet_cifar`, dropped after 12 epochs,
    the running error rose from 48 to 63 %, and was below 46 % an epoch later.
    """

    kind: Literal["momentum_sgd"] = "momentum_sgd"
    rate: PositiveFloat  # of the weights
    bias_rate: PositiveFloat = 1.0  # a multiple of the weights' rate
    momentum: Fraction = 0.9
    # one for every layer, or by layer, 0 if not named:
    weight_decay: NonNegativeFloat | dict[str, NonNegativeFloat] = Field(default_factory=dict)
    decays: Literal["weights", "all"] = added_field("weights")  # all: biases too, PyTorch's default
    convention: Literal["paper", "pytorch"] = added_field("paper")

    def decay_of(self, layer: str) -> float:
        """Return the decay of a layer's weights."""
        decay = self.weight_decay
        return decay.get(layer, 0.0) if isinstance(decay, dict) else decay


class Adam(Frozen):
    """Kingma and Ba (2015), as PyTorch does it; not in the paper, but in most of its tutorials."""

    kind: Literal["adam"] = "adam"
    rate: PositiveFloat
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    epsilon: PositiveFloat = 1e-8


class Constant(Frozen):
    """The same rate throughout."""

    kind: Literal["constant"] = "constant"


class Drops(Frozen):
    """Rates multiplied by ``factor`` after each of these epochs."""

    kind: Literal["drops"] = "drops"
    after: tuple[PositiveInt, ...]  # epochs
    factor: PositiveFloat = 0.1


class Plateau(Frozen):
    """Rates multiplied by ``factor`` when the error on ``valid`` has stopped improving, section 5.

    The paper says neither how long it waited nor what counted as better.
    """

    kind: Literal["plateau"] = "plateau"
    patience: PositiveInt = 10  # epochs without a lower error
    improvement: NonNegativeFloat = 0.001  # a lower error is lower by more than this
    drops: PositiveInt = 3
    factor: PositiveFloat = 0.1


class Steps(Frozen):
    """Rates multiplied by ``factor`` every so many updates, as Caffe counts them."""

    kind: Literal["steps"] = "steps"
    updates: PositiveInt
    factor: PositiveFloat = 0.1


class Exponential(Frozen):
    """Rates that fall to 1/``fall`` in equal steps of equal ratio: cuda-convnet2's ``dexp``."""

    kind: Literal["exponential"] = "exponential"
    fall: Annotated[float, Field(gt=1)]
    steps: Annotated[int, Field(ge=2)]  # the first at the full rate


Schedule = Annotated[Constant | Drops | Plateau | Steps | Exponential, Field(discriminator="kind")]


class LayerRate(Frozen):
    """The rate of one layer multiplied by ``factor`` from some epoch on; several multiply.

    A factor of 0 freezes it: no momentum and no decay either, as in the released code.
    """

    layer: str
    of: Literal["all", "weights", "biases"] = "all"
    after: NonNegativeInt = 0  # epochs
    factor: NonNegativeFloat


class Until(Frozen):
    """A run is over after the epoch in which its running training error falls to this."""

    training_error: Fraction


class GiveUp(Frozen):
    """A run is over if its running error is still this close to chance after so much training.

    Counted in updates, which is what a rate works by: a pass over few images has few. Looked at
    when the pass is over in which they are done. The rules of old were counted in epochs.
    """

    epoch: PositiveInt | None = added_field(None)
    updates: PositiveInt | None = added_field(None)
    within: Fraction = 0.05

    @model_validator(mode="after")
    def _is_counted_once(self) -> Self:
        if (self.epoch is None) == (self.updates is None):
            raise ValueError("say after how many updates, or after which epoch (updates=)")
        return self


class Training(Frozen):
    """Passes over the images, updates, and when to stop."""

    epochs: PositiveInt  # the most passes over the training images
    batch: PositiveInt = 128  # images
    optimizer: Annotated[MomentumSGD | Adam, Field(discriminator="kind")]
    schedule: Schedule = Constant()
    bias_schedule: Schedule | None = added_field(
        None
    )  # None: the biases' rate follows the weights'
    layer_rates: tuple[LayerRate, ...] = added_field(())
    images: PositiveInt | None = None  # only the first so many; None: all
    validate_each_epoch: bool = added_field(False)  # a plateau does it anyway
    until: Until | None = None
    give_up: GiveUp | None = None

    @property
    def validates(self) -> bool:
        """Whether the error on held-out images is measured after each epoch."""
        follows = any(isinstance(one, Plateau) for one in (self.schedule, self.bias_schedule))
        return self.validate_each_epoch or follows
