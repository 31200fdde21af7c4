"""What the paper says of its network's size, counted on the network that its text describes."""

import math

from ablations.claims import CLAIMS, Claim, Number
from alexnet.config import Frozen
from alexnet.cost import Cost, cost_of
from alexnet.presets import preset

PRESET = "paper"
COMMAND = f"invoke presets --name {PRESET}"


class Count(Frozen):
    """A printed number and the same counted."""

    printed: Number
    counted: float
    of: str  # a layer, or what is counted

    @property
    def as_printed(self) -> bool:
        """Whether the two agree: to the digits printed, whether rounded or cut, or the limit."""
        if self.printed.is_limit:
            return self.counted <= self.printed.value
        difference = self.counted - self.printed.value
        unit = last_digit(self.printed.value) if self.printed.is_round else 1
        return -unit / 2 <= difference < unit


def last_digit(value: float) -> int:
    """Return what the last digit of a positive whole number that is not a zero stands for.

    >>> last_digit(650_000), last_digit(253_440), last_digit(4_096)
    (10000, 10, 1)
    """
    digits = f"{value:.0f}"
    return int(10 ** (len(digits) - len(digits.rstrip("0"))))


def counts(claim: Claim) -> list[Count]:
    """Return every number of a claim about the network's size beside the same counted."""
    cost = cost_of(preset(PRESET).network)
    return [_count(number, cost) for number in claim.paper] if claim.kind == "count" else []


def all_counts() -> list[tuple[Claim, Count]]:
    """Return all numbers of all such claims."""
    return [(claim, count) for claim in CLAIMS.values() for count in counts(claim)]


def verdict(found: list[Count]) -> str:
    """Return the word for a claim: one number that is wrong makes it a misprint."""
    return "as printed" if all(count.as_printed for count in found) else "misprint"


def in_words(found: list[Count]) -> str:
    """Return what was counted: what is wrong first, and all of it if that is short."""
    wrong = [count for count in found if not count.as_printed]
    right = [count for count in found if count.as_printed]
    parts = [f"{shown(count)}, not {printed(count)}" for count in wrong]
    if len(right) > 2:
        parts.append(f"the {len(right)} others as printed" if wrong else "all as printed")
    else:
        parts += [shown(count) for count in right]
    return "; ".join(parts)


def _count(number: Number, cost: Cost) -> Count:
    layers = {layer.name: layer for layer in cost.layers}
    if number.unit == "%":
        share = {
            layer.name: 100 * layer.parameters / cost.parameters
            for layer in cost.layers
            if len(layer.output) > 1
        }
        largest = max(share, key=lambda name: share[name])
        return Count(printed=number, counted=share[largest], of=largest)
    if number.unit == "parameters":
        return Count(printed=number, counted=cost.parameters, of="parameters")
    if number.of == "input":
        return Count(printed=number, counted=math.prod(cost.input), of="input")
    if number.of:
        return Count(printed=number, counted=layers[number.of].activations, of=number.of)
    return Count(printed=number, counted=cost.activations, of="neurons")


def printed(count: Count) -> str:
    """Return what the paper prints."""
    limit = "at most " if count.printed.is_limit else ""
    return f"{limit}{_value(count.printed.value, count)}"


def _value(value: float, count: Count) -> str:
    return f"{value:.3g} %" if count.printed.unit == "%" else f"{value:,.0f}"


def shown(count: Count) -> str:
    """Return what was counted, with what of."""
    value = _value(count.counted, count)
    return f"{value} {count.of}" if count.of in ("parameters", "neurons") else f"{count.of} {value}"
