"""A factorial design as a figure: every network with what it has, and every effect."""

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alexnet.data.catalogue import called
from reports.analysis.effect import Effect
from reports.figures.pictures import styled
from reports.findings.factorial import Factorial
from reports.findings.sections import Section
from reports.wording.formatting import metric_name, unit
from reports.wording.sentences import effect_sentence

FAR = 4.0
"""Times what effects usually come to, beyond which one would leave no room for the others."""
PLAIN, QUIET = "0.15", "0.6"


def draw_factorial(section: Section, found: Factorial) -> Figure:
    """Draw networks from the best to the worst, with their ideas, above all effects."""
    definition = section.plan.definition
    metric = definition.metric
    scale = 100 if unit(metric) == "points" else 1
    rows = (len(found.networks), len(found.ideas) + len(found.together))
    with styled("ticks"):
        figure = Figure(figsize=(9, 1.8 + 0.24 * sum(rows)), layout="constrained")
        parts = figure.subfigures(2, 1, height_ratios=[1.6 + rows[0], 1.6 + rows[1]], squeeze=False)
        above, below = parts[:, 0]
        has, errors = above.subplots(1, 2, width_ratios=(1, 2.2), sharey=True)
        _draw_ideas(has, found)
        _draw_networks(errors, found, scale)
        errors.set_xlabel(f"{metric_name(metric)}{', %' if scale == 100 else ''}")
        above.suptitle(
            f"{called(definition.dataset.name)}: {section.plan.about.title}", x=0.01, ha="left",
            fontsize=10,
        )  # fmt: skip
        effects = below.subplots()
        _draw_effects(effects, found, scale)
        effects.set_xlabel(f"change of the {metric_name(metric)}, {unit(metric)}")
        for axes in (errors, effects):
            sns.despine(ax=axes)
        sns.despine(ax=has, left=True, bottom=True)
    return figure


def _draw_ideas(axes: Axes, found: Factorial) -> None:
    """Draw a dot where a network has an idea, and a ring where it has not."""
    for row, network in enumerate(found.networks):
        for column, is_there in enumerate(network.has):
            axes.plot([column], [row], "o", markersize=6, color=PLAIN if is_there else "none",
                      markeredgecolor=PLAIN if is_there else QUIET)  # fmt: skip
    names = [idea.contrast.compared.partition(" in place of ")[0] for idea in found.ideas]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(found.networks) - 0.5, -0.5)


def _draw_networks(axes: Axes, found: Factorial, scale: float) -> None:
    """Draw what the runs of each network came to, and their mean."""
    color = sns.color_palette("colorblind")[0]
    for row, network in enumerate(found.networks):
        values = scale * np.array(network.values)
        axes.plot(values, [row] * len(values), "o", color=QUIET, markersize=3)
        axes.plot([values.mean()], [row], "|", color=color, markersize=11, markeredgewidth=2)
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.set_xlim(low, high)
    axes.tick_params(axis="y", length=0)


def _draw_effects(axes: Axes, found: Factorial, scale: float) -> None:
    """Draw a row for each effect with its interval and size; those of two ideas below a rule."""
    effects = (*found.ideas, *found.together)
    most = _room(effects, scale)
    colors = sns.color_palette("colorblind")
    for row, effect in enumerate(effects):
        margin = scale * effect.margin
        axes.fill_betweenx([row - 0.4, row + 0.4], -margin, margin, color="0.92", linewidth=0)
        if effect.estimate is None:
            continue
        at = scale * effect.estimate
        color = colors[0] if row < len(found.ideas) else PLAIN
        if abs(at) > most:  # it would leave the others no room: an arrow, and its number beside
            axes.plot([np.sign(at) * 0.97 * most], [row], "<" if at < 0 else ">", color=color)
        else:
            ends = (effect.low, effect.high)
            spread = None
            if None not in ends:
                spread = [[scale * abs(end - effect.estimate)] for end in ends if end is not None]
            axes.errorbar([at], [row], xerr=spread, fmt="o", color=color, capsize=3, markersize=5)
        axes.annotate(
            effect_sentence(effect), (1.01, row), xycoords=("axes fraction", "data"), va="center",
            fontsize=8.5, color=PLAIN, annotation_clip=False,
        )  # fmt: skip
    axes.axvline(0, color="0.75", linewidth=0.8, zorder=0)
    axes.axhline(len(found.ideas) - 0.5, color="0.8", linewidth=0.8)
    axes.set_yticks(range(len(effects)), [effect.contrast.compared for effect in effects])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.set_xlim(-most, most)


def _room(effects: Sequence[Effect], scale: float) -> float:
    """Return how far the axis goes: to every interval's end, but for an effect far beyond most."""
    sizes = [abs(effect.estimate or 0.0) for effect in effects]
    usual = max(float(np.median(sizes)), max(effect.margin for effect in effects))
    kept = [e for e, size in zip(effects, sizes, strict=True) if size <= FAR * usual]
    ends = [abs(end) for e in kept for end in (e.low, e.high, e.estimate) if end is not None]
    return 1.1 * scale * max([usual, *ends])
