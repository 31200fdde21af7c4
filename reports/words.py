"""Numbers as people read them, and the sentences that carry them; percent appears only here."""

from ablations.plan import Plan
from ablations.study import TimeTo
from reports.comparison import ArmRow, Comparison
from reports.effect import Effect


def times(value: float | None) -> str:
    """Return a ratio or a number of epochs to three figures.

    >>> times(1.4149), times(12.34), times(None)
    ('1.41', '12.3', '-')
    """
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def percent(fraction: float) -> str:
    """Return a fraction in percent, as short as it can be.

    >>> percent(0.25), percent(0.125)
    ('25 %', '12.5 %')
    """
    return f"{100 * fraction:.4g} %"


def points(difference: float | None) -> str:
    """Return a difference of errors in percentage points, with its sign."""
    return "-" if difference is None else f"{100 * difference:+.2f}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(42), duration(330), duration(9000)
    ('40 s', '6 min', '2.5 h')
    """
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def clock(seconds: float) -> str:
    """Return a time since a start, as a watch shows it.

    >>> clock(42), clock(330), clock(9000)
    ('0:42', '5:30', '2:30:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def estimate(effect: Effect, is_ratio: bool = True) -> str:
    """Return the size of an effect; of a bound, the end of its interval that can be relied on."""
    if effect.bound == "both":
        return "unknown"
    if effect.bound == "lower":
        return f"at least {times(effect.estimate if effect.low is None else effect.low)}"
    if effect.bound == "upper":
        return f"at most {times(effect.estimate if effect.high is None else effect.high)}"
    return (times if is_ratio else points)(effect.estimate)


def interval(effect: Effect, is_ratio: bool = True) -> str:
    """Return the 95 % interval of an effect, or a dash with a single pair."""
    if effect.low is None or effect.high is None or effect.bound != "none":
        return "-"
    show = times if is_ratio else points
    return f"{show(effect.low)} to {show(effect.high)}"


def effect_sentence(effect: Effect) -> str:
    """Return the effect in a line: how many times, its interval, the paper's number."""
    if effect.estimate is None:
        return "no pair of runs yet"
    if effect.bound == "both":
        return f"neither arm got there in every run; the paper: {effect.contrast.paper:g}"
    known = effect.low is not None and effect.bound == "none"
    bounds = f" [{times(effect.low)}, {times(effect.high)}]" if known else ""
    pairs = "" if effect.pairs == effect.planned else f", {effect.pairs} of {effect.planned} seeds"
    return f"{estimate(effect)} times{bounds}{pairs}; the paper: {effect.contrast.paper:g}"


def headline(plan: Plan, comparison: Comparison) -> str:
    """Return the one sentence that a comparison comes to; no adjective without a number."""
    effect, setting = comparison.effects[0], comparison.setting
    arm, against = effect.contrast.arm, effect.contrast.against
    where = f"On {comparison.dataset}"
    if comparison.smoke:
        return f"A smoke run of {comparison.study}: the machinery works; its numbers mean nothing."
    if effect.estimate is None:
        return f"{where} {comparison.study} has no pair of finished runs yet."
    if not isinstance(plan.definition.metric, TimeTo):
        text = f"{where} {arm} changed the error by {points(effect.estimate)} points"
    elif effect.bound == "both":
        text = f"{where} neither {arm} nor {against} reached the threshold in every run"
    else:
        error = percent(plan.definition.metric.training_error)
        text = (
            f"{where} {arm} reached {error} training error {estimate(effect)} times as fast "
            f"as {against}"
        )
    if effect.low is not None and effect.bound == "none":
        text += f" (95 % interval {interval(effect)}, {effect.pairs} seeds)"
    if comparison.done < comparison.planned:
        return f"{text}; incomplete, {comparison.done} of {comparison.planned} runs."
    if setting == "stand-in":
        return (
            f"{text}. The paper's claim ({effect.contrast.paper:g} times, on "
            f"{plan.about.paper_dataset}) is not judged on practice data."
        )
    return f"{text}; the paper says {effect.contrast.paper:g}."


def verdict_line(effect: Effect, comparison: Comparison) -> str:
    """Return what follows for the claim, in the words of its setting."""
    claim, p = effect.contrast.claim, effect.p_adjusted
    test = "" if p is None else f" (exact p {p:.2g})"
    faster = f"{effect.contrast.arm} against {effect.contrast.against}"
    if comparison.smoke:
        return "smoke run: no verdict"
    match effect.verdict:
        case "same way":
            return f"same way: {faster} goes as the paper says{test}; its size is not judged here"
        case "other way":
            return f"other way: {faster} goes against what the paper says{test}"
        case "no effect":
            return "no effect: any difference is smaller than the margin"
        case "absent":
            return f"{claim} absent: any difference is smaller than a factor of " + times(
                effect.contrast.margin
            )
        case "incomplete":
            return (
                f"incomplete, {comparison.done} of {comparison.planned} runs: no verdict before "
                "all planned seeds"
            )
        case "not run":
            return f"{claim} not run"
        case "open":
            return f"open: nothing decides{test}; {what_would_decide(effect)}"
        case word:
            return f"{claim} {word}: {effect_sentence(effect)}{test}"


def what_would_decide(effect: Effect) -> str:
    """Return what an undecided comparison lacks."""
    if effect.bound != "none":
        return "some runs never reached the threshold; a longer horizon would decide"
    if effect.detectable is None:
        return "more seeds would"
    return f"{effect.planned} seeds could show a factor of {times(effect.detectable)}"


def arm_cells(row: ArmRow, is_ratio: bool) -> list[str]:
    """Return the cells of one arm: name, seeds, reached, its mean."""
    shown = times(row.mean) if is_ratio else ("-" if row.mean is None else percent(row.mean))
    bound = "> " if row.is_bound and is_ratio else ""
    rate = "-" if row.rate is None else f"{row.rate:g}"
    return [row.arm, rate, str(len(row.seeds)), str(row.reached), bound + shown]
