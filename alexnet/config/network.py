"""What a network is made of: layers with weights, their parts and sizes, as frozen values."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from alexnet.config.base import Frozen, added_field
from alexnet.config.parts import LRN, BatchNorm, Custom, MapNorm, Part, Pool, Rounding


class Normal(Frozen):
    """Weights from a normal distribution around zero, biases all alike, section 5."""

    kind: Literal["normal"] = "normal"
    std: PositiveFloat
    bias: float = 0.0


class FanIn(Frozen):
    """Weights and biases uniform within 1 / sqrt(inputs of a unit), PyTorch's default."""

    kind: Literal["fan_in"] = "fan_in"


Init = Annotated[Normal | FanIn, Field(discriminator="kind")]


class Conv(Frozen):
    """One convolution and, in order, the parts that follow it."""

    name: str
    maps: PositiveInt
    size: PositiveInt  # pixels
    stride: PositiveInt = 1  # pixels
    padding: NonNegativeInt = 0  # zeros on every side, pixels
    # ceil: one more window, over zeros to the right and below, where the stride does not divide
    rounding: Rounding = added_field("floor")
    groups: PositiveInt = 1  # 2: each tower sees its own half of the maps, section 3.5
    # unshared: each place has kernels and biases of its own, cuda-convnet's "local"
    weights: Literal["shared", "unshared"] = added_field("shared")
    init: Init
    then: tuple[str, ...] = ()  # names of parts

    def side_of(self, seen: int) -> int:
        """Return the side of the maps it gives, pixels, from that of those it sees."""
        return windows(seen, self.size, self.stride, self.padding, self.rounding)


class Dense(Frozen):
    """One fully connected layer and, in order, the parts that follow it."""

    name: str
    units: PositiveInt | None = None  # None: one per class, the last layer
    groups: PositiveInt = added_field(1)  # 2: each tower sees its own half of the units
    init: Init
    then: tuple[str, ...] = ()


class Maps(NamedTuple):
    """The size of activations; fully connected units are maps of one pixel."""

    maps: int
    side: int  # pixels

    @property
    def units(self) -> int:
        """The number of activations."""
        return self.maps * self.side**2


class Flow(NamedTuple):
    """A module, and the sizes of activations before and after it."""

    module: str  # what it is called
    part: Part | None  # None: a layer with weights
    sees: Maps
    gives: Maps


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

    def after(self, layer: Conv | Dense) -> list[tuple[str, Part]]:
        """Return the parts that follow a layer by name, without those left out."""
        found = ((name, self.parts[name]) for name in layer.then)
        return [(name, part) for name, part in found if part is not None]

    def parts_in_use(self) -> dict[str, Part]:
        """Return the parts that follow some layer, by name, in the order they are defined."""
        used = {name for layer in self.layers for name in layer.then}
        return {name: part for name, part in self.parts.items() if name in used and part}

    @property
    def own_parts(self) -> list[Custom]:
        """The parts in use whose code is not of this package."""
        return [part for part in self.parts_in_use().values() if isinstance(part, Custom)]

    def seen_by(self) -> dict[str, Maps]:
        """Return the size of what each layer sees.

        Raises:
            ValueError: Naming the layer whose output would be empty or does not divide.
        """
        return {layer.name: flow.sees for layer, flow in self._flows() if flow.part is None}

    def flows_after(self, layer: Conv | Dense) -> "list[Flow]":
        """Return the parts that follow a layer, with the sizes of what they see and give."""
        return [flow for of, flow in self._flows() if of.name == layer.name and flow.part]

    def _flows(self) -> "Iterator[tuple[Conv | Dense, Flow]]":
        """Yield every layer and part in order, each part with the layer that it follows."""
        now = Maps(self.channels, self.view)
        for layer in self.layers:
            sees, now = now, _through(layer, now, self.classes)
            yield layer, Flow(layer.name, None, sees, now)
            for name, part in self.after(layer):
                sees = now
                now = _past(f"{layer.name}'s {name}", part, now, isinstance(layer, Conv))
                yield layer, Flow(module_name(layer, name), part, sees, now)

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
        modules = names + [module_name(layer, part) for layer in layers for part in layer.then]
        if twice := {name for name in modules if modules.count(name) > 1}:
            raise ValueError(
                f"{min(twice)!r} would stand for two things; name a part once after a layer, "
                "or give it a second name"
            )
        self.seen_by()
        return self


def module_name(layer: Conv | Dense, part: str) -> str:
    """Return what the module of a part that follows a layer is called."""
    return f"{layer.name}_{part}"


def windows(side: int, size: int, stride: int, padding: int, rounding: Rounding) -> int:
    """Return how many windows fit along a side, all in pixels; 0 or less if none does.

    >>> windows(224, 11, 4, 0, "ceil"), windows(224, 11, 4, 0, "floor")
    (55, 54)
    """
    room = side + 2 * padding - size
    return 1 + (-(-room // stride) if rounding == "ceil" else room // stride)


def _through(layer: Conv | Dense, seen: Maps, classes: int) -> Maps:
    """Return the size of a layer's output."""
    out = layer.maps if isinstance(layer, Conv) else layer.units or classes
    for count, of in ((seen.maps, "maps it sees"), (out, "of its own")):
        if count % layer.groups:
            raise ValueError(f"{layer.name}: {layer.groups} groups do not divide {count} {of}")
    if isinstance(layer, Dense):
        return Maps(out, 1)
    if layer.weights == "unshared" and (layer.groups > 1 or layer.rounding == "ceil"):
        raise ValueError(f"{layer.name}: unshared weights have neither groups nor rounding up")
    side = layer.side_of(seen.side)
    if side < 1:
        raise ValueError(_too_small(layer.name, seen.side, layer.size))
    return Maps(out, side)


def _past(name: str, part: Part, seen: Maps, on_maps: bool) -> Maps:
    """Return the size of activations after a part."""
    window = part.window if isinstance(part, Pool | Custom) else None
    if not on_maps and (window or isinstance(part, LRN | MapNorm | BatchNorm)):
        raise ValueError(f"{name}: {part.kind} follows a convolution, not a fully connected layer")
    if isinstance(part, LRN) and seen.maps % part.groups:
        raise ValueError(f"{name}: {part.groups} groups do not divide {seen.maps} maps")
    if window is None:
        return seen
    side = windows(seen.side, *window)
    if side < 1:
        raise ValueError(_too_small(name, seen.side, window.size))
    return Maps(seen.maps, side)


def _too_small(name: str, side: int, size: int) -> str:
    return f"{name}: a window of {size} x {size} does not fit the {side} x {side} pixels it sees"
