"""One arm by two metrics: what each seed came to by either, for figures that join them."""

from typing import NamedTuple

from reports.analysis.effect import Effect
from reports.analysis.outcomes import outcomes_of
from reports.findings.sections import Section
from reports.wording.formatting import ToldApart, told_apart


class Slope(NamedTuple):
    """The two values of each seed of one arm, and what their difference comes to.

    Fractions, or nats; of ensembles, a group of seeds is what a seed is elsewhere.
    """

    effect: Effect
    names: ToldApart  # of the metric, and of the one that is compared with
    before: tuple[float, ...]  # by the metric that is compared with
    after: tuple[float, ...]

    @property
    def mean_before(self) -> float:
        """The mean of those that are compared with."""
        return sum(self.before) / len(self.before)

    @property
    def mean_after(self) -> float:
        """The mean of the others."""
        return sum(self.after) / len(self.after)


def slopes(section: Section) -> list[Slope]:
    """Return a slope for every contrast of one arm by two metrics that has a pair of values."""
    found = []
    for effect in section.comparison.effects:
        contrast, metric = effect.contrast, effect.metric
        if contrast.against_metric is None or contrast.arm != contrast.against or not effect.pairs:
            continue
        before, after = (
            outcomes_of(section.plan, contrast.arm, by, section.records)
            for by in (contrast.against_metric, metric)
        )
        found.append(
            Slope(
                effect=effect,
                names=told_apart(metric, contrast.against_metric),
                before=tuple(before[seed].value for seed in effect.seeds),
                after=tuple(after[seed].value for seed in effect.seeds),
            )
        )
    return found


def is_of_slopes(section: Section) -> bool:
    """Return whether all that a study compares so far is one arm by two metrics."""
    compared = [effect for effect in section.comparison.effects if effect.pairs]
    return bool(compared) and len(slopes(section)) == len(compared)
