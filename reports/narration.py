"""What `ablate` says: before it starts, once rates are chosen, and what it comes to."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from ablations.executors import Probe, Timed
from ablations.machine import cores
from ablations.plan import Plan
from ablations.runner import counts, remaining
from ablations.store import LARGEST_WEIGHTS, Store
from ablations.study import ALPHA, Study, TimeTo
from alexnet.data.catalogue import Description, Manifest, describe
from reports import statistics, words
from reports.caveats import made_by
from reports.comparison import Comparison, compare, find_records, tuning_spread
from reports.figures import draw, save
from reports.readme import EVIDENCE
from reports.tables import arms_table, contrasts_table, needs_contrasts
from reports.terminal import say

TUNING_SHARE = 0.5  # of all passes, as seen in the studies so far
RECORD = 20_000  # bytes
LISTED = 12  # runs, in a dry run


def introduce(console: Console, study: Study, dataset: str) -> None:
    """Say which question is asked and, on practice data, what that cannot settle."""
    console.print()
    about = f"claim {study.claim}, section {study.section}" if study.claim else study.title
    say(console, study.name, about)
    say(console, study.question)
    console.print()
    if study.bases[dataset].setting == "stand-in" and study.paper_dataset:
        here, paper = describe(dataset), describe(study.paper_dataset)
        say(console, "PRACTICE DATA", f"{here.name}: {here.title}.")
        say(console, "", f"The paper used {paper.title}.")
        say(console, "", "What follows rehearses the method; the claim itself stays open.")
        say(console, "", f"The paper's own experiment, in one command ({paper.cost}):")
        say(console, "", f"    {_own_experiment(study, paper)}")
        console.print()


def _own_experiment(study: Study, paper: Description) -> str:
    return f"{paper.how} ablate --study {study.name} --dataset {paper.name}"


def _own_time(study: Study, paper: Description, steps: list[float], workers: int) -> str | None:
    """Say how long the paper's own experiment should take here, from seconds per step."""
    base = study.bases.get(paper.name)
    if base is None or base.passes is None:
        return None
    seconds = base.passes * paper.images / base.config.training.batch * sum(steps) / len(steps)
    return f"about {words.duration(seconds / workers)}"


@dataclass(frozen=True)
class Announcement:
    """What is known before anything starts."""

    study: Study
    plan: Plan
    store: Store
    manifest: Manifest
    seeds: tuple[int, ...]
    probe: Probe
    workers: int
    step: dict[str, Timed]  # by arm

    @property
    def pass_seconds(self) -> float:
        """How long a pass over the training images takes, the mean over arms."""
        config = next(iter(self.plan.definition.arms.values()))
        images = config.training.images or self.manifest.counts["train"]
        step = sum(timed.seconds for timed in self.step.values()) / len(self.step)
        return images / config.training.batch * step


def announce(console: Console, a: Announcement) -> None:
    """Say what will be done and how long it should take, before it is done."""
    one, plan, store = a.plan.definition, a.plan, a.store
    here, total = counts(plan, store, a.seeds)
    horizon = max(config.training.epochs for config in one.arms.values())
    until = (
        f"until {words.percent(one.metric.training_error)} training error or {horizon} epochs"
        if isinstance(one.metric, TimeTo)
        else f"{horizon} epochs each"
    )
    there = f", {here} of them here" if here else ""
    say(
        console,
        "plan",
        f"{len(one.arms)} arms x {len(a.seeds)} seeds = {total} runs{there}, {until}",
    )
    if len(a.seeds) < len(plan.seeds):
        say(console, "", f"of {len(plan.seeds)} planned seeds; no verdict before all of them")
    tuning = f"{len(one.arms)} arms x {len(one.rates)} rates x {len(one.tuning_seeds)} seeds"
    say(console, "before that", f"{tuning}, to choose each arm's rate")
    new = (
        "new"
        if store.read_plan(one.study, one.dataset.name, one.smoke) is None
        else (f"registered {plan.registered.at:%Y-%m-%d %H:%M} UTC")
    )
    say(console, "registered", f"plan {plan.short}, {new}")
    f = a.probe.fingerprint
    device = f.processor if f.device == "cpu" else f.device
    say(
        console,
        "machine",
        f"{a.workers} workers on {device}, {f.capability}, {one.precision}, "
        f"torch {f.torch.split('+')[0]}",
    )
    _say_what_is_reused(console, a)
    say(console, "time", _time(a))
    say(console, "disk", _disk(a))
    console.print()


