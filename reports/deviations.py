"""Every difference from the paper and its code that is in force, and what it is known to be worth.

Read from the plans: the facets that all arms of a study share are its setting, and what differs
between them is its question. A setting is held against the network of 2012 that it is nearest to.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from alexnet.config import Frozen
from alexnet.data.catalogue import CATALOGUE
from alexnet.presets import preset
from reports import words
from reports.effect import ON_THE_PAPERS_DATA, Effect
from reports.facets import NONE, facets
from reports.sections import Section, real

TEXT, CODE = "paper", "source_2012"
SMALL = (
    "cifar_80sec",
    "cifar_19pct",
    "cifar_18pct",
    "cifar_conv_local_13pct",
    "cifar_conv_local_11pct",
)
"""Networks for CIFAR-10 that came with the code; the paper prints none of them."""
REGULARISATION = ("weight decay", "dropout", "crops", "mirrored", "colour noise")
ILSVRC = ("imagenet", "imagenet_2010")
NOT_MEASURED = "not measured"
MEASURED_BY: dict[str, tuple[str, ...]] = {
    "precision": ("bfloat16",),
    "activation": ("relu_vs_tanh", "activations", "one_removed"),
    "towers in": ("two_gpus", "one_removed"),
    "LRN": ("code_vs_paper", "response_norm", "one_removed"),
    "norm in maps": ("code_vs_paper",),
    "after conv1": ("code_vs_paper",),
    "after conv2": ("code_vs_paper",),
    "pooling": ("overlapping_pooling", "one_removed"),
    "dropout": ("dropout", "one_removed"),
    "initial std": ("code_vs_paper", "six_times"),
    "initial biases": ("initial_biases", "one_removed"),
    "crops": ("augmentation", "code_vs_paper", "one_removed"),
    "mirrored": ("augmentation", "one_removed"),
    "colour noise": ("pca_colour", "code_vs_paper", "one_removed"),
    "image order": ("code_vs_paper",),
    "rate of biases": ("code_vs_paper",),
    "single layers": ("code_vs_paper",),
    "pixels": ("six_times",),
    "weight decay": ("weight_decay", "one_removed"),
}
"""The studies that vary a facet, and so say what a difference in it is worth."""


class Deviation(Frozen):
    """One difference, and where it is in force."""

    what: str
    here: str
    text: str  # the paper's
    code: str  # of 2012
    where: tuple[str, ...]  # study@dataset
    measured_by: tuple[str, ...]  # studies
    worth: str  # what these have found in this folder

    @property
    def measured(self) -> str:
        """The studies that measure it, or that none does."""
        return ", ".join(self.measured_by) or NOT_MEASURED


class _Values(NamedTuple):
    what: str
    here: str
    text: str
    code: str


def deviations(found: Sequence[Section]) -> list[Deviation]:
    """Return every difference in force, those of most studies first."""
    where: dict[_Values, list[str]] = {}
    for section in real(found):
        for values in (*_of_data(section), *_of_config(section)):
            where.setdefault(values, []).append(section.name)
    rows = [_deviation(values, names, found) for values, names in where.items()]
    return sorted(rows, key=lambda row: -len(row.where))


def _deviation(values: _Values, where: list[str], found: Sequence[Section]) -> Deviation:
    studies = MEASURED_BY.get(values.what, ())
    # What a difference is worth in one network says nothing of another.
    networks = {nearest(shared_facets(s)) for s in found if s.name in where}
    done = [
        s
        for s in real(found)
        if s.plan.definition.study in studies
        and not s.missing
        and nearest(shared_facets(s)) in networks
    ]
    worth = [
        f"{s.name}: {effect.contrast.between} {words.effect_sentence(effect)}"
        for s in done
        for effect in _varying(s, values.what)
    ]
    return Deviation(
        **values._asdict(), where=tuple(where), measured_by=studies, worth="; ".join(worth)
    )


def _varying(section: Section, what: str) -> list[Effect]:
    """Return the effects whose two arms differ in a facet, and so measure it."""
    one = section.plan.definition

    def value(arm: str) -> str:
        return (
            one.precisions_of[arm] if what == "precision" else facets(one.arms[arm]).get(what, "")
        )

    simple = [e for e in section.comparison.effects if e.contrast.is_simple]
    return [e for e in simple if value(e.contrast.arm) != value(e.contrast.against)]


def _of_data(section: Section) -> list[_Values]:
    """Return the differences of arithmetic and images."""
    one, about = section.plan.definition, section.plan.about
    rows = []
    if one.precision != "float32":
        rows.append(_Values("precision", f"{one.precision} in layers", "float32", "float32"))
    if about.paper_dataset is None:
        return rows
    if one.setting not in ON_THE_PAPERS_DATA:
        title = _title(about.paper_dataset)
        rows.append(_Values("photographs", _title(one.dataset.name), title, title))
    elif one.dataset.name != about.paper_dataset:
        original = _title(about.paper_dataset)
        rows.append(
            _Values("copy of the photographs", _title(one.dataset.name), original, original)
        )
    published = "published validation images" if about.paper_dataset in ILSVRC else "not said"
    here = "a tenth of the training images, at most 50,000"
    rows.append(_Values("held-out images", here, published, published))
    return rows


def _title(dataset: str) -> str:
    known = CATALOGUE.get(dataset)
    return known.title if known else dataset


@cache
def _reference(name: str) -> dict[str, str]:
    return facets(preset(name))


def nearest(shared: dict[str, str]) -> str:
    """Return which network of 2012 differs in the fewest of some facets."""

    def differences(name: str) -> int:
        return sum(_reference(name)[what] != value for what, value in shared.items())

    return min((TEXT, CODE, *SMALL), key=differences)


def shared_facets(section: Section) -> dict[str, str]:
    """Return the facets that all arms of a study agree in, at the rates that they chose."""
    plan = section.plan
    first, *others = (
        facets(plan.compared(arm) if arm in plan.choices else config)
        for arm, config in plan.definition.arms.items()
    )
    return {what: v for what, v in first.items() if all(other[what] == v for other in others)}


def _of_config(section: Section) -> list[_Values]:
    shared = shared_facets(section)
    like = nearest(shared)
    text, code = (None, like) if like in SMALL else (TEXT, CODE)
    rows = []
    for what, here in shared.items():
        printed = _reference(text)[what] if text else _said(section, what)
        ran = _reference(code)[what]
        if here not in (printed, ran):
            rows.append(_Values(what, here, printed, f"{ran} ({code})" if text is None else ran))
        elif text and here != printed:
            rows.append(_Values(what, here, printed, "the same"))
        elif here != ran:
            rows.append(_Values(what, here, "the same", ran if text else f"{ran} ({code})"))
    return rows


def _said(section: Section, what: str) -> str:
    """Return what the paper says of a network that it does not specify.

    Of Figure 1's, that it was trained without regularisation, section 3.1.
    """
    figure_1 = section.plan.definition.claim == "C09"
    return NONE if figure_1 and what in REGULARISATION else "not said"


def whole_network(section: Section) -> str:
    """Return the arm that is nearest to the network of the paper's text: with most of its ideas."""
    text = _reference(TEXT)

    def differences(arm: str) -> int:
        found = facets(section.plan.definition.arms[arm])
        return sum(text[what] != value for what, value in found.items())

    return min(section.plan.definition.arms, key=differences)
