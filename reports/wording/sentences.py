"""What comparisons and effects come to, in sentences."""

from collections.abc import Mapping, Sequence

from ablations.metrics import (
    EnsembleError,
    FinalError,
    Metric,
    TimeTo,
)
from ablations.plan import Plan
from alexnet.data.catalogue import called, copies_of
from alexnet.text import counted
from reports.analysis.caveats import ArmRow
from reports.analysis.comparison import Comparison
from reports.analysis.effect import UNDECIDED, Effect, Verdict
from reports.analysis.preconditions import activity_in_words
from reports.analysis.selection import largest, speaks
from reports.wording.formatting import (
    change,
    measured,
    metric_name,
    paper_size,
    percent,
    printed,
    size,
    times,
    unit,
    value,
)


def paper_number(effect: Effect) -> str:
    """Return the paper's effect as it is printed, or a dash where it gives none."""
    return paper_size(effect.contrast, effect.metric)


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


def said(effect: Effect) -> str:
    """Return an effect and its interval in words: an arm, how far it differs, and which way.

    Where an arm lacks an idea, and so is expected to err more, what is said is of having it.
    """
    contrast, lacks = effect.contrast, lacks_the_idea(effect)
    what = "with it" if lacks else contrast.label or contrast.label_of(contrast.arm)
    return f"{what}: {sized(effect, turned=lacks)}"


def lacks_the_idea(effect: Effect) -> bool:
    """Return whether an arm is without what its sentence is about, and so should err more."""
    is_error = effect.contrast.is_simple and isinstance(effect.metric, FinalError)
    return is_error and effect.predicted == "higher"


def sized(effect: Effect, turned: bool = False) -> str:
    """Return an effect and its interval, the way it goes as a word in place of a sign.

    Args:
        effect: Of errors or times.
        turned: Of the other arm against this one, for differences.
    """
    metric = effect.metric
    known = effect.low is not None and effect.high is not None and effect.bound == "none"
    if effect.estimate is None or metric.is_ratio:
        between = f" [{times(effect.low)}, {times(effect.high)}]" if known else ""
        return f"{estimate(effect)} times as fast{between}"
    sign = -1 if effect.estimate < 0 else 1
    way = "lower" if (sign < 0) != turned else "higher"
    far = change(abs(effect.estimate), metric).lstrip("+")
    between = ""
    if known:
        ends = sorted(sign * end for end in (effect.low, effect.high) if end is not None)
        between = f" [{', '.join(change(end, metric).lstrip('+') for end in ends)}]"
    return f"{far} {unit(metric)} {way}{between}"


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
        arms, runs = counted(len(comparison.rows), "arm"), counted(comparison.done, "run")
        have = "has" if len(comparison.rows) == 1 else "have"
        return f"{where} {arms} of {comparison.study} {have} {runs}."
    text = f"{where} {_finding(effect)}"
    if effect.low is not None and effect.bound == "none":
        apart = f", {step}" if (step := rates_apart(effect)) else ""
        text += f" (95 % interval {interval(effect)}, {effect.pairs} {counted_in(effect)}{apart})"
    if effect.verdict in UNDECIDED and comparison.done < comparison.planned:
        return f"{text}; incomplete, {comparison.done} of {counted(comparison.planned, 'run')}."
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
    if plan.definition.epochs is not None:
        trained = counted(plan.definition.epochs, "epoch")
        return f"the training has {trained}, and not those of the study"
    if here == original:
        return "the networks, or their training, are not the paper's"
    if here in copies_of(original):
        return f"these are copies of the paper's images, {called(here)}"
    return "these are not the paper's images"


def counted_in(effect: Effect) -> str:
    """Return what the pairs of an effect are: seeds, or groups of them."""
    return "groups of seeds" if isinstance(effect.metric, EnsembleError) else "seeds"


def _finding(effect: Effect) -> str:
    contrast, metric = effect.contrast, effect.metric
    arm, against = contrast.label_of(contrast.arm), contrast.label_of(contrast.against)
    if contrast.against_metric is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        other = metric_name(contrast.against_metric)
        return f"{metric_name(metric)} differs by {size} from {other}"
    if contrast.minus is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        return f"{contrast.compared}, is {size} by the {metric_name(metric)}"
    if contrast.weights is not None:
        size = f"{estimate(effect)} {unit(metric)}"
        means = f"as the mean of {len(contrast.weights)} networks"
        return f"{contrast.compared} changed the {metric_name(metric)} by {size}, {means}"
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
    contrast = effect.contrast
    if contrast.against_metric is not None and not contrast.label:
        return measured(contrast, effect.metric)
    if contrast.label:
        return contrast.label
    metrics = {other.metric for other in among}
    return contrast.compared + (f", {metric_name(effect.metric)}" if len(metrics) > 1 else "")


WORDS: Mapping[str, str] = {}
"""What a verdict alone is called where people read it, if not as it is kept.

Sentences that begin with a verdict are in `verdict_line`, explanations in `LEGEND` and `BRIEFLY`.
"""


def word(verdict: str) -> str:
    """Return a verdict, of a contrast or of a count, as people read it."""
    return WORDS.get(verdict, verdict)


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

BRIEFLY: Mapping[Verdict, str] = {
    "holds": "the effect is there, as large as the paper says",
    "weaker": "the effect is there, and smaller than the paper says",
    "stronger": "the effect is there, and larger than the paper says",
    "reversed": "the effect is there, the other way round",
    "absent": "there is no effect as large as the margin",
    "same way": "the effect goes as the paper says; on other images than the paper's own only the "
    "direction is judged",
    "other way": "the effect goes against what the paper says, on other images than its own",
    "no effect": "there is no effect as large as the margin, on other images than the paper's own",
}
"""What a decided verdict means, for a reader who sees nothing else."""


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
            planned = counted(comparison.planned, "run")
            return (
                f"incomplete, {comparison.done} of {planned}: no verdict before all planned seeds"
            )
        case "not run":
            return f"{which}: not run" if len(comparison.effects) > 1 else f"{claim} not run"
        case "shown":
            return f"shown, not judged: {which}, {effect_sentence(effect)}"
        case "exploratory":
            runs = counted(effect.known_before, "run is", "runs are")
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
        return f"{text}; {counted(effect.planned, 'seed')} can decide equality within {shown}"
    if effect.detectable is not None:
        shown = size(effect.detectable, effect.metric)
        text += f"; {counted(effect.planned, 'seed')} could show {shown}"
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
