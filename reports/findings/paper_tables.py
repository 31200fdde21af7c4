"""The paper's Tables 1 and 2 with the logs of 2012, and ours beside them on the same images.

Errors on other images are in a table of their own, with the number of classes and what chance
alone gives: they are no row of the paper's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablations.claims import CLAIMS, Number
from ablations.metrics import EnsembleError
from ablations.record import Record
from alexnet.config import Frozen
from alexnet.data.catalogue import called
from alexnet.measures import Measure
from alexnet.text import counted
from reports.analysis import statistics
from reports.findings.deviations import whole_network
from reports.findings.sections import Section, real

TABLE_1, TABLE_2 = "imagenet_2010", "imagenet"
"""The images of each, in the catalogue; Table 2's errors are on validation images, our ``test``."""
HUNDRED = 100.0


class Result(NamedTuple):
    """One network, or several averaged, on one dataset."""

    dataset: str
    name: str
    classes: int
    seeds: int
    one_view: str  # top-1 / top-5, percent, as read
    ten_views: str


def results(found: Sequence[Section]) -> list[Result]:
    """Return the errors of every study's whole network, of shared runs once."""
    rows: dict[frozenset[str], Result] = {}
    for section in real(found):
        arm = whole_network(section)
        if section.plan.definition.arms[arm].training.until is not None:
            continue  # runs that end at a threshold have no final error worth a table
        seen = [one for one in section.records[arm].values() if one.measures and one.measures.test]
        ids = frozenset(record.run.id for record in seen)
        if seen and not any(ids <= others for others in rows):
            rows = {others: row for others, row in rows.items() if not others < ids}
            rows[ids] = _result(section, arm, seen)
    averaged = [row for section in real(found) for row in _ensembles(section)]
    return sorted((*rows.values(), *averaged), key=lambda row: row.dataset)


def _result(section: Section, arm: str, records: Sequence[Record]) -> Result:
    config = section.plan.definition.arms[arm]
    views = [[r.measures.test for r in records if r.measures],
             [r.measures.test_ten for r in records if r.measures]]  # fmt: skip
    one, ten = (_errors([m for m in of_view if m is not None]) for of_view in views)
    return Result(
        dataset=section.comparison.dataset,
        name=f"{section.plan.definition.study}: {section.plan.label(arm)}"
        + _of_seeds(section, len(records)),
        classes=config.network.classes,
        seeds=len(records),
        one_view=one,
        ten_views=ten,
    )


def _of_seeds(section: Section, seen: int) -> str:
    """Return how many seeds a mean is over, where some diverged or are missing."""
    planned = len(section.plan.definition.seeds)
    return "" if seen == planned else f", {seen} of {counted(planned, 'seed')}"


def _errors(measures: Sequence[Measure]) -> str:
    """Return mean top-1 and top-5 errors, percent, with 95 % intervals over seeds."""
    if not measures:
        return "-"
    top5 = [m.top5_error for m in measures if m.top5_error is not None]
    return " / ".join((_mean([m.top1_error for m in measures]), _mean(top5)))


def _mean(errors: Sequence[float]) -> str:
    if not errors:
        return "-"
    interval = statistics.student_interval(HUNDRED * np.array(errors))
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.1f}"
    return f"{interval.mean:.1f} \u00b1 {(interval.high - interval.low) / 2:.1f}"


def _ensembles(section: Section) -> list[Result]:
    """Return averaged networks, as groups of seeds: top-1 alone is kept of them."""
    definition, rows = section.plan.definition, {}
    for effect in section.comparison.effects:
        for metric in (effect.metric, effect.contrast.against_metric):
            if not isinstance(metric, EnsembleError) or metric.networks == 1:
                continue
            arm = effect.contrast.arm
            errors = section.plan.ensembles.get(arm, {}).get(metric.key, ())
            if errors:
                rows[arm, metric.networks] = Result(
                    dataset=section.comparison.dataset,
                    name=f"{metric.networks} networks averaged",
                    classes=definition.arms[arm].network.classes,
                    seeds=len(errors) * metric.group,
                    one_view="-",
                    ten_views=f"{_mean(errors)} / -",
                )
    return list(rows.values())


class PaperTable(Frozen):
    """A table of the paper, in its form."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # whose, model, errors

    @property
    def frame(self) -> pd.DataFrame:
        """The table, every cell as it is read."""
        return pd.DataFrame(list(self.rows), columns=["whose", *self.columns])


def table_1(found: Sequence[Result]) -> PaperTable:
    """Return Table 1: errors on the test images of ILSVRC-2010."""
    best, ours = CLAIMS["C03"].paper, CLAIMS["C01"]
    rows = [
        ("paper", "Sparse coding [2]", *_pair(best[:2])),
        ("paper", "SIFT + FVs [24]", *_pair(best[2:])),
        ("paper", "CNN", *_pair(ours.paper)),
        (f"2012 log, {ours.log_runs}", "CNN", *_pair(ours.log, digits=4)),
        *(("ours", r.name, *_split(r.ten_views)) for r in found if r.dataset == TABLE_1),
    ]
    title = "Table 1: results on ILSVRC-2010, test images, ten views"
    return PaperTable(title=title, columns=("model", "top-1", "top-5"), rows=tuple(rows))


TABLE_2_PAPER = (
    ("SIFT + FVs [7]", "-", "-", "26.2 %"),
    ("1 CNN", "40.7 %", "18.2 %", "-"),
    ("5 CNNs", "38.1 %", "16.4 %", "16.4 %"),
    ("1 CNN*", "39.0 %", "16.6 %", "-"),
    ("7 CNNs*", "36.7 %", "15.4 %", "15.3 %"),
)
"""As printed; * pre-trained on all of ImageNet's release of fall 2011, with a sixth convolution."""


def table_2(found: Sequence[Result]) -> PaperTable:
    """Return Table 2: errors on ILSVRC-2012; its test labels were never published."""
    log = CLAIMS["C25"].log
    names = (("#145", "1 CNN"), ("#146-2012-2011", "1 CNN*"))
    logged = [
        (f"2012 log, {run}", name, *_pair(log[2 * i : 2 * i + 2], digits=4), "-")
        for i, (run, name) in enumerate(names)
    ]
    ours = [("ours", r.name, *_split(r.ten_views), "-") for r in found if r.dataset == TABLE_2]
    return PaperTable(
        title="Table 2: results on ILSVRC-2012, validation and test images, ten views",
        columns=("model", "top-1, validation", "top-5, validation", "top-5, test"),
        rows=(*(("paper", *row) for row in TABLE_2_PAPER), *logged, *ours),
    )


def elsewhere_table(found: Sequence[Result]) -> pd.DataFrame:
    """Return errors on images of other sets, with what chance alone gives; in no paper's table."""
    rows = [
        [
            called(r.dataset),
            r.name,
            r.classes,
            f"{HUNDRED * (1 - 1 / r.classes):.4g} %",
            r.seeds,
            r.one_view,
            r.ten_views,
        ]
        for r in found
        if r.dataset not in (TABLE_1, TABLE_2)
    ]
    columns = ["images", "network", "classes", "chance, top-1", "seeds",
               "one view, top-1 / top-5, %", "ten views, top-1 / top-5, %"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _pair(numbers: Sequence[Number], digits: int = 1) -> list[str]:
    return [f"{number.value:.{digits}f} %" for number in numbers]


def _split(errors: str) -> list[str]:
    top1, _, top5 = errors.partition(" / ")
    return [f"{text} %" if text not in ("", "-") else "-" for text in (top1, top5)]
