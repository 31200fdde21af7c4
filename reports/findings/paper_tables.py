"""The paper's Tables 1 and 2 with the logs of 2012, and ours beside them on the same images.

Errors on other images are in tables of their own, in the same form, with the number of classes and
what chance alone gives: they are no row of the paper's.
"""

from collections.abc import Iterator, Sequence
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
from reports.findings.deviations import whole_network
from reports.findings.sections import Section, real

TABLE_1, TABLE_2 = "imagenet_2010", "imagenet"
"""The images of each, in the catalogue; Table 2's errors are on validation images, our ``test``."""
FIVE = 5
"""Guesses that a top-5 error allows."""


class Error(Frozen):
    """An error over several runs, fractions."""

    mean: float
    deviation: float | None  # standard deviation over what the mean is of; None: of one alone

    @property
    def shown(self) -> str:
        """The mean as the paper prints errors, and one standard deviation, in percent."""
        apart = "" if self.deviation is None else f" \N{PLUS-MINUS SIGN} {100 * self.deviation:.2f}"
        return f"{100 * self.mean:.1f}{apart} %"


class Result(Frozen):
    """One network, or several averaged, on one dataset."""

    dataset: str
    network: str  # study: arm
    classes: int
    networks: int  # whose probabilities are averaged
    over: str  # what the means are over, in words
    top1: Error | None
    top5: Error | None
    top1_ten: Error | None  # of ten views
    top5_ten: Error | None

    @property
    def model(self) -> str:
        """The model as the paper's Table 2 calls it."""
        return "1 CNN" if self.networks == 1 else f"{self.networks} CNNs"


def results(found: Sequence[Section]) -> list[Result]:
    """Return the errors of every study's whole network, of shared runs once.

    Averaged networks follow those that they are averages of.
    """
    rows: dict[frozenset[str], Result] = {}
    for section in real(found):
        arm = whole_network(section)
        if section.plan.definition.arms[arm].training.until is not None:
            continue  # runs that end at a threshold have no final error worth a table
        seen = [one for one in section.records[arm].values() if one.measures and one.measures.test]
        ids = _ids(seen)
        if seen and not any(ids <= others for others in rows):
            rows = {others: row for others, row in rows.items() if not others < ids}
            rows[ids] = _result(section, arm, seen)
    averaged: dict[tuple[str, str, int], Result] = {}
    for section in real(found):
        for row in _ensembles(section, rows):
            averaged.setdefault((row.dataset, row.network, row.networks), row)
    singles = list(rows.values())
    places = {(row.dataset, row.network): place for place, row in enumerate(singles)}
    return sorted(
        (*singles, *averaged.values()),
        key=lambda row: (
            row.dataset,
            places.get((row.dataset, row.network), len(places)),
            row.networks,
        ),
    )


def _ids(records: Sequence[Record]) -> frozenset[str]:
    return frozenset(record.run.id for record in records)


def _name(section: Section, arm: str) -> str:
    return f"{section.plan.definition.study}: {section.plan.label(arm)}"


def _result(section: Section, arm: str, records: Sequence[Record]) -> Result:
    one, ten = (
        [m for m in of_view if m is not None]
        for of_view in zip(*((r.measures.test, r.measures.test_ten) for r in records if r.measures),
                           strict=True)
    )  # fmt: skip
    return Result(
        dataset=section.comparison.dataset,
        network=_name(section, arm),
        classes=section.plan.definition.arms[arm].network.classes,
        networks=1,
        over=_over_seeds(section, len(records)),
        top1=_error([m.top1_error for m in one]),
        top5=_top5(one),
        top1_ten=_error([m.top1_error for m in ten]),
        top5_ten=_top5(ten),
    )


def _over_seeds(section: Section, seen: int) -> str:
    """Return how many seeds a mean is over, and of how many where some diverged or are missing."""
    planned = len(section.plan.definition.seeds)
    several = counted(planned, "seed")
    return several if seen == planned else f"{seen} of {several}"


def _top5(measures: Sequence[Measure]) -> Error | None:
    return _error([m.top5_error for m in measures if m.top5_error is not None])


def _error(errors: Sequence[float]) -> Error | None:
    """Return mean and standard deviation; None of nothing."""
    if not errors:
        return None
    deviation = float(np.std(errors, ddof=1)) if len(errors) > 1 else None
    return Error(mean=float(np.mean(errors)), deviation=deviation)


