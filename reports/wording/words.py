"""Numbers as people read them, and the sentences that carry them."""

import math
import re
from collections.abc import Sequence

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
from ablations.plan import Plan
from alexnet.data.catalogue import called, copies_of
from reports.analysis.caveats import ArmRow
from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, UNDECIDED, Effect
from reports.analysis.preconditions import activity_in_words

DAY, YEAR = 86_400, 365.25 * 86_400


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


def spoken(text: str) -> str:
    """Return names of arms as sentences and figures have them; tables keep what one types.

    >>> spoken("80sec, raw: relu against tanh")
    '80sec, raw: ReLU against tanh'
    """
    return re.sub(r"\brelu\b", "ReLU", text)


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


def paper_number(effect: Effect) -> str:
    """Return the paper's effect as it is printed, or a dash where it gives none."""
    return paper_size(effect.contrast, effect.metric)


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


def size(number: float, metric: Metric) -> str:
    """Return how large an effect is, whichever way it goes.

    >>> size(1.25, TimeTo(training_error=0.25)), size(0.005, FinalError())
    ('a factor of 1.25', '0.50 points')
    """
    if metric.is_ratio:
        return f"a factor of {times(number)}"
    return f"{change(abs(number), metric).lstrip('+')} {unit(metric)}"


def margin(effect: Effect) -> str:
    """Return how large a difference may be and still count as none."""
    return size(effect.margin, effect.metric)


def estimate(effect: Effect) -> str:
    """Return the size of an effect; of a bound, the end of its interval that can be relied on."""
    if effect.bound == "both":
        return "unknown"
    if effect.bound == "lower":
        return f"at least {times(effect.estimate if effect.low is None else effect.low)}"
    if effect.bound == "upper":
        return f"at most {times(effect.estimate if effect.high is None else effect.high)}"
    return change(effect.estimate, effect.metric)


def interval(effect: Effect) -> str:
    """Return the 95 % interval of an effect, or a dash with a single pair."""
    if effect.low is None or effect.high is None or effect.bound != "none":
        return "-"
    return f"{change(effect.low, effect.metric)} to {change(effect.high, effect.metric)}"


def effect_sentence(effect: Effect) -> str:
    """Return the effect in a line: its size, its interval, the paper's number."""
    if effect.estimate is None:
        return "no pair of runs yet"
    paper = "" if effect.contrast.paper is None else f"; the paper: {paper_number(effect)}"
    if effect.bound == "both":
        return f"neither arm got there in every run{paper}"
    known = effect.low is not None and effect.bound == "none"
    low, high = change(effect.low, effect.metric), change(effect.high, effect.metric)
    bounds = f" [{low}, {high}]" if known else ""
    pairs = f", {effect.pairs} of {effect.planned} {counted_in(effect)}"
    pairs = "" if effect.is_complete else pairs
    return f"{estimate(effect)} {unit(effect.metric)}{bounds}{pairs}{paper}"


def headline(plan: Plan, comparison: Comparison, effect: Effect | None = None) -> str:
    """Return the one sentence that a comparison comes to; no adjective without a number.

    Args:
        plan: What was asked.
        comparison: What came of it.
        effect: Which of its effects to say; None for the one that speaks for all.
    """
    shows = plan.about.shows
    if effect is None:
        effect = speaks(comparison) if shows == "effects" else largest(comparison)
    where = f"On {called(comparison.dataset)}"
    if comparison.smoke:
        return f"A smoke run of {comparison.study}: the machinery works; its numbers mean nothing."
    if effect.estimate is None:
        return f"{where} {comparison.study} has no pair of finished runs yet."
    if shows == "spread":
        arms = len(comparison.rows)
        return f"{where} {arms} arms of {comparison.study} have {comparison.done} runs."
    text = f"{where} {_finding(effect)}"
    if effect.low is not None and effect.bound == "none":
        apart = f", {step}" if (step := rates_apart(effect)) else ""
        text += f" (95 % interval {interval(effect)}, {effect.pairs} {counted_in(effect)}{apart})"
    if effect.verdict in UNDECIDED and comparison.done < comparison.planned:
        return f"{text}; incomplete, {comparison.done} of {comparison.planned} runs."
    if effect.contrast.paper is None:
        return f"{text}."
    if comparison.setting == "stand-in":
        return (
            f"{text}. The paper's claim ({printed(effect.contrast, effect.metric)}, on "
            f"{called(plan.about.paper_dataset or '')}) is not judged here."
        )
    return f"{text}; the paper says {paper_number(effect)}."


