"""Standard deviations over seeds with their intervals, as a figure."""

import seaborn as sns
from matplotlib.figure import Figure

from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.figures.pictures import styled
from reports.findings.sections import Section
from reports.findings.spread import spreads
from reports.wording.formatting import metric_name


def draw_spread(section: Section) -> Figure | None:
    """Draw each arm's standard deviation with its interval; None without any."""
    plan, found = section.plan, spreads(section)
    if not found:
        return None
    metric = plan.definition.metric
    scale = 1 if metric.is_ratio else 100
    with styled("ticks"):
        figure = Figure(figsize=(9, 1.4 + 0.42 * len(found)), layout="constrained")
        axes = figure.subplots()
        for row, one in enumerate(found):
            at, low, high = (scale * (end or 0.0) for end in one.deviation)
            axes.errorbar(
                [at], [row], xerr=[[at - low], [high - at]], fmt="o", capsize=3,
                color=sns.color_palette("colorblind")[0],
            )  # fmt: skip
        names = [f"{plan.label(one.arm)}, {counted(one.seeds, 'seed')}" for one in found]
        axes.set_yticks(range(len(found)), names)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlim(0, None)
        axes.set_xlabel(f"standard deviation of the {metric_name(metric)} over seeds, points")
        axes.set_title(f"{called(plan.definition.dataset.name)}: {plan.about.title}", loc="left")
        sns.despine(figure)
    return figure
