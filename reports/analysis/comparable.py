"""Whether the runs of a contrast can be compared at all: something was learned, something differs.

Arms that trained the same network, or none of which learned anything, have equal errors. That is
no evidence that what is between them has no effect.
"""

from collections.abc import Sequence

from ablations.contrast import Contrast
from ablations.metrics import EarlyLoss, Metric
from ablations.record import Record

Records = dict[str, dict[int, Record]]
"""Comparison runs that have a record, by arm and seed."""
NEAR_CHANCE = 0.05
"""Of the error of chance, within which a run has learned nothing; as runs are given up while
rates are chosen."""
WEIGHTS = "weights.safetensors"


def incomparable(contrast: Contrast, metric: Metric, records: Records) -> str | None:
    """Say why the runs of a contrast cannot be compared, whatever their numbers, or None."""
    together, pairs = diverged_together(contrast, records)
    if pairs and together == pairs:
        return "no pair has a run that trained, since all of them diverged"
    compared = _pairs(contrast, records)
    if compared and all(_same_network(*pair) for pair in compared):
        return "both arms trained the same networks: in every pair the weights are equal"
    # What is said of the first updates may be true of runs that end before they have learned much.
    learned = any(_left_chance(run) for pair in compared for run in pair)
    if compared and not learned and not isinstance(metric, EarlyLoss):
        return (
            "neither arm learned anything: no run came further from chance than "
            f"{100 * NEAR_CHANCE:g} points"
        )
    return None


def diverged_together(contrast: Contrast, records: Records) -> tuple[int, int]:
    """Return in how many pairs every run diverged, of how many: chance is equal to chance."""
    sides = [records[arm] for arm in contrast.compared_arms if arm in records]
    paired = set.intersection(*map(set, sides))
    together = [all(side[s].status == "diverged" for side in sides) for s in paired]
    return sum(together), len(together)


def _pairs(contrast: Contrast, records: Records) -> Sequence[tuple[Record, Record]]:
    """Return the pairs of runs of two arms; none where one arm is compared with itself.

    Of many arms at once, every arm with the first.
    """
    if contrast.weights is not None:
        first, *rest = (records[arm] for arm in contrast.weights)
        return [(first[seed], other[seed]) for other in rest for seed in first if seed in other]
    if contrast.number is not None or contrast.arm == contrast.against:
        return []
    here, there = records[contrast.arm], records[contrast.against]
    return [(here[seed], there[seed]) for seed in here if seed in there]


def _same_network(one: Record, other: Record) -> bool:
    """Return whether two runs ended with the same weights.

    By the digests of the files; weights that were not kept, by everything that was measured.
    """
    if one.status == other.status == "diverged":
        return False  # whose weights say nothing
    digests = [record.files.get(WEIGHTS) for record in (one, other)]
    if all(digests):
        return digests[0] == digests[1]
    return _seen(one) == _seen(other)


def _seen(record: Record) -> tuple[object, ...]:
    counted = [(epoch.errors, epoch.loss, epoch.losses) for epoch in record.curve]
    return record.measures, counted


def _left_chance(record: Record) -> bool:
    """Return whether a run ever erred clearly less than chance, on the images it learned."""
    errors = [epoch.error for epoch in record.curve]
    if record.measures is not None:
        errors.append(record.measures.train.top1_error)
    chance = 1 - 1 / record.run.config.network.classes
    return min(errors, default=chance) <= chance - NEAR_CHANCE