def why_a_stand_in(plan: Plan) -> str:
    """Return why a comparison that is a stand-in is none of the paper's own."""
    original, here = plan.about.paper_dataset or "", plan.definition.dataset.name
    why = [note.reason for note in plan.amendments if note.setting == "stand-in"]
    if why:
        return why[-1]
    if here == original:
        return "the networks, or their training, are not the paper's"
    if here in copies_of(original):
        return f"these are copies of the paper's images, {called(here)}"
    return "these are not the paper's images"


def speaks(comparison: Comparison) -> Effect:
    """Return the effect that a headline is about: of those that are decided, the largest.

    In margins, whichever way it goes; the first if none is decided.
    """
    decided = [effect for effect in comparison.effects if effect.verdict in DECIDED]
    return max(decided or comparison.effects[:1], key=_margins)


def largest(comparison: Comparison) -> Effect:
    """Return the largest effect there is, of readings that are ranked."""
    return max(comparison.effects, key=lambda effect: effect.estimate or 0.0)


def counted_in(effect: Effect) -> str:
    """Return what the pairs of an effect are: seeds, or groups of them."""
    return "groups of seeds" if isinstance(effect.metric, EnsembleError) else "seeds"


def _margins(effect: Effect) -> float:
    scale = math.log if effect.metric.is_ratio else abs
    return abs(scale(effect.estimate)) / abs(scale(effect.margin)) if effect.estimate else 0.0


def _finding(effect: Effect) -> str:
    contrast, metric = effect.contrast, effect.metric
    arm, against, between = map(spoken, (contrast.arm, contrast.against, contrast.between))
    if contrast.against_metric is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        other = metric_name(contrast.against_metric)
        return f"{metric_name(metric)} differs by {size} from {other}"
    if contrast.minus is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        return f"{between}, is {size} by the {metric_name(metric)}"
    if contrast.number is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        return f"{arm} differs by {size} in {metric_name(metric)} from the paper's number"
    if not isinstance(metric, TimeTo):
        size = f"{estimate(effect)} {unit(metric)}"
        return f"{arm} changed the {metric_name(metric)} by {size} against {against}"
    if effect.bound == "both":
        return f"neither {arm} nor {against} reached the threshold in every run"
    error = percent(metric.training_error)
    return f"{arm} reached {error} training error {estimate(effect)} times as fast as {against}"


def named(effect: Effect, among: Sequence[Effect]) -> str:
    """Return what a contrast is called: its arms, and its metric where there are several."""
    if effect.contrast.against_metric is not None:
        return measured(effect.contrast, effect.metric)
    metrics = {other.metric for other in among}
    between = spoken(effect.contrast.between)
    return between + (f", {metric_name(effect.metric)}" if len(metrics) > 1 else "")


LEGEND = (
    ("holds", "the effect is there (corrected p below 0.05), the paper's number within the limits"),
    ("weaker, stronger", "it is there, and the paper's number lies above or below the limits"),
    ("limits", "where one more pair of runs would lie: the paper's number is that of one"),
    ("reversed", "it is there, the other way round"),
    (
        "absent",
        "none is shown, and any that there is is smaller than the margin (equivalence test)",
    ),
    ("open", "none of these is decided; the line says what would decide"),
    ("same way, other way, no effect", "the same on other data, where sizes are not judged"),
    ("shown", "too few seeds to judge, or beside the question"),
    (
        "exploratory",
        "runs were finished before the plan was registered: it may be made knowing them",
    ),
    ("as printed, misprint", "counted on the network that the paper's text describes"),
)
"""The words of a verdict and what decides each, in short; `analysis.effect.verdict` decides."""


