"""Every difference from the paper and its code that is in force, and what it is known to be worth.

Read from the plans. A study's setting is that of its whole network, the arm that is nearest to the
paper's: what one arm alone leaves out is in force in all others. It is held against the network of
2012 that it is nearest to. Where arms differ is the question, and no deviation if the whole network
has the paper's value.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from alexnet.config import Frozen
from alexnet.data.catalogue import CATALOGUE
from alexnet.presets import preset
from reports.analysis.effect import ON_THE_PAPERS_DATA, Effect
from reports.findings.sections import Section, real
from reports.wording.config_summary import NONE, facets
from reports.wording.sentences import effect_sentence

TEXT, CODE = "paper", "source_2012"
PRECISION = "float32"  # of both
IN_WORDS = {"bfloat16": "bfloat16 in layers", "float64": "float64 throughout"}
SMALL = (
    "cifar_80sec",
    "cifar_19pct",
    "cifar_18pct",
    "cifar_conv_local_13pct",
    "cifar_conv_local_11pct_first",
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
    where: dict[_Values, list[Section]] = {}
    for section in real(found):
        for values in (*_of_data(section), *_of_config(section)):
            where.setdefault(values, []).append(section)
    rows = [_deviation(values, of, real(found)) for values, of in where.items()]
    return sorted(rows, key=lambda row: -len(row.where))


def _deviation(values: _Values, where: Sequence[Section], found: Sequence[Section]) -> Deviation:
    studies = MEASURED_BY.get(values.what, ())
    measuring = [s for s in found if s.plan.definition.study in studies]
    # What a difference is worth in one network says nothing of another.
    networks = {nearest(setting(s)) for s in where} if measuring else set()
    done = [s for s in measuring if nearest(setting(s)) in networks]
    worth = [
        f"{s.name}: {effect.contrast.compared} {effect_sentence(effect)}"
        for s in done
        for effect in _varying(s, values.what)
    ]
    return Deviation(
        **values._asdict(),
        where=tuple(section.name for section in where),
        measured_by=studies,
        worth="; ".join(worth),
    )


def _varying(section: Section, what: str) -> list[Effect]:
    """Return the complete effects whose two arms differ in a facet, and so measure it."""
    definition = section.plan.definition

    def value(arm: str) -> str:
        return (
            definition.precisions_of[arm]
            if what == "precision"
            else facets(definition.arms[arm]).get(what, "")
        )

    whole = [e for e in section.comparison.effects if e.contrast.is_simple and e.is_complete]
    return [e for e in whole if value(e.contrast.arm) != value(e.contrast.against)]


def _of_data(section: Section) -> list[_Values]:
    """Return the differences of arithmetic and images."""
    definition = section.plan.definition
    rows = []
    precision = definition.precisions_of[whole_network(section)]
    if precision != PRECISION:
        rows.append(_Values("precision", IN_WORDS[precision], PRECISION, PRECISION))
    if original := section.plan.about.paper_dataset:
        rows += _of_photographs(section, original)
    here = "a tenth of the training images, at most 50,000"
    published = _published(section)
    rows.append(_Values("held-out images", here, published, published))
    return rows


def _of_photographs(section: Section, original: str) -> list[_Values]:
    """Return what the images are, unless they are the paper's own."""
    definition, title = section.plan.definition, _title(original)
    if section.plan.setting not in ON_THE_PAPERS_DATA:
        return [_Values("photographs", _title(definition.dataset.name), title, title)]
    if definition.dataset.name != original:
        return [_Values("copy of the photographs", _title(definition.dataset.name), title, title)]
    return []


def _published(section: Section) -> str:
    """Return which images the paper held out: of a question of our own, for the same network."""
    original = section.plan.about.paper_dataset
    of_ilsvrc = original in ILSVRC if original else nearest(setting(section)) not in SMALL
    return "published validation images" if of_ilsvrc else "not said"


def _title(dataset: str) -> str:
    known = CATALOGUE.get(dataset)
    return known.title if known else dataset


@cache
def _reference(name: str) -> Mapping[str, str]:
    return facets(preset(name))


def nearest(found: Mapping[str, str]) -> str:
    """Return which network of 2012 differs in the fewest of some facets."""

    def differences(name: str) -> int:
        return sum(_reference(name)[what] != value for what, value in found.items())

    return min((TEXT, CODE, *SMALL), key=differences)


def whole_network(section: Section) -> str:
    """Return the arm that is nearest to the network of the paper's text; of several, with most.

    One that crops otherwise than the paper is nearer to it than one that does not crop.
    """
    definition, text = section.plan.definition, {**_reference(TEXT), "precision": PRECISION}

    def distance(arm: str) -> tuple[int, int]:
        found = {**facets(definition.arms[arm]), "precision": definition.precisions_of[arm]}
        differences = sum(text[what] != value for what, value in found.items())
        return differences, sum(value == NONE for value in found.values())

    return min(definition.arms, key=distance)


def setting(section: Section) -> Mapping[str, str]:
    """Return the facets of a study's whole network, at the rate that it chose."""
    plan, arm = section.plan, whole_network(section)
    return facets(plan.compared(arm) if arm in plan.choices else plan.definition.arms[arm])


def _asked(section: Section) -> set[str]:
    """Return the facets in which arms differ, whatever rates they chose: the study's question."""
    first, *others = map(facets, section.plan.definition.arms.values())
    return {what for what, value in first.items() if any(o[what] != value for o in others)}


def _of_config(section: Section) -> list[_Values]:
    here, asked = setting(section), _asked(section)
    like = nearest(here)
    text, code = (None, like) if like in SMALL else (TEXT, CODE)
    rows = []
    for what, value in here.items():
        printed = _reference(text)[what] if text else _said(section, what)
        ran = _reference(code)[what]
        if what in asked and value == (printed if text else ran):
            continue
        if value not in (printed, ran):
            rows.append(_Values(what, value, printed, f"{ran} ({code})" if text is None else ran))
        elif text and value != printed:
            rows.append(_Values(what, value, printed, "the same"))
        elif value != ran:
            rows.append(_Values(what, value, "the same", ran if text else f"{ran} ({code})"))
    return rows


def _said(section: Section, what: str) -> str:
    """Return what the paper says of a network that it does not specify.

    Of Figure 1's, that it was trained without regularisation, section 3.1.
    """
    figure_1 = section.plan.definition.claim == "C09"
    return NONE if figure_1 and what in REGULARISATION else "not said"
