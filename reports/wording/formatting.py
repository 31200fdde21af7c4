"""Numbers, times, metrics and effects as people read them."""

from typing import NamedTuple

from ablations.contrast import Contrast
from ablations.metrics import (
    EarlyLoss,
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    TimeTo,
    TimeToValid,
    TowerDifference,
    TowerRank,
)

DAY, YEAR = 86_400, 365.25 * 86_400


def times(value: float | None) -> str:
    """Return a ratio or a number of epochs to three figures.

    >>> times(1.4149), times(12.34), times(None)
    ('1.41', '12.3', '-')
    """
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def two_figures(value: float) -> str:
    """Return a number to two figures, as a picture has it; whole where it is above ten.

    >>> [two_figures(one) for one in (3.5425, 0.244, 6.0, 12.6, 104.2, -0.003, 0.0)]
    ['3.5', '0.24', '6', '13', '104', '\u22120.003', '0']
    """
    if abs(value) < 0.0001:
        return "0"
    shown = f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.2g}"
    return shown.replace("-", "\u2212")


def percent(fraction: float) -> str:
    """Return a fraction in percent, as short as it can be.

    >>> percent(0.25), percent(0.125)
    ('25 %', '12.5 %')
    """
    return f"{100 * fraction:.4g} %"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(42), duration(330), duration(9000), duration(4e5), duration(3e8)
    ('40 s', '6 min', '2.5 h', '5 days', '9.5 years')
    """
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    if seconds < 3 * DAY:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / DAY:.0f} days" if seconds < YEAR else f"{seconds / YEAR:.1f} years"


def clock(seconds: float) -> str:
    """Return a time since a start, as a watch shows it.

    >>> clock(42), clock(330), clock(9000)
    ('0:42', '5:30', '2:30:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metric_name(metric: Metric) -> str:
    """Return what is compared, as it stands after "its" or above a column.

    >>> metric_name(TimeTo(training_error=0.25)), metric_name(FinalError(views="ten"))
    ('epochs to 25 % training error', 'top-1 test error over ten views')
    """
    match metric:
        case TimeTo(training_error=error):
            return f"epochs to {percent(error)} training error"
        case FinalError(part=part, views=views, top=top):
            named = {"train": "clean training", "valid": "held-out", "test": "test"}[part]
            return f"top-{top} {named} error" + (" over ten views" if views == "ten" else "")
        case Gap():
            return "test error minus clean training error"
        case EarlyLoss(share=share):
            return f"mean loss over the first {percent(share)} of training"
        case TimeToValid():
            return "epochs to the held-out error that both end with"
        case SameClass(by=by):
            last = "the last hidden layer"
            how = {"hidden": last, "untrained": f"{last} before training"}.get(by, by)
            return f"nearest images of the same class, by {how}"
        case TowerDifference(kernels=kernels):
            return "difference of the towers' colour selectivity" + (
                ", kernels shuffled" if kernels == "shuffled" else ""
            )
        case TowerRank(kernels="as trained"):
            return "deals by chance in which the towers differ less in colour"
        case TowerRank():
            return "what chance leaves"
        case EnsembleError(networks=1):
            return "top-1 test error of one network over ten views"
        case EnsembleError(networks=networks):
            return f"top-1 test error of {networks} networks over ten views"


def measured(contrast: Contrast, metric: Metric) -> str:
    """Return by what a contrast is measured, both metrics where the same runs are seen twice."""
    other = contrast.against_metric
    return metric_name(metric) + (f", minus {metric_name(other)}" if other else "")


class ToldApart(NamedTuple):
    """Two metrics of one kind: what both measure, and what each is called beside the other."""

    both: str
    one: str
    other: str


def told_apart(one: Metric, other: Metric) -> ToldApart:
    """Return what two metrics have in common and what is each one's own.

    >>> told_apart(FinalError(views="ten"), FinalError())
    ToldApart(both='top-1 test error', one='ten views', other='one view')
    >>> told_apart(SameClass(by="hidden"), SameClass(by="pixels")).one
    'by the last hidden layer'
    """
    match one, other:
        case FinalError(), FinalError() if one.but(views=other.views) == other:
            shown = {"one": "one view", "ten": "ten views"}
            both = metric_name(one.but(views="one"))
            return ToldApart(both, shown[one.views], shown[other.views])
        case EnsembleError(), EnsembleError():
            names = (f"{n} network{'s' * (n > 1)}" for n in (one.networks, other.networks))
            return ToldApart("top-1 test error over ten views", *names)
        case SameClass(), SameClass():
            last = "by the last hidden layer"
            by = {"hidden": last, "untrained": f"{last} before training", "pixels": "by pixels"}
            return ToldApart("nearest images of the same class", by[one.by], by[other.by])
        case TowerDifference(), TowerDifference():
            return ToldApart(metric_name(TowerDifference()), one.kernels, other.kernels)
        case TowerRank(), TowerRank():
            return ToldApart(metric_name(TowerRank()), one.kernels, other.kernels)
        case _:
            unit_of_both = "mean loss" if isinstance(one, EarlyLoss) else "error"
            return ToldApart(unit_of_both, metric_name(one), metric_name(other))


def value(number: float | None, metric: Metric) -> str:
    """Return one run's or arm's value of a metric: epochs, percent or nats."""
    if number is None:
        return "-"
    if metric.is_ratio:
        return times(number)
    return f"{number:.3f}" if isinstance(metric, EarlyLoss) else f"{100 * number:.2f} %"


def change(number: float | None, metric: Metric) -> str:
    """Return an effect without its unit: a factor, signed points, or signed nats."""
    if number is None:
        return "-"
    if metric.is_ratio:
        return times(number)
    return f"{number:+.3f}" if isinstance(metric, EarlyLoss) else f"{100 * number:+.2f}"


def unit(metric: Metric) -> str:
    """Return the unit of an effect."""
    if metric.is_ratio:
        return "times"
    return "nats" if isinstance(metric, EarlyLoss) else "points"


def paper_size(contrast: Contrast, metric: Metric) -> str:
    """Return the paper's effect as it is printed, or a dash where it gives none."""
    number = contrast.paper
    if number is None:
        return "-"
    return f"{100 * number if unit(metric) == 'points' else number:.4g}"


def printed(contrast: Contrast, metric: Metric) -> str:
    """Return the paper's effect with its unit.

    >>> printed(Contrast(arm="a", against="b", paper=-0.01), FinalError())
    '-1 point'
    >>> printed(Contrast(arm="a", against="b", paper=6.0), TimeTo(training_error=0.25))
    '6 times'
    """
    number, units = paper_size(contrast, metric), unit(metric)
    return f"{number} {units.removesuffix('s') if number.lstrip('-') == '1' else units}"


def amount(number: float, metric: Metric) -> str:
    """Return an effect in words, with its direction.

    >>> amount(6.0, TimeTo(training_error=0.25)), amount(-0.014, FinalError())
    ('6 times as fast', '1.4 points lower')
    """
    if metric.is_ratio:
        return f"{number:.4g} times as fast"
    scale = 1 if unit(metric) == "nats" else 100
    return f"{abs(scale * number):.4g} {unit(metric)} {'lower' if number < 0 else 'higher'}"


def size(number: float, metric: Metric) -> str:
    """Return how large an effect is, whichever way it goes.

    >>> size(1.25, TimeTo(training_error=0.25)), size(0.005, FinalError())
    ('a factor of 1.25', '0.50 points')
    """
    if metric.is_ratio:
        return f"a factor of {times(number)}"
    return f"{change(abs(number), metric).lstrip('+')} {unit(metric)}"
