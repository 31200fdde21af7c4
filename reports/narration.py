"""What `ablate` says: before it starts, once rates are chosen, and what it comes to."""

from pathlib import Path

import numpy as np
from rich.console import Console

from ablations.executors import Probe
from ablations.machine import cores
from ablations.plan import Plan
from ablations.runner import counts, remaining
from ablations.store import Store
from ablations.studies import find_study
from ablations.study import Study, TimeTo
from ablations.tuning import Choice
from alexnet.data.catalogue import describe
from reports import statistics, words
from reports.comparison import Comparison, compare
from reports.figures import figure_1, save
from reports.readme import EVIDENCE
from reports.tables import arms_table
from reports.terminal import say

TUNING_SHARE = 0.5  # of all passes, as seen in the studies so far


def introduce(console: Console, study: Study, dataset: str) -> None:
    """Say which question is asked and, on practice data, what that cannot settle."""
    console.print()
    say(console, study.name, f"claim {study.claim}, section {study.section}")
    say(console, study.question)
    console.print()
    if study.bases[dataset].setting == "stand-in":
        here, paper = describe(dataset), describe(study.paper_dataset)
        say(console, "PRACTICE DATA", f"{here.name}: {here.title}.")
        say(console, "", f"The paper used {paper.title}.")
        say(console, "", "What follows rehearses the method; the claim itself stays open.")
        say(console, "", f"The paper's own experiment, in one command ({paper.cost}):")
        say(console, "", f"    {_own_experiment(study)}")
        console.print()


def _own_experiment(study: Study) -> str:
    paper = describe(study.paper_dataset)
    return f"{paper.how} ablate --study {study.name} --dataset {paper.name}"


def _own_time(study: Study, steps: list[float], workers: int) -> str:
    """Say how long the paper's own experiment should take here, from seconds per step."""
    base, images = study.bases[study.paper_dataset], describe(study.paper_dataset).images
    seconds = base.passes * images / base.config.training.batch * sum(steps) / len(steps)
    return f"about {words.duration(seconds / workers)}"


def announce(
    console: Console,
    plan: Plan,
    store: Store,
    seeds: tuple[int, ...],
    probe: Probe,
    workers: int,
    step: dict[str, float],
) -> None:
    """Say what will be done and how long it should take, before it is done."""
    one = plan.definition
    here, total = counts(plan, store, seeds)
    horizon = max(config.training.epochs for config in one.arms.values())
    until = (
        f"until {words.percent(one.metric.training_error)} training error or {horizon} epochs"
        if isinstance(one.metric, TimeTo)
        else f"{horizon} epochs each"
    )
    there = f", {here} of them here" if here else ""
    say(
        console, "plan", f"{len(one.arms)} arms x {len(seeds)} seeds = {total} runs{there}, {until}"
    )
    tuning = f"{len(one.arms)} arms x {len(one.rates)} rates x {len(one.tuning_seeds)} seeds"
    say(console, "before that", f"{tuning}, to choose each arm's rate")
    new = (
        "new"
        if store.read_plan(one.study, one.dataset.name, one.smoke) is None
        else (f"registered {plan.registered.at:%Y-%m-%d %H:%M} UTC")
    )
    say(console, "registered", f"plan {plan.short}, {new}")
    f = probe.fingerprint
    device = f.processor if f.device == "cpu" else f.device
    say(
        console,
        "machine",
        f"{workers} workers on {device}, {f.capability}, {one.precision}, "
        f"torch {f.torch.split('+')[0]}",
    )
    say(console, "time", _time(plan, store, seeds, workers, step))
    console.print()