def _say_what_is_reused(console: Console, a: Announcement) -> None:
    """Say which records here were made otherwise than this machine would make them."""
    records = [
        record
        for found in find_records(a.plan, a.store, a.seeds).values()
        for record in found.values()
        if record.fingerprint != a.probe.fingerprint
    ]
    for text in made_by(records):
        say(console, "used as it is", text)


def _left(a: Announcement) -> tuple[float, float]:
    """Return which fractions of all tuning and of all comparison runs are still to do."""
    one = a.plan.definition
    here, total = counts(a.plan, a.store, a.seeds)
    untried = remaining(a.plan, a.store, a.seeds).untried
    return untried, (total - here) / (len(one.arms) * len(one.seeds))


def _time(a: Announcement) -> str:
    """Estimate from steps timed here and the passes that the whole study took before."""
    one = a.plan.definition
    untried, compared = _left(a)
    passes, about = a.plan.about.passes, "about"
    if passes is None or one.smoke:  # every run to its horizon
        tuning = len(one.rates) * len(one.tuning_seeds) * untried
        runs = len(one.arms) * (tuning + len(one.seeds) * compared)
        left, about = runs * next(iter(one.arms.values())).training.epochs, "at most"
    else:
        left = passes * (TUNING_SHARE * untried + (1 - TUNING_SHARE) * compared)
    text = f"{about} {words.duration(left * a.pass_seconds / a.workers)}"
    if one.setting == "stand-in" and not one.smoke and a.study.paper_dataset:
        steps = [timed.seconds for timed in a.step.values()]
        if own := _own_time(a.study, describe(a.study.paper_dataset), steps, a.workers):
            text += f" (the paper's own experiment: {own})"
    return text + "; Ctrl-C loses nothing"


def _disk(a: Announcement) -> str:
    """Estimate what the records, scores and weights still to come take."""
    one = a.plan.definition
    untried, runs = _left(a)
    config = next(iter(one.arms.values()))
    weights = 4 * max(timed.parameters for timed in a.step.values())
    kept = (weights if weights <= LARGEST_WEIGHTS else 0) + RECORD
    scores = 4 * config.network.classes * a.manifest.counts["test"]
    tuning = len(one.arms) * len(one.rates) * len(one.tuning_seeds) * untried
    comparison = len(one.arms) * len(one.seeds) * runs
    unfinished = 2 * weights * a.workers
    total = tuning * kept + comparison * (kept + scores) + unfinished
    return f"about {max(1, round(total / 1e6))} MB for records, scores and weights"


def list_runs(console: Console, a: Announcement) -> None:
    """Name the runs that can start now; the others' ids follow from rates not chosen yet."""
    runs = remaining(a.plan, a.store, a.seeds).runs
    for run in runs[:LISTED]:
        rate = run.config.training.optimizer.rate
        say(console, run.short, f"{a.plan.arm_of(run)}, rate {rate:g}, seed {run.seed}")
    if len(runs) > LISTED:
        say(console, "", f"and {len(runs) - LISTED} more")
    if len(a.plan.choices) < len(a.plan.definition.arms):
        say(console, "", "the other ids depend on rates that are not chosen yet")


