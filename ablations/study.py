"""A study: a question, its arms, what is compared, and the base on each dataset."""

import itertools
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from ablations.claims import CLAIMS
from ablations.contrast import Contrast, NormActive, Overfits, Reaches
from ablations.metrics import (
    EarlyLoss,
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    TimeTo,
    TimeToValid,
    TowerDifference,
    TowerRank,
    unmeasurable,
)
from alexnet.config import LRN, Config, Fraction, Frozen, GiveUp, Precision
from alexnet.config.effective import UNKNOWN, Images, why_alike
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import Quality, qualities
from alexnet.text import CONTROL, counted

NAME = r"^[a-z][a-z0-9_]*$"
"""Of a study, by which its files are called."""
ALPHA = 0.05
"""The chance of a false decision that a study allows itself, over all of its contrasts."""

Setting = Literal["paper", "closest reading", "stand-in", "own question"]
Shows = Literal["effects", "readings", "spread"]
"""What a study comes to: effects, readings of one effect ranked, or how far seeds come apart."""
Changes = dict[str, Any]
"""Of a config, as `Config.but` takes them."""
NOT_FOR_RATES = (TimeToValid, SameClass, TowerDifference, TowerRank, EnsembleError)
"""Metrics of several runs, or of what was learned beside the task: no rate is chosen by them."""
NEEDED: dict[Quality, str] = {
    "colour": "colour images",
    "mirror": "images whose mirror images are natural",
}


class Arm(Frozen):
    """One variant: what differs from the base, as changes or as a function of the base's config."""

    changes: Changes | Callable[[Config], Changes] = Field(default_factory=dict)
    label: str = ""  # what people read in sentences and figures; "": its name
    needs: tuple[Quality, ...] = ()  # of the images; where they lack it, the arm is left out
    precision: Precision | None = None  # None: the plan's
    tuned_as: str | None = None  # the arm whose rate it takes; None: its own is chosen
    rates: tuple[PositiveFloat, ...] = ()  # tried in this arm alone; none: those of the base
    # Added to every seed, for an arm whose runs are to be independent of all others':
    seeds_from: NonNegativeInt = 0

    def config(self, base: Config) -> Config:
        """Return the whole config of this arm."""
        # The checks of a study ask for the same few configs some ten times each.
        known, config = self._configs.get(id(base), (None, None))
        if config is None or known is not base:
            changes = self.changes(base) if callable(self.changes) else self.changes
            config = base.but(**changes)
            self._configs[id(base)] = base, config  # keeps the base, and so its id
        return config

    @cached_property
    def _configs(self) -> dict[int, tuple[Config, Config]]:
        return {}


def _trained_as(arm: Arm) -> tuple[Any, ...]:
    """Return what of an arm, its config apart, makes its runs other runs."""
    return arm.precision, arm.tuned_as, arm.rates, arm.seeds_from


def _as_arm(value: Any) -> Any:
    return Arm(changes=value) if callable(value) or isinstance(value, Mapping) else value


class Base(Frozen):
    """What all arms share on one dataset."""

    config: Config
    metric: Metric  # the primary one, by which rates are chosen
    rates: tuple[PositiveFloat, ...] = Field(min_length=1)  # tried in every arm alike
    give_up: GiveUp | None = None  # when a rate counts as hopeless, in every arm alike
    refine: bool = True  # go on beyond an edge of the grid, and closer to each arm's best rate
    setting: Setting = "own question"
    left_open: tuple[str, ...] = ()  # how this differs from, or fills in, what the paper says
    threads: PositiveInt | Literal["all"] = 1  # per run, cores if all; never follows --workers
    seeds: PositiveInt | None = None  # None: the study's
    first_seed: NonNegativeInt = 0  # of the planned ones; those before it have been seen elsewhere
    judged: bool = True  # False: a demonstration, shown without a verdict
    thresholds: tuple[Fraction, ...] = ()  # others at which the effect is shown, not judged
    passes: PositiveFloat | None = None  # over the images, the whole study, as measured once