def _time(
    plan: Plan,
    store: Store,
    seeds: tuple[int, ...],
    workers: int,
    step: dict[str, float],
) -> str:
    """Estimate from steps timed here and the passes that the whole study took before."""
    one = plan.definition
    config = next(iter(one.arms.values()))
    images = config.training.images or describe(one.dataset.name).images
    pass_seconds = images / config.training.batch * sum(step.values()) / len(step)
    work = remaining(plan, store, seeds)
    here, total = counts(plan, store, seeds)
    passes = plan.about.passes
    if one.smoke:
        runs = len(one.arms) * (len(one.seeds) + len(one.rates) * len(one.tuning_seeds))
        passes = runs * config.training.epochs
    pairs = (total - here) / (len(one.arms) * len(one.seeds))
    share = TUNING_SHARE * work.untried + (1 - TUNING_SHARE) * pairs
    text = f"about {words.duration(share * passes * pass_seconds / workers)}"
    if one.setting == "stand-in" and not one.smoke:
        own = _own_time(find_study(one.study), list(step.values()), workers)
        text += f" (the paper's own experiment: {own})"
    return text + "; Ctrl-C loses nothing"


def say_what_can_be_shown(console: Console, plan: Plan, store: Store) -> None:
    """Once all rates are chosen, say how small a speed-up the planned seeds can show."""
    one = plan.definition
    if len(plan.choices) < len(one.arms) or not isinstance(one.metric, TimeTo) or one.smoke:
        return
    contrast = one.contrasts[0]
    arm, against = (_tuning_values(plan.choices[a]) for a in (contrast.arm, contrast.against))
    if arm is None or against is None or len(one.seeds) < 2:
        return
    differences = np.log(against) - np.log(arm)
    smallest = statistics.detectable_effect(float(differences.std(ddof=1)), len(one.seeds))
    text = f"a speed-up of {words.times(float(np.exp(smallest)))} or more"
    say(console, "can show", f"{text} (80 % power, by the spread of the two tuning seeds)")


def _tuning_values(choice: Choice) -> tuple[float, ...] | None:
    trial = next(trial for trial in choice.trials if trial.rate == choice.rate)
    return trial.outcomes if trial.reached else None


def conclude(console: Console, plan: Plan, store: Store, draw: bool = True) -> None:
    """Print the comparison, the verdict in its setting, and where the figure is."""
    comparison = compare(plan, store)
    console.print()
    table = arms_table(plan, comparison)
    lines = table.to_string(index=False, justify="left").splitlines()
    for line in lines:
        say(console, "", line.rstrip())
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
    if plan.second_looks:
        again = compare(plan, store, plan.seeds)
        say(console, "second look", words.effect_sentence(again.effects[0]))
    console.print()
    _say_verdicts(console, plan, comparison)
    figure = figure_1(plan, store) if draw else None
    if figure is not None:
        paths = save(figure, store.results, f"figure1-{plan.name}")
        say(console, "figure", str(paths[1]))
    say(console, "page", f"invoke report{_results(store)}")


def _results(store: Store) -> str:
    return "" if store.results == Path("results") else f" --results {store.results}"


def _say_verdicts(console: Console, plan: Plan, comparison: Comparison) -> None:
    stand_in = comparison.setting == "stand-in"
    for effect in comparison.effects:
        label = "PRACTICE DATA" if stand_in else "VERDICT"
        say(console, label, words.verdict_line(effect, comparison))
    if not stand_in:
        return
    study = find_study(plan.definition.study)
    say(console, f"CLAIM {study.claim}", "stays open: these are not the paper's images.")
    if shipped := _shipped(study):
        say(console, "", shipped)
    cost = describe(study.paper_dataset).cost
    if plan.timings:
        steps = [timing.seconds_per_step for timing in plan.timings.values()]
        workers = max(1, cores() // study.bases[study.paper_dataset].threads)
        cost += f", {_own_time(study, steps, workers)} here"
    say(console, "", f"The paper's own experiment ({cost}):")
    say(console, "", f"    {_own_experiment(study)}")


def _shipped(study: Study) -> str | None:
    """Return what the evidence in the package says of a study on the paper's data, if it does."""
    store = Store(EVIDENCE)
    for plan in store.plans():
        if plan.definition.study == study.name and plan.definition.setting != "stand-in":
            found = compare(plan, store)
            if found.done:
                return f"Shipped with the package: {words.headline(plan, found)}"
    return None
