"""The paper's figures, redrawn from plans and records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.metrics import TimeTo
from ablations.plan import Plan
from alexnet.data import catalogue
from alexnet.learning_curve import Curve, running_curve
from alexnet.text import counted
from reports.analysis.comparable import Records
from reports.analysis.comparison import speed_ups
from reports.analysis.effect import ON_THE_PAPERS_DATA, Effect
from reports.figures.contrasts import draw_contrasts, in_lines, row_name
from reports.figures.factorial import draw_factorial
from reports.figures.many_arms import draw_many
from reports.figures.pictures import LINES, short, styled
from reports.figures.readings import draw_readings
from reports.figures.slopes import draw_slopes
from reports.figures.spread import draw_spread
from reports.findings.factorial import factorial_of
from reports.findings.sections import MANY, THIN, Section, baseline_of_many
from reports.findings.slopes import is_of_slopes
from reports.findings.spread import spreads
from reports.wording.formatting import unit
from reports.wording.sentences import effect_sentence

Curves = dict[str, dict[int, Curve]]
"""Running curves, by arm and seed."""

LONGEST = 34  # letters of a name in a legend
POINTS = 40
"""Thresholds at which the speed-up curve is drawn."""


def draw(section: Section, labels: Mapping[str, str] | None = None) -> Figure | None:
    """Draw running training error against epochs and, beside it, what the study compares.

    After the paper's Figure 1: for times, the speed-up at every threshold; for all else, every
    contrast with its seeds, its interval and the paper's number. Where one arm is compared by two
    metrics, whose curve would say nothing of it, the two values of each seed are joined.

    Until the first comparison runs exist, the runs that choose the rates are drawn, and said to
    be that. None if there are no runs at all. A study of readings or of spread has its own figure.

    Args:
        section: What was asked, its records, and what they come to.
        labels: What arms are called in place of their own labels.
    """
    plan = section.plan
    if plan.about.shows == "spread" and spreads(section):
        return draw_spread(section)
    if plan.about.shows == "readings" and plan.choices:
        return draw_readings(section)
    if (factorial := factorial_of(section)) is not None:
        return draw_factorial(section, factorial)
    if is_of_slopes(section):
        return draw_slopes(section)
    drawn = comparison_curves(section.records)
    tuning = not any(drawn.values())
    if tuning:
        drawn = {
            arm: dict(enumerate(running_curve(r.curve) for r in section.rates_tried.get(arm, ())))
            for arm in plan.definition.arms
        }
    if not any(drawn.values()):
        return None
    called = {arm: (labels or {}).get(arm, plan.label(arm)) for arm in plan.definition.arms}
    comparison = section.comparison
    effects = [_labelled(effect, labels or {}) for effect in comparison.effects]
    with styled("ticks"):
        baseline = baseline_of_many(section)
        figure = Figure(figsize=(9, _height(effects, baseline)), layout="constrained")
        if tuning:
            draw_curves(figure.subplots(), plan, drawn, tuning, called)
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1.75, 1))
            if baseline is None:
                draw_curves(left, plan, drawn, tuning, called)
            else:
                means = {arm: mean_curve(list(d.values())) for arm, d in drawn.items() if d}
                draw_many(left, means, baseline, called)
                _finish_curves(left, plan, drawn, plan.about.title)
            if isinstance(effects[0].metric, TimeTo):
                draw_speed_ups(right, section.records, effects, called)
            else:
                own = comparison.setting in ON_THE_PAPERS_DATA
                rows = effects if baseline is None else _sorted_by_size(effects)
                draw_contrasts(right, rows, own, baseline)
        sns.despine(figure)
    return figure


def _height(effects: Sequence[Effect], baseline: str | None) -> float:
    """Return inches in which every contrast has room for the lines of its name."""
    names = [in_lines(row_name(effect, effects, baseline)) for effect in effects]
    lines = max(name.count("\n") for name in names) + 1
    least = 0.6 if baseline is None else 0.45
    return max(4.2, 1.2 + len(effects) * max(least, 0.1 + 0.17 * lines))


def _sorted_by_size(effects: Sequence[Effect]) -> list[Effect]:
    """Return the largest rise first; what is in another unit than the first contrast, last."""
    first = unit(effects[0].metric)
    return sorted(effects, key=lambda e: (unit(e.metric) != first, -(e.estimate or 0.0)))


def _labelled(effect: Effect, labels: Mapping[str, str]) -> Effect:
    """Return an effect some of whose arms are called otherwise, and so what compares them."""
    contrast = effect.contrast
    if not labels.keys() & set(contrast.arms):
        return effect
    called = dict(contrast.arm_labels) | dict(labels)
    words = contrast.but(label="", arm_labels=tuple(called.items()))
    return effect.model_copy(update={"contrast": words})


def comparison_curves(records: Records) -> Curves:
    """Return the curves of comparison runs that have any."""
    return {
        arm: {seed: running_curve(r.curve) for seed, r in found.items() if r.curve}
        for arm, found in records.items()
    }


def draw_curves(
    axes: Axes,
    plan: Plan,
    drawn: Curves,
    tuning: bool,
    called: Mapping[str, str],
) -> None:
    """Draw running training error against epochs: a line per run and, of comparisons, their mean.

    The line of a comparison run is called ``curve-<place of its arm>-<seed>``, so that a page can
    say which run it is.

    Args:
        axes: Where to.
        plan: What was compared.
        drawn: The curves.
        tuning: Whether they are of the runs that choose the rates.
        called: What each arm is called.
    """
    definition = plan.definition
    palette = sns.color_palette("colorblind", len(definition.arms))
    arms = list(definition.arms)[::-1]  # the paper's new idea first, as a solid line
    every = tuning or sum(map(len, drawn.values())) <= THIN
    for number, arm in enumerate(arms):
        curves = list(drawn[arm].values())
        look: dict[str, Any] = {"color": palette[number], "linestyle": LINES[number % len(LINES)]}
        for seed, curve in drawn[arm].items() if every else ():
            (line,) = axes.plot(curve.epochs, 100 * curve.errors, linewidth=0.6, alpha=0.45, **look)
            if not tuning:
                line.set_gid(f"curve-{len(arms) - 1 - number}-{seed}")
        if not curves:
            continue
        seeds = counted(len(curves), "seed")
        kind = "tuning runs" if tuning else f"rate {plan.choices[arm].rate:g}, {seeds}"
        label = f"{short(called[arm], LONGEST)}, {kind}"
        if tuning:
            axes.plot([], [], linewidth=2, label=label, **look)
        else:
            mean = mean_curve(curves)
            axes.plot(mean.epochs, 100 * mean.errors, linewidth=2.2, label=label, **look)
    _finish_curves(axes, plan, drawn, "choosing the rates" if tuning else plan.about.title)
    if len(arms) <= MANY:
        axes.legend(frameon=False, loc="best")
    else:  # a long one would lie over the curves
        axes.figure.legend(frameon=False, loc="outside lower left", ncols=2, fontsize=8)


def _finish_curves(axes: Axes, plan: Plan, drawn: Curves, title: str) -> None:
    """Draw what curves of training errors have around them, whatever they are of."""
    threshold = getattr(plan.definition.metric, "training_error", None)
    if threshold is not None:
        _mark(axes, 100 * threshold, f"{100 * threshold:g} %", dashes=(1, 2))
    axes.set(xlabel="epochs", ylabel="training error, running, %", xlim=(0, None))
    starts = [curve.errors[0] for of_arm in drawn.values() for curve in of_arm.values()]
    highest = 100 * max([threshold or 0.0, *starts])
    axes.set_ylim(None, min(100, highest + 3))
    axes.set_title(f"{catalogue.called(plan.definition.dataset.name)}: {title}")


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Return the mean over seeds, as far as all of them go: beyond, only slow ones are left."""
    length = min(len(curve.epochs) for curve in curves)
    errors = np.mean([curve.errors[:length] for curve in curves], axis=0)
    return Curve(curves[0].epochs[:length], errors)