class Study(Frozen):
    """A named comparison."""

    name: str = Field(pattern=NAME)
    title: str = ""
    asks: str = ""  # the question in a few words, for a list
    section: str = ""
    claim: str | None = None
    question: str
    paper_says: str = ""
    leaves_open: str = ""  # what the paper does not say
    we_chose: str = ""  # how that is filled in here, and why
    would_change: str = ""  # what would change the answer
    paper_dataset: str | None = None  # in the catalogue
    arms: dict[str, Annotated[Arm, BeforeValidator(_as_arm)]] = Field(min_length=1)
    contrasts: tuple[Contrast, ...] = Field(min_length=1)
    bases: dict[str, Base] = Field(
        min_length=1
    )  # by dataset; the first that can show it is the default
    seeds: PositiveInt = 10
    shows: Shows = "effects"
    one_by_one: bool = False  # contrast after contrast, not all arms together
    source: str = ""  # the file it is written in, filled in by whoever reads it
    # The study that this is with trainings of another length, and that; by `lengths.trained_for`:
    varies: str = ""
    epochs: PositiveInt | None = None
    # Arms that the images at hand cannot show, and what these lack; filled in by `on`:
    left_out: dict[str, tuple[Quality, ...]] = Field(default_factory=dict)

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that it is about."""
        named = (self.claim, *(contrast.claim for contrast in self.contrasts))
        return tuple(dict.fromkeys(claim for claim in named if claim is not None))

    def _shown(self, dataset: str) -> dict[str, Arm]:
        """Return the arms that a dataset of the catalogue can show; all, on another."""
        known = CATALOGUE.get(dataset)
        has = known.has if known else qualities(colour=True, mirror=True)
        return self._having(has)

    def _having(self, has: frozenset[Quality]) -> dict[str, Arm]:
        """Return the arms that images with these qualities can show, and whose rate they can."""
        able = {name for name, arm in self.arms.items() if has >= set(arm.needs)}
        return {
            name: arm
            for name, arm in self.arms.items()
            if name in able and (arm.tuned_as is None or arm.tuned_as in able)
        }

    def can_be_shown(self, has: frozenset[Quality]) -> bool:
        """Return whether images that have this leave something to compare."""
        arms = self._having(has)
        return any(set(contrast.arms) <= arms.keys() for contrast in self.contrasts)

    def on(self, dataset: str, has: frozenset[Quality]) -> Self:
        """Return this study without the arms and contrasts that a dataset cannot show.

        Raises:
            ValueError: If nothing is left to compare; says what the images lack.
        """
        arms = self._having(has)
        lacks = {name: set(arm.needs) - has for name, arm in self.arms.items() if name not in arms}
        left_out = {name: tuple(sorted(needs)) for name, needs in lacks.items()}
        contrasts = tuple(c for c in self.contrasts if set(c.arms) <= arms.keys())
        if not contrasts:
            needed = {need for arm in self.arms.values() for need in arm.needs} - has
            what = " and ".join(NEEDED[need] for need in sorted(needed))
            raise ValueError(f"{self.name} needs {what}, and {dataset} has none")
        shown = {"arms": arms, "contrasts": contrasts, "left_out": left_out}
        return self.model_copy(update=shown)

    def config(self, dataset: str, arm: str) -> Config:
        """Return the whole config of an arm on a dataset."""
        return self.arms[arm].config(self.bases[dataset].config)

    def seeds_on(self, dataset: str) -> int:
        """Return how many paired seeds are planned on a dataset."""
        return self.bases[dataset].seeds or self.seeds

    def rates_on(self, dataset: str, arm: str) -> tuple[float, ...]:
        """Return the rates that are tried in an arm on a dataset; of a follower, its leader's."""
        leader = self.arms[arm].tuned_as or arm
        return self.arms[leader].rates or self.bases[dataset].rates

    def alike_on(self, dataset: str, images: Images = UNKNOWN) -> str | None:
        """Say which arm changes nothing on a dataset, and why; None if each changes something.

        An arm in another precision, with seeds or rates of its own, or with another's rate is
        another training of the same network, and may be compared with it.

        Args:
            dataset: Of which the study has a base.
            images: What is known of its images.
        """
        shown = self._shown(dataset)
        for (name, arm), (other, against) in itertools.combinations(shown.items(), 2):
            if _trained_as(arm) != _trained_as(against):
                continue
            one, of_other = self.config(dataset, name), self.config(dataset, other)
            if why := why_alike(one, of_other, images):
                return (
                    f"arm {other!r} trains the same network as {name!r} on {dataset}: {why}; "
                    "change something that acts, or leave the arm out"
                )
        return None

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        texts = (self.title, self.section, self.question, self.paper_says, self.leaves_open,
                 self.we_chose, self.would_change, self.source,
                 *(arm.label for arm in self.arms.values()),
                 *(text for c in self.contrasts for text in (c.margin_reason, c.label, c.says)),
                 )  # fmt: skip
        for text in texts:
            if CONTROL.search(text or ""):
                raise ValueError(f"{text!a} has a control character, which no page can show")
        for name in self.arms:
            if not name or CONTROL.search(name):
                raise ValueError(f"{name!a} cannot be the name of an arm; use letters that show")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for claim in self.claims:
            if claim not in CLAIMS:
                raise ValueError(f"the paper has no claim {claim!r}; they are C01 to C30")
        known = ", ".join(self.arms)
        for contrast in self.contrasts:
            for missing in contrast.arms:
                if missing not in self.arms:
                    raise ValueError(f"a contrast names arm {missing!r}; the study has {known}")
        for name, arm in self.arms.items():
            leader = self.arms.get(arm.tuned_as or name)
            if leader is None or (arm.tuned_as is not None and leader.tuned_as is not None):
                raise ValueError(f"arm {name!r} takes the rate of {arm.tuned_as!r}, which has none")
            if arm.tuned_as is not None and arm.rates:
                raise ValueError(
                    f"arm {name!r} takes the rate of {arm.tuned_as!r}, so that rates of its own "
                    "would not be tried; leave out rates= or tuned_as="
                )
        for dataset, base in self.bases.items():
            for name, arm in self._shown(dataset).items():
                try:
                    arm.config(base.config)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"]))
                    said = first["msg"].removeprefix("Value error, ")
                    raise ValueError(f"arm {name!r}: {where}: {said}") from error
        return self

    @model_validator(mode="after")
    def _compares_different_things_once(self) -> Self:
        seen = set()
        for contrast in self.contrasts:
            weights = tuple(sorted((contrast.weights or {}).items()))
            what = (contrast.between, contrast.metric, contrast.against_metric, weights)
            if what in seen:
                raise ValueError(f"{contrast.between}: the same contrast twice")
            seen.add(what)
        for dataset in self.bases:
            if why := self.alike_on(dataset):
                raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _says_what_it_expects(self) -> Self:
        for base in self.bases.values():
            if isinstance(base.metric, NOT_FOR_RATES):
                raise ValueError(
                    f"rates cannot be chosen by {base.metric.kind}; name it in a "
                    "contrast, and another as the base's metric"
                )
            for contrast in self.contrasts:
                if wrong := contrast.wrong(contrast.metric or base.metric):
                    raise ValueError(f"{contrast.between}: {wrong}")
            if base.setting != "own question" and not (self.paper_dataset and self.claims):
                raise ValueError(f"setting {base.setting!r} needs a claim and the paper's dataset")
        return self

    @model_validator(mode="after")
    def _metrics_can_be_measured(self) -> Self:
        for dataset, base in self.bases.items():
            both = [m for c in self.contrasts for m in (c.metric, c.against_metric) if m]
            levels = (need for c in self.contrasts for need in c.preconditions)
            both += [need.metric for need in levels if isinstance(need, Reaches) and need.metric]
            metrics = [base.metric, *both]
            for arm in self._shown(dataset):
                config = self.config(dataset, arm)
                for metric in metrics:
                    if wrong := unmeasurable(metric, config):
                        raise ValueError(f"{arm}: {wrong}")
        return self

    @model_validator(mode="after")
    def _rates_suit_the_optimizer(self) -> Self:
        for dataset, base in self.bases.items():
            shown = self._shown(dataset)
            for name, arm in shown.items():
                leader = shown[arm.tuned_as or name]
                if leader.rates and leader is arm:
                    continue
                of = self.config(dataset, arm.tuned_as) if arm.tuned_as else base.config
                kind, other = (c.training.optimizer.kind for c in (self.config(dataset, name), of))
                if kind != other:
                    raise ValueError(
                        f"arm {name!r} trains with {kind}, and the rates that it would be given "
                        f"are for {other}; give it a grid of its own: Arm(rates=)"
                    )
        return self

    @model_validator(mode="after")
    def _rivals_are_tuned_alike(self) -> Self:
        for dataset, base in self.bases.items():
            shown = self._shown(dataset)
            for contrast in self.contrasts if base.judged else ():
                weighed = contrast.weights or (contrast.arm, contrast.against)
                sides = {arm for arm in weighed if arm in shown}
                tried = {arm: len(self.rates_on(dataset, arm)) for arm in sides}
                if contrast.judged and tried and min(tried.values()) == 1 < max(tried.values()):
                    given = min(tried, key=lambda arm: tried[arm])
                    raise ValueError(
                        f"{contrast.between}: {given} has one rate and its rival the best of "
                        f"{max(tried.values())}; give both a grid, or do not judge it"
                    )
        return self

    @model_validator(mode="after")
    def _preconditions_can_be_asked(self) -> Self:
        for dataset in self.bases:
            shown = self._shown(dataset)
            needs = [need for c in self.contrasts for need in c.preconditions if need.arm in shown]
            for need in needs:
                parts = self.config(dataset, need.arm).network.parts.values()
                norms = any(isinstance(part, LRN) for part in parts)
                if isinstance(need, NormActive) and not norms:
                    raise ValueError(
                        f"a precondition asks how active the normalisation of {need.arm!r} is, and "
                        f"on {dataset} it has none"
                    )
        return self

    @model_validator(mode="after")
    def _seeds_can_decide(self) -> Self:
        count = sum(contrast.judged for contrast in self.contrasts)
        if all(contrast.weights for contrast in self.contrasts if contrast.judged):
            return self  # which are tested by the spread of all runs together
        for dataset, base in self.bases.items():
            if not base.judged:
                continue
            units = min(
                map(self._units(dataset), (c for c in self.contrasts if c.judged)),
                default=self.seeds,
            )
            smallest = 2.0 ** (1 - units)
            if count * smallest >= ALPHA:
                needed = math.floor(1 + math.log2(count / ALPHA)) + 1
                of = (
                    ("seed",)
                    if units == self.seeds_on(dataset)
                    else ("group of seeds", "groups of seeds")
                )
                contrasts = counted(count, "contrast")
                most = math.ceil(ALPHA / smallest) - 1
                raise ValueError(
                    f"{counted(units, *of)} cannot decide {contrasts}: the smallest p-value of "
                    f"their exact test is 2/2^{units} = {smallest:.2g}, times {contrasts} "
                    f"{count * smallest:.2g}, which is not below {ALPHA:g}; plan "
                    f"{counted(needed, *of)}"
                    + (f", or at most {counted(most, 'contrast')}" if most else "")
                )
        return self

    def _units(self, dataset: str) -> Callable[[Contrast], int]:
        """Return how many values each side of a contrast has: of seeds, or groups of them."""
        seeds = self.seeds_on(dataset)

        def units(contrast: Contrast) -> int:
            metric = contrast.metric
            return seeds // metric.group if isinstance(metric, EnsembleError) else seeds

        return units


__all__ = [
    "ALPHA",
    "NEEDED",
    "Arm",
    "Base",
    "Changes",
    "Contrast",
    "EarlyLoss",
    "EnsembleError",
    "FinalError",
    "Gap",
    "Metric",
    "NormActive",
    "Overfits",
    "Reaches",
    "SameClass",
    "Setting",
    "Shows",
    "Study",
    "TimeTo",
    "TimeToValid",
    "TowerDifference",
    "TowerRank",
]  # fmt: skip