def _ensembles(section: Section, single: dict[frozenset[str], Result]) -> Iterator[Result]:
    """Yield averaged networks, as groups of seeds; by ten views, and top-1 alone is kept of them.

    Each is called as the single network whose runs they are, where that has a row.
    """
    definition = section.plan.definition
    for effect in section.comparison.effects:
        for metric in (effect.metric, effect.contrast.against_metric):
            if not isinstance(metric, EnsembleError) or metric.networks == 1:
                continue
            arm = effect.contrast.arm
            errors = section.plan.ensembles.get(arm, {}).get(metric.key, ())
            if not errors:
                continue
            runs = _ids([*section.records[arm].values()])
            names = (row.network for ids, row in single.items() if ids & runs)
            groups = "1 group" if len(errors) == 1 else f"{len(errors)} groups"
            yield Result(
                dataset=section.comparison.dataset,
                network=next(names, _name(section, arm)),
                classes=definition.arms[arm].network.classes,
                networks=metric.networks,
                over=f"{groups} of {metric.group} seeds",
                top1=None,
                top5=None,
                top1_ten=_error(errors),
                top5_ten=None,
            )


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
        *(("ours", *_of_ten_views(row)) for row in found if row.dataset == TABLE_1),
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
    ours = [("ours", *_of_ten_views(row), "-") for row in found if row.dataset == TABLE_2]
    return PaperTable(
        title="Table 2: results on ILSVRC-2012, validation and test images, ten views",
        columns=("model", "top-1, validation", "top-5, validation", "top-5, test"),
        rows=(*(("paper", *row) for row in TABLE_2_PAPER), *logged, *ours),
    )


def _of_ten_views(row: Result) -> tuple[str, str, str]:
    """Return the model and its errors, as they stand among the paper's."""
    averaged = f"{row.model}, " if row.networks > 1 else ""
    seeds = f", {row.over}" if row.networks > 1 or " of " in row.over else ""
    return f"{averaged}{row.network}{seeds}", _shown(row.top1_ten), _shown(row.top5_ten)


class Elsewhere(NamedTuple):
    """Errors on other images than the paper's, in the form of its Table 2."""

    dataset: str
    classes: int
    rows: list[Result]

    @property
    def title(self) -> str:
        """The images, their classes, and what guessing gives."""
        top1, top5 = chance(self.classes, 1), chance(self.classes, FIVE)
        by_five = "" if top5 == "-" else f", {top5} top-5"
        return (
            f"{called(self.dataset)}: {self.classes:,} classes; chance level {top1} top-1{by_five}"
        )

    @property
    def frame(self) -> pd.DataFrame:
        """The table, every cell as it is read."""
        return pd.DataFrame([_cells(row) for row in self.rows], columns=CELLS)


CELLS = ["model", "network", "top-1", "top-5", "top-1, ten views", "top-5, ten views", "over"]


def _cells(row: Result) -> list[str]:
    errors = (row.top1, row.top5, row.top1_ten, row.top5_ten)
    return [row.model, row.network, *map(_shown, errors), row.over]


def _shown(error: Error | None) -> str:
    return "-" if error is None else error.shown


def chance(classes: int, guesses: int) -> str:
    """Return the error of so many guesses among equally likely classes; a dash if none can err.

    >>> chance(10, 1), chance(10, 5), chance(1000, 1), chance(3, 5)
    ('90 %', '50 %', '99.9 %', '-')
    """
    return "-" if guesses >= classes else f"{100 * (1 - guesses / classes):.4g} %"


def elsewhere(found: Sequence[Result]) -> list[Elsewhere]:
    """Return errors on images of other sets, a table for each; in no paper's table."""
    tables: dict[tuple[str, int], list[Result]] = {}
    for row in found:
        if row.dataset not in (TABLE_1, TABLE_2):
            tables.setdefault((row.dataset, row.classes), []).append(row)
    return [Elsewhere(*of, rows) for of, rows in tables.items()]


def elsewhere_table(found: Sequence[Result]) -> pd.DataFrame:
    """Return all of them as one table, with the images, their classes and chance in each row."""
    rows = [
        [
            called(table.dataset),
            table.classes,
            chance(table.classes, 1),
            chance(table.classes, FIVE),
            *_cells(row),
        ]
        for table in elsewhere(found)
        for row in table.rows
    ]
    columns = ["images", "classes", "chance, top-1", "chance, top-5", *CELLS]
    return pd.DataFrame(rows, columns=columns)


def _pair(numbers: Sequence[Number], digits: int = 1) -> list[str]:
    return [f"{number.value:.{digits}f} %" for number in numbers]
