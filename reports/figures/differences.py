"""How the difference between two arms moves while they train: it may not be what it ends at."""

from typing import NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import special

from ablations.contrast import Contrast
from ablations.plan import Plan
from alexnet.data.catalogue import called
from alexnet.learning_curve import running_curve
from alexnet.text import counted
from reports.analysis.comparable import Records
from reports.figures.pictures import LINES, styled
from reports.findings.sections import Section

MOST = 3
"""Pairs of arms up to which lines can be told apart."""
EVERY = 5
"""Points of a curve, which has ten an epoch, of which one is drawn."""


class Difference(NamedTuple):
    """The running training error of one arm minus the other's, paired by seed."""

    between: str
    epochs: NDArray[np.float64]  # (points,)
    mean: NDArray[np.float64]  # (points,), fractions
    half: NDArray[np.float64] | None  # (points,), half a 95 % interval; None of a single pair
    seeds: int


def differences(plan: Plan, records: Records) -> list[Difference]:
    """Return the difference of every pair of arms that are compared by an error, each once."""
    definition = plan.definition
    of_errors = {
        (contrast.arm, contrast.against): contrast
        for contrast in plan.contrasts
        if contrast.is_simple
        and contrast.arm != contrast.against
        and not (contrast.metric or definition.metric).is_ratio
    }
    found = (_difference(contrast, records) for contrast in of_errors.values())
    return [difference for difference in found if difference is not None]


def _difference(contrast: Contrast, records: Records) -> Difference | None:
    arm, against = records[contrast.arm], records[contrast.against]
    pairs = [
        (running_curve(arm[seed].curve), running_curve(against[seed].curve))
        for seed in arm
        if seed in against and arm[seed].curve and against[seed].curve
    ]
    length = min((len(curve.epochs) for pair in pairs for curve in pair), default=0)
    if not length:
        return None
    apart = np.array([mine.errors[:length] - other.errors[:length] for mine, other in pairs])
    half = None
    if len(pairs) > 1:
        critical = special.stdtrit(len(pairs) - 1, 0.975)
        half = critical * apart.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    epochs = pairs[0][0].epochs[:length]
    return Difference(contrast.compared, epochs, apart.mean(axis=0), half, len(pairs))


def draw_differences(section: Section) -> Figure | None:
    """Draw each difference against epochs with its interval; None without any, or with many."""
    plan, found = section.plan, differences(section.plan, section.records)
    if not 0 < len(found) <= MOST:
        return None
    with styled("ticks"):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color="0.75", linewidth=0.8)
        palette = sns.color_palette("colorblind", len(found))
        for number, (one, color) in enumerate(zip(found, palette, strict=True)):
            x, y = one.epochs[::EVERY], 100 * one.mean[::EVERY]
            style = LINES[number % len(LINES)]
            label = f"{one.between}, {counted(one.seeds, 'seed')}"
            axes.plot(x, y, color=color, linestyle=style, linewidth=1.6, label=label)
            if one.half is not None:
                half = 100 * one.half[::EVERY]
                axes.fill_between(x, y - half, y + half, color=color, alpha=0.2, linewidth=0)
        axes.set(xlabel="epochs", ylabel="difference of the running\ntraining error, points")
        axes.set_title(f"{called(plan.definition.dataset.name)}: the difference while training")
        axes.legend(frameon=False, fontsize=8)
        sns.despine(figure)
    return figure