def say_what_can_be_shown(console: Console, plan: Plan) -> None:
    """Once all rates are chosen, say how small an effect the planned seeds can show."""
    one = plan.definition
    if len(plan.choices) < len(one.arms) or one.smoke or len(one.seeds) < 2:
        return
    for contrast in one.contrasts:
        spread = tuning_spread(plan, contrast)
        if spread is None:
            continue
        ends = (
            statistics.detectable_effect(spread, len(one.seeds), ALPHA / len(one.contrasts)),
            statistics.decidable_margin(spread, len(one.seeds)),
        )
        effect, margin = (
            words.size(math.exp(end) if one.metric.is_ratio else end, one.metric) for end in ends
        )
        say(
            console,
            "can show",
            f"{effect} between {contrast.arm} and {contrast.against}, or that they are within "
            f"{margin} (80 % power, by the spread of the tuning seeds)",
        )


def conclude(console: Console, study: Study, plan: Plan, store: Store, figure: bool = True) -> None:
    """Print the comparison, the verdict in its setting, and where the figure is."""
    comparison = compare(plan, store)
    console.print()
    _say_table(console, arms_table(plan, comparison))
    if needs_contrasts(plan, comparison):
        console.print()
        _say_table(console, contrasts_table(comparison).drop(columns="nothing within"))
    for effect in comparison.effects:
        shown = [
            f"{words.percent(at.training_error)} {words.times(at.estimate)}"
            for at in effect.at_thresholds
        ]
        if shown:
            say(console, "elsewhere", "at " + "   ".join(shown))
        if effect.seconds_ratio is not None:
            on_clock = words.times(effect.seconds_ratio)
            say(console, "on the clock", f"{on_clock} times (steps timed alone; not judged)")
    for caveat in comparison.caveats:
        say(console, "caveat", caveat)
    for text in comparison.made_by:
        say(console, "made by", text)
    for text in comparison.since:
        say(console, "since", text)
    if plan.second_looks:
        for again in compare(plan, store, plan.seeds).effects:
            text = f"{again.contrast.between}, {words.effect_sentence(again)}"
            say(console, "second look", text)
    console.print()
    _say_verdicts(console, study, plan, comparison)
    drawn = draw(plan, store) if figure else None
    if drawn is not None:
        paths = save(drawn, store.results, plan.name)
        say(console, "figure", str(paths[1]))
    say(console, "page", f"invoke report{_results(store)}")


def _say_table(console: Console, table: pd.DataFrame) -> None:
    for line in table.to_string(index=False, justify="left").splitlines():
        say(console, "", line.rstrip())


def _results(store: Store) -> str:
    return "" if store.results == Path("results") else f" --results {store.results}"


def _say_verdicts(console: Console, study: Study, plan: Plan, comparison: Comparison) -> None:
    stand_in = comparison.setting == "stand-in"
    label = {"stand-in": "PRACTICE DATA", "own question": "ANSWER"}.get(
        comparison.setting, "VERDICT"
    )
    for effect in comparison.effects:
        say(console, label, words.verdict_line(effect, comparison))
    if not stand_in or study.paper_dataset is None:
        return
    paper = describe(study.paper_dataset)
    say(console, f"CLAIM {study.claim}", "stays open: these are not the paper's images.")
    if shipped := _shipped(study):
        say(console, "", shipped)
    cost = paper.cost
    if plan.timings:
        steps = [timing.seconds_per_step for timing in plan.timings.values()]
        base = study.bases.get(paper.name)
        workers = max(1, cores() // (base.threads if base else 1))
        if own := _own_time(study, paper, steps, workers):
            cost += f", {own} here"
    say(console, "", f"The paper's own experiment ({cost}):")
    say(console, "", f"    {_own_experiment(study, paper)}")


def _shipped(study: Study) -> str | None:
    """Return what the evidence in the package says of a study on the paper's data, if it does."""
    store = Store(EVIDENCE)
    for plan in store.plans():
        if plan.definition.study == study.name and plan.definition.setting != "stand-in":
            found = compare(plan, store)
            if found.done:
                return f"Shipped with the package: {words.headline(plan, found)}"
    return None
