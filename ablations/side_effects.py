"""What an arm changes besides its idea: scale, size of maps, places left out, weights, updates.

Read from the configs of the two arms that a contrast compares, so that nothing goes unsaid. What is
found is controlled by an arm of its own, or stands beside the result.
"""

from collections.abc import Mapping

from alexnet.config import LRN, Config, Custom, Pool
from alexnet.config.network import Network, windows
from alexnet.cost import cost_of
from alexnet.text import counted


def side_effects(arm: Config, against: Config) -> tuple[str, ...]:
    """Return what two arms differ in besides what one asks about, a sentence's end each.

    >>> from alexnet.presets import tiny
    >>> side_effects(tiny().but(network={"parts": {"norm": None}}), tiny())
    ('no factor k^-beta of 0.59 after conv1',)
    """
    mine, other = arm.network, against.network
    return (
        *scale_effects(mine, other),
        *_sides(mine, other),
        *_left_out(mine, other),
        *_parameters(mine, other),
        *_updates(arm, against),
    )


def scale_effects(mine: Network, other: Network) -> list[str]:
    """Say where response normalisation multiplies by another constant, or no longer does.

    Nothing where a norm has only moved: what follows both is multiplied by as much.
    """
    here, there = _factors(mine), _factors(other)
    lines = []
    for factor in sorted({value for _, value in (*here, *there)} - {1.0}):
        names, others = (
            [name for name, value in found if value == factor] for found in (here, there)
        )
        if len(names) != len(others):
            said, more, fewer = ("a", names, others)
            if len(names) < len(others):
                said, more, fewer = ("no", others, names)
            after = [name for name in more if name not in fewer] or more
            lines.append(f"{said} factor k^-beta of {factor:.2g} after {' and '.join(after)}")
    return lines


def _factors(network: Network) -> list[tuple[str, float]]:
    """Return what response normalisation multiplies by, k^-beta, by the layer before, in order."""
    return [
        (layer.name, part.k**-part.beta)
        for layer in network.convolutions
        for _, part in network.after(layer)
        if isinstance(part, LRN)
    ]


def _sides(mine: Network, other: Network) -> list[str]:
    """Say which layers see maps of another size."""
    here, there = (
        {name: maps.side for name, maps in network.seen_by().items()} for network in (mine, other)
    )
    changed = [
        f"{name} sees {here[name]} x {here[name]} places for {there[name]} x {there[name]}"
        for name in here
        if name in there and here[name] != there[name]
    ]
    return changed


def _left_out(mine: Network, other: Network) -> list[str]:
    """Say which pooling reaches less of its maps."""
    here, there = _unreached(mine), _unreached(other)
    return [
        f"pooling after {name} leaves out {rows} of {side} rows and columns"
        for name, (rows, side) in here.items()
        if rows > there.get(name, (0, 0))[0]
    ]


def blinded(mine: Network, other: Network) -> list[str]:
    """Return after which layers pooling reaches less than half of the places, and the other's not.

    Such an arm shows what it is to see less, whatever it was made for.
    """
    here, there = _unreached(mine), _unreached(other)
    return [
        f"pooling after {name} reaches {(side - rows) ** 2} of {side**2} places"
        for name, (rows, side) in here.items()
        if 2 * (side - rows) ** 2 < side**2 and not there.get(name, (0, 0))[0]
    ]


def _unreached(network: Network) -> dict[str, tuple[int, int]]:
    """Return how many rows no window of a pooling reaches, of how many, by the layer before."""
    found, seen = {}, network.seen_by()
    for layer in network.convolutions:
        side = layer.side_of(seen[layer.name].side)
        for _, part in network.after(layer):
            if isinstance(part, Pool | Custom) and (window := part.window) is not None:
                count = windows(side, *window)
                reached = (count - 1) * window.stride + window.size - window.padding
                found[layer.name] = max(0, side - reached), side
                side = count
    return found


def _parameters(mine: Network, other: Network) -> list[str]:
    here, there = cost_of(mine).parameters, cost_of(other).parameters
    return [] if here == there else [f"{here:,} parameters for {there:,}"]


def _updates(arm: Config, against: Config) -> list[str]:
    """Say what differs in how often weights are updated, on the same images."""
    names: Mapping[str, tuple[str, ...]] = {
        "epochs": ("epoch",),
        "batch": ("image a batch", "images a batch"),
        "images": ("image",),
    }
    return [
        f"{_counted(getattr(arm.training, field), *name)} for "
        f"{_number(getattr(against.training, field))}"
        for field, name in names.items()
        if getattr(arm.training, field) != getattr(against.training, field)
    ]


def _counted(number: int | None, *noun: str) -> str:
    return f"all {noun[0]}s" if number is None else counted(number, *noun)


def _number(number: int | None) -> str:
    return "all" if number is None else f"{number:,}"
