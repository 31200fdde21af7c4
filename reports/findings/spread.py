"""How far runs of one arm come out apart: standard deviations, with intervals."""

from typing import NamedTuple

import pandas as pd

from ablations.metrics import observe
from reports.analysis import statistics
from reports.findings.sections import Section
from reports.wording.formatting import metric_name, size, value


class Spread(NamedTuple):
    """One arm's spread over seeds, by the study's metric."""

    arm: str
    seeds: int
    mean: float
    deviation: statistics.Interval  # in the metric's unit
    # of its variance to the first arm's, if no run is in both:
    ratio: statistics.Interval | None = None


def spreads(section: Section) -> list[Spread]:
    """Return the spread of every arm that has at least three runs."""
    metric = section.plan.definition.metric
    found: list[Spread] = []
    first: dict[int, float] | None = None
    for arm, records in section.records.items():
        seen = {record.run.seed: observe(record, metric) for record in records.values()}
        values = {seed: one.value for seed, one in seen.items() if one is not None}
        first = values if first is None else first
        if len(values) < 3:
            continue
        interval = statistics.deviation_interval([*values.values()])
        mean = sum(values.values()) / len(values)
        found.append(Spread(arm, len(values), mean, interval, _ratio(values, first)))
    return found


def _ratio(values: dict[int, float], others: dict[int, float]) -> statistics.Interval | None:
    """Return the ratio of two variances, by seed; None where the runs are not independent."""
    if values.keys() & others.keys() or len(set(others.values())) < 2:
        return None
    return statistics.variance_ratio_interval([*values.values()], [*others.values()])


def spread_table(section: Section) -> pd.DataFrame:
    """Return a row an arm: how many seeds, their mean, their standard deviation."""
    metric = section.plan.definition.metric
    rows = [
        [
            one.arm,
            one.seeds,
            value(one.mean, metric),
            size(one.deviation.mean, metric),
            f"{size(one.deviation.low or 0, metric)} to {size(one.deviation.high or 0, metric)}",
            _as_share(one.ratio),
        ]
        for one in spreads(section)
    ]
    columns = [
        "arm", "seeds", metric_name(metric), "standard deviation", "95 % interval",
        "variance, of the first arm's",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _as_share(ratio: statistics.Interval | None) -> str:
    """Return how many times another variance one is, with its interval."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "-"
    return f"{ratio.mean:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
