"""What stands below the pictures of studies: of what is drawn in them, and of nothing else."""

from collections.abc import Sequence

from ablations.metrics import TimeTo
from alexnet.config import Drops, MomentumSGD
from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.analysis.effect import ON_THE_PAPERS_DATA
from reports.findings.factorial import factorial_of
from reports.findings.forest import ForestRow
from reports.findings.rate_map import rate_curves, rate_readings
from reports.findings.sections import THIN, Section, baseline_of_many
from reports.findings.shares import FrontRows
from reports.findings.slopes import is_of_slopes, slopes
from reports.findings.spread import spreads
from reports.wording import formatting, sentences

INTERVAL = "95\u00a0% interval"


def caption(section: Section) -> str:
    """Return the sentences below a study's own figure."""
    return f"{_of_figure(section)} {_about(section)}"


def figure_1_caption(section: Section) -> str:
    """Return the sentences below Figure 1, which has the speed-up below its curves."""
    effect = section.comparison.effects[0]
    on_the_clock = ""
    if effect.seconds_ratio is not None:
        on_the_clock = (
            f" In seconds: {formatting.times(effect.seconds_ratio)} times (steps timed alone)."
        )
    lines = _of_lines(section)
    return (
        f"After the paper's Figure 1. {section.headline}{on_the_clock} "
        f"{lines[0].upper()}{lines[1:]}. {_about(section)}"
    )


def of_shares(rows: FrontRows) -> str:
    """Return the sentences below the front picture, of what is drawn in it."""
    said = []
    if rows.shares:
        logs = ", ratios by their logarithms" if any(row.ratios for row in rows.shares) else ""
        said.append(
            f"Above: the share of the paper's effect (the diamond) that was found, with its "
            f"{INTERVAL}{logs}. Full colour: a size that is judged; pale: a direction alone; "
            "empty: neither."
        )
    if rows.directions:
        said.append(
            f"{'Below: each' if rows.shares else 'Each'} effect in its own margin of what counts "
            f"as nothing (grey), with its {INTERVAL}, as predicted to the right; hollow: "
            "undecided; an arrow: it goes on."
        )
    if rows.left_out:
        more = "1 more is" if rows.left_out == 1 else f"{rows.left_out} more are"
        said.append(f"{more} in the forest plot.")
    return " ".join(said)


def of_forest(rows: Sequence[ForestRow], most: int) -> str:
    """Return the sentences below the forest plot, of which rows beyond ``most`` are left out."""
    more = f" {len(rows) - most} more are in the table." if len(rows) > most else ""
    return (
        f"Every effect that has a word, in the paper's order: ours with its {INTERVAL}, the "
        "paper's number as a diamond. Each is in margins of what counts as nothing (grey), turned "
        "so that right is as predicted; an arrow: it lies beyond the axis. Hollow: a stand-in for "
        f"the paper's comparison; exploratory: a run is older than its plan.{more}"
    )


def _about(section: Section) -> str:
    definition = section.plan.definition
    precisions = " and ".join(sorted(set(definition.precisions_of.values())))
    dataset = called(section.comparison.dataset)
    seeds = counted(len(definition.seeds), "planned seed")
    return f"{dataset}, {seeds}, {precisions}."


def _of_figure(section: Section) -> str:
    plan = section.plan
    if plan.about.shows == "readings" and plan.choices:
        if not any(effect.pairs for effect in section.comparison.effects):
            return of_rates(section)
        return (
            "Every reading with its seeds as small points and their geometric mean, the largest "
            "first."
        )
    if plan.about.shows == "spread" and spreads(section):
        return f"Standard deviation over seeds, with its {INTERVAL}."
    if factorial_of(section) is not None:
        return (
            "Above: the networks from the best to the worst, a dot for each idea that one has, its "
            "seeds and their mean. Below: what each idea changes, and two ideas beyond the sum of "
            f"both, with the {INTERVAL} from all runs; grey is within the margin, an arrow points "
            "to an effect beyond the axis."
        )
    if is_of_slopes(section):
        return _of_slopes(section)
    if not _curves(section):
        return (
            "The runs that choose the rates, a line each: error counted while training over a "
            "window of one epoch. No comparison run has a curve yet."
        )
    ours = "After the paper's Figure 1. " if plan.definition.claim == "C09" else ""
    ratio = section.comparison.effects[0].metric.is_ratio
    threshold = ", the dotted line the threshold" if ratio else ""
    return (
        f"{ours}Left: error counted while training over a window of one epoch; "
        f"{_lines(section)}{threshold}.{_drops(section)} Right: {_of_contrasts(section)}."
    )


