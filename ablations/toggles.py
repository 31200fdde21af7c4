"""The paper's ideas that can be switched off together, and the study of any few of them."""

from collections.abc import Sequence

from ablations.arms import (
    CONSTANT_NORM,
    NO_COLOUR_NOISE,
    NO_CROPS_OR_FLIPS,
    NO_DECAY,
    NO_DROPOUT,
    TANH,
    biases_of_zero,
    equal_maps,
    one_wide_tower,
)
from ablations.bases import bases
from ablations.contrast import NormActive
from ablations.factorial import FEWEST, HALVED_FROM, MOST, WHOLE, Factor, design
from ablations.study import Study
from alexnet.names import suggestion

TOGGLES: dict[str, Factor] = {
    factor.name: factor
    for factor in (
        Factor(name="relu", label="ReLU", in_place_of="tanh", without=TANH),
        Factor(name="overlapping_pooling", label="overlapping pooling", in_place_of="2/2 pooling",
               without=equal_maps),
        Factor(name="lrn", label="LRN", in_place_of="its constant alone", without=CONSTANT_NORM,
               precondition=NormActive(arm=WHOLE)),
        Factor(name="dropout", label="dropout", without=NO_DROPOUT),
        Factor(name="pca_colour", label="colour noise",
               without=NO_COLOUR_NOISE, needs=("colour",)),
        Factor(name="augmentation", label="crops and flips", in_place_of="the centre alone",
               without=NO_CROPS_OR_FLIPS, needs=("mirror",)),
        Factor(name="weight_decay", label="weight decay", without=NO_DECAY),
        Factor(name="two_towers", label="two towers", in_place_of="a wide one",
               without=one_wide_tower),
    )
}  # fmt: skip
"""Each by the name of the study that is about it alone, where there is one."""
PREFIX = "toggle_"
"""Of the name of a study of toggles, which has theirs in their order."""


class ToggleError(ValueError):
    """Ideas that cannot be combined; the message has the value, the rule and the way out."""


def toggles_of(text: str) -> tuple[str, ...]:
    """Return the toggles that a list with commas names, in their order.

    Raises:
        ToggleError: If there is no such toggle, or one comes twice.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in TOGGLES:
            raise ToggleError(f"there is no toggle {name!r}; {suggestion(name, TOGGLES)}")
        if names.count(name) > 1:
            raise ToggleError(f"toggle {name!r} comes twice in {text!r}; name each once")
    if not FEWEST <= len(names) <= MOST:
        raise ToggleError(
            f"{text!r} names {len(names)} of the toggles; name {FEWEST} to {MOST}, with commas"
        )
    return tuple(sorted(names, key=list(TOGGLES).index))


def name_of(names: Sequence[str]) -> str:
    """Return what the study of some toggles is called, given in their order."""
    return PREFIX + "_".join(names)


def toggles_in(name: str) -> tuple[str, ...] | None:
    """Return the toggles of a study by its name; None if it is none of theirs.

    >>> toggles_in("toggle_overlapping_pooling_lrn"), toggles_in("one_removed")
    (('overlapping_pooling', 'lrn'), None)
    """
    left, found = f"{name.removeprefix(PREFIX)}_", []
    for toggle in TOGGLES:
        if left.startswith(f"{toggle}_"):
            left = left.removeprefix(f"{toggle}_")
            found.append(toggle)
    whole = name.startswith(PREFIX) and not left and FEWEST <= len(found) <= MOST
    return tuple(found) if whole else None


def factorial_study(names: Sequence[str], name: str | None = None) -> Study:
    """Return the study of some toggles together, given in their order; called by them if not so."""
    factors = [TOGGLES[one] for one in names]
    planned = design(factors)
    half = len(factors) >= HALVED_FROM
    zero = ". Biases start at 0 in every arm: with those of 1, for ReLUs, tanh learned nothing"
    return Study(
        name=name or name_of(names),
        title="Ideas switched on and off together",
        asks="Do the ideas add up?",
        question="What does each idea do to the test error whatever the others, and do two add up?",
        paper_says="each idea helps where it is tried alone; it says nothing of two together",
        leaves_open="whether ideas add up: it removes one at a time, from the whole network",
        we_chose=f"{'half of ' if half else ''}all combinations, {len(planned.arms)} networks, "
        "each at its best rate and with the same seeds; the mean over those with an idea is "
        f"compared with that over those without{zero if 'relu' in names else ''}",
        would_change="three ideas that do together what no two of them do"
        if half
        else "other images, or a longer training",
        arms=planned.arms,
        contrasts=planned.contrasts,
        bases=bases(claims=False, change=biases_of_zero if "relu" in names else None),
        seeds=planned.seeds,
    )