def verdict_line(effect: Effect, comparison: Comparison) -> str:
    """Return what follows for the claim, in the words of its setting."""
    p = effect.p_adjusted
    claim = effect.contrast.claim or "prediction"
    corrected = ", corrected" if len(comparison.effects) > 1 else ""
    test = "" if p is None else f" (p {p:.2g} against no effect{corrected})"
    which = named(effect, comparison.effects)
    says = "as the paper says" if effect.contrast.claim else "as predicted"
    small = f"any difference is smaller than {margin(effect)}"
    too = f"; it is smaller than {margin(effect)}, which counts as nothing"
    though = too if effect.differs and effect.is_equivalent else ""
    limits = one_more_pair(effect)
    beside = f"; one more pair: {limits}" if limits else ""
    beside += f"; {step}" if (step := rates_apart(effect)) else ""
    active = f"; {activity_in_words(effect.norm_activity)}" if effect.norm_activity else ""
    if comparison.smoke:
        return "smoke run: no verdict"
    match effect.verdict:
        case "same way" if effect.predicted == "equal":
            return f"same way: {which} makes no difference, {says}; {small}"
        case "same way":
            judged = "; its size is not judged here" if effect.contrast.claim else ""
            return f"same way: {which} goes {says}{test}{judged}{though}{active}"
        case "other way":
            return f"other way: {which} does not go {says}{test}{though}{active}"
        case "no effect":
            return f"no effect: {which}, {small}{active}"
        case "absent":
            return f"{claim} absent: {which}, {small}{active}"
        case "incomplete" if not (effect.contrast.judged and comparison.judged):
            return f"shown, not judged, incomplete: {which}, {effect_sentence(effect)}"
        case "incomplete":
            return (
                f"incomplete, {comparison.done} of {comparison.planned} runs: no verdict before "
                "all planned seeds"
            )
        case "not run":
            return f"{which}: not run" if len(comparison.effects) > 1 else f"{claim} not run"
        case "shown":
            return f"shown, not judged: {which}, {effect_sentence(effect)}"
        case "exploratory":
            runs = "1 run is" if effect.known_before == 1 else f"{effect.known_before} runs are"
            return (
                f"exploratory: {which}, {effect_sentence(effect)}; {runs} older than the plan, "
                "here or on a copy of the images, so that it may have been made knowing them; "
                "unused seeds would settle it"
            )
        case "open":
            return f"open: {which}, {what_would_decide(effect, test)}{active}"
        case "holds" if effect.predicted == "equal":
            return f"{claim} holds: {which}, {small}"
        case word:
            prefix = f"{which}, " if len(comparison.effects) > 1 else ""
            return (
                f"{claim} {word}: {prefix}{effect_sentence(effect)}{beside}{test}{though}{active}"
            )


def rates_apart(effect: Effect) -> str:
    """Return how finely the rates of its arms are known, which no interval over seeds shows."""
    step = effect.rate_step
    return "" if step is None else f"rates a factor of {step:.2g} apart"


def one_more_pair(effect: Effect) -> str:
    """Return where one more pair would lie, if the paper's number is held against that."""
    ends = (effect.prediction_low, effect.prediction_high)
    if effect.contrast.paper is None or None in ends or effect.predicted == "equal":
        return ""
    low, high = (change(end, effect.metric) for end in ends)
    match effect.bound:
        case "lower":
            return f"at least {low}"
        case "upper":
            return f"at most {high}"
        case "both":
            return ""
    return f"{low} to {high}"


def what_would_decide(effect: Effect, test: str = "") -> str:
    """Return why a comparison is undecided, and what it lacks."""
    if effect.unmet:
        return f"{effect.unmet}; without that, nothing follows for the claim"
    if effect.rate_left_open:
        return (
            f"{effect_sentence(effect)}{test}; {effect.rate_left_open}: another could be better, "
            "and a wider grid would decide"
        )
    text = f"nothing decides{test}"
    if effect.bound != "none":
        if effect.differs and effect.bound != "both":
            text = f"{estimate(effect)} {unit(effect.metric)}; the paper: {paper_number(effect)}"
        return f"{text}; some runs never reached the threshold; a longer horizon would"
    if effect.predicted == "equal":
        if effect.decidable_margin is None:
            return f"{text}; more seeds would"
        shown = size(effect.decidable_margin, effect.metric)
        return f"{text}; {effect.planned} seeds can decide equality within {shown}"
    if effect.detectable is not None:
        text += f"; {effect.planned} seeds could show {size(effect.detectable, effect.metric)}"
    if effect.seeds_for_paper is not None and effect.seeds_for_paper > effect.planned:
        return f"{text}; the paper's {paper_number(effect)} takes {effect.seeds_for_paper}"
    if effect.seeds_for_margin is not None and effect.seeds_for_margin > effect.planned:
        return f"{text}; an effect as large as {margin(effect)} takes {effect.seeds_for_margin}"
    return text if effect.detectable is not None else f"{text}; more seeds would"


def arm_cells(row: ArmRow, metric: Metric) -> list[str]:
    """Return the cells of one arm: name, rate, seeds, reached, its mean."""
    bound = "> " if row.is_bound and metric.is_ratio else ""
    rate = "-" if row.rate is None else f"{row.rate:g}"
    return [row.arm, rate, str(len(row.seeds)), str(row.reached), bound + value(row.mean, metric)]