def _of_slopes(section: Section) -> str:
    found = slopes(section)
    own = section.comparison.setting in ON_THE_PAPERS_DATA
    paper = own and any(one.effect.contrast.paper is not None for one in found)
    diamond = ", the paper's number as a diamond" if paper else ""
    unit = sentences.counted_in(found[0].effect)
    interval = any(one.effect.low is not None for one in found)
    return (
        f"The same runs by two metrics: {unit} as grey lines, their mean in colour. At the right "
        f"the mean difference{f' with its {INTERVAL}' if interval else ''}, from the dotted "
        f"line{diamond}; grey is what counts as nothing."
    )


def of_rates(section: Section) -> str:
    """Return what is drawn of a network at several rates, and what it comes to."""
    said = "; ".join(rate_readings(rate_curves(section)))
    return (
        "Epochs against the rate, seeds as small points, a ring around the best, a hollow triangle "
        f"where not every seed arrived{f': {said}' if said else ''}."
    )


def _drops(section: Section) -> str:
    """Return why curves jump where the rate drops, if they may: as the paper's update has it."""
    training, *others = (config.training for config in section.plan.definition.arms.values())
    schedule, optimizer = training.schedule, training.optimizer
    if any(other.schedule != schedule for other in others):
        return ""
    if not (isinstance(schedule, Drops) and isinstance(optimizer, MomentumSGD)):
        return ""
    if optimizer.convention != "paper" or not optimizer.momentum:
        return ""
    at = [str(epoch) for epoch in schedule.after if epoch < training.epochs]
    if not at:
        return ""
    epochs = " and ".join(filter(None, (", ".join(at[:-1]), at[-1])))
    unit = "epoch" if epochs == "1" else "epochs"
    return (
        f" The rate drops after {epochs} {unit}; the velocity of section 5, which has the rate "
        "inside, goes on at the old one for a while, so the error can jump there."
    )


def _curves(section: Section) -> int:
    """Return of how many comparison runs there is a curve."""
    return sum(run.epochs > 0 for runs in section.runs.values() for run in runs)


def _lines(section: Section) -> str:
    if (baseline := baseline_of_many(section)) is not None:
        name = section.plan.label(baseline)
        return f"means over seeds, as far as all seeds go, {name} as the thick line"
    return _of_lines(section)


def _of_lines(section: Section) -> str:
    if _curves(section) > THIN:
        return "lines are means over seeds, as far as all seeds go; there are too many to draw each"
    return "thin lines are seeds, thick their mean as far as all seeds go"


def _of_contrasts(section: Section) -> str:
    effects = section.comparison.effects
    if not any(effect.pairs for effect in effects):
        return "what is compared, of which no pair of runs is there yet"
    interval = any(effect.low is not None for effect in effects)
    if isinstance(effects[0].metric, TimeTo):
        text = "geometric mean of the paired ratio of epochs to each training error"
        return text + (f", with its {INTERVAL}" if interval else "")
    parts = ["paired differences, seeds as small points, their mean"]
    parts[0] += f" with its {INTERVAL}" if interval else ""
    own = section.comparison.setting in ON_THE_PAPERS_DATA
    if own and any(effect.contrast.paper is not None for effect in effects):
        parts.append("the paper's number as a diamond")
    if baseline_of_many(section) is not None:
        parts.append("the largest rise on top")
    return ", ".join((*parts, "what counts as nothing in grey"))
