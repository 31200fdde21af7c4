"""Many arms against one baseline: the baseline black, the others grey, each named at its end.

So many colours could not be told apart, and a legend would have to be looked up for each.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from alexnet.learning_curve import Curve
from reports.figures.pictures import short

LONGEST = 24  # letters of a name
SIZE = 8  # points
LINE = 1.35 * SIZE / 72  # inches that a name takes from the next
AROUND = 1.0  # inches of the figure's height that its axes do not have
AWAY = 14  # points from the axes to the names


def draw_many(
    axes: Axes, means: Mapping[str, Curve], baseline: str, called: Mapping[str, str]
) -> None:
    """Draw a mean curve for each arm, and its name to the right of where it ends.

    Args:
        axes: Where to; of training errors in percent against epochs.
        means: By arm.
        baseline: The arm that the others are compared with.
        called: What each arm is called.
    """
    for arm, mean in means.items():
        is_baseline = arm == baseline
        axes.plot(
            mean.epochs, 100 * mean.errors, color="black" if is_baseline else "0.62",
            linewidth=2.2 if is_baseline else 1.1, zorder=3 if is_baseline else 2,
        )  # fmt: skip
    ends = {arm: 100 * float(mean.errors[-1]) for arm, mean in means.items()}
    arms = sorted(ends, key=lambda arm: ends[arm])
    low, high = axes.get_ylim()
    gap = LINE / (axes.figure.bbox.height / axes.figure.dpi - AROUND) * (high - low)
    for arm, place in zip(arms, apart([ends[arm] for arm in arms], gap), strict=True):
        is_baseline = arm == baseline
        axes.annotate(
            short(called[arm], LONGEST), (float(means[arm].epochs[-1]), ends[arm]),
            xytext=(1.0, place), xycoords="data", textcoords=axes.get_yaxis_transform(),
            va="center", fontsize=SIZE, color="black" if is_baseline else "0.35",
            fontweight="bold" if is_baseline else "normal", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.8", "linewidth": 0.6, "shrinkA": 1,
                        "shrinkB": 1, "relpos": (0, 0.5)},
        )  # fmt: skip


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Return rising places moved as little as can be so that each is a gap from the next.

    The least sum of squares, by pooling neighbours that violate it (Barlow and others 1972).

    >>> apart([1.0, 1.0, 5.0], 1.0)
    [0.5, 1.5, 5.0]
    """
    pools: list[list[float]] = []  # each moves as one
    for number, place in enumerate(places):
        pools.append([place - number * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [float(np.mean(pool)) for pool in pools for _ in pool]
    return [at + number * gap for number, at in enumerate(level)]