def _mark(axes: Axes, height: float, text: str, dashes: tuple[int, int]) -> None:
    """Draw a quiet line across, with what it stands for at its right end."""
    axes.axhline(height, color="0.35", linewidth=0.8, linestyle=(0, dashes))
    axes.annotate(
        text,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        color="0.35",
    )


def draw_speed_ups(
    axes: Axes, records: Records, several: Sequence[Effect], called: Mapping[str, str]
) -> None:
    """Draw the speed-up of each contrast of times, at every training error to its threshold."""
    effects = [effect for effect in several if effect.metric.is_ratio]
    palette = sns.color_palette("colorblind", len(effects))
    papers = {e.contrast.paper for e in effects if e.contrast.paper is not None}
    highest = max(papers, default=1.0)
    for paper in papers:
        _mark(axes, paper, f"the paper: {paper:g}", dashes=(4, 2))
    axes.axhline(1, color="0.75", linewidth=0.8)
    for effect, color in zip(effects, palette, strict=True):
        highest = max(highest, _draw_speed_up(axes, records, effect, color))
    axes.set_ylim(0, 1.15 * highest)  # a wide band of few seeds may leave the picture
    axes.set_xlabel("training error reached, %")
    if len(effects) == 1:
        axes.set_title(effect_sentence(effects[0]), wrap=True)
        axes.set_ylabel(f"{called[effects[0].contrast.arm]}'s speed-up, times")
    else:
        axes.set_ylabel("speed-up, times")
        axes.legend(frameon=False, fontsize=8)
    axes.invert_xaxis()


def _draw_speed_up(axes: Axes, records: Records, effect: Effect, color: Any) -> float:
    """Draw one contrast's speed-up; return the largest that was drawn."""
    contrast, metric = effect.contrast, effect.metric
    arms, against = records[contrast.arm], records[contrast.against]
    seeds = [seed for seed in arms if seed in against]
    sides = [[side[seed] for seed in seeds] for side in (arms, against)]
    curves = [running_curve(record.curve) for side in sides for record in side if record.curve]
    if not curves or not isinstance(metric, TimeTo):
        return 1.0
    first = min(curve.errors[0] for curve in curves)
    thresholds = np.linspace(first, metric.training_error, POINTS)
    found = speed_ups(sides[0], sides[1], [float(t) for t in thresholds])
    x = [100 * point.training_error for point in found]
    look = {"color": color, "linewidth": 2, "label": effect.contrast.compared}
    axes.plot(x, [point.estimate for point in found], **look)
    if all(point.low is not None for point in found):
        low, high = ([getattr(point, side) for point in found] for side in ("low", "high"))
        axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    if effect.estimate is not None and effect.bound == "none":
        spread = None
        if effect.low is not None and effect.high is not None:
            spread = [[effect.estimate - effect.low], [effect.high - effect.estimate]]
        at = [100 * metric.training_error]
        axes.plot(at * len(effect.by_seed), effect.by_seed, "o", color="0.6", markersize=2.5)
        axes.errorbar(at, [effect.estimate], spread, fmt="o", color=color, capsize=3)
    return max((point.estimate for point in found), default=1.0)
