"""What `ablate` says when all has been trained: tables, what follows, where the figure is."""

import shlex
from pathlib import Path

import pandas as pd
from rich.console import Console

from ablations.plan import Plan
from ablations.planning import threads_of
from ablations.store import Store
from ablations.study import Study
from alexnet.cores import cores
from alexnet.data.catalogue import describe
from alexnet.text import counted
from reports.analysis.comparison import Comparison
from reports.commands.ablate.announcement import own_experiment, own_time
from reports.commands.ablate.question import stand_in
from reports.commands.console import LABEL, say, show_rows
from reports.evidence import EVIDENCE
from reports.figures.kept import keep_figure
from reports.findings.rate_map import rate_curves, rate_readings, rate_table
from reports.findings.readings import readings_table
from reports.findings.records import comparison_of
from reports.findings.sections import Section, section_of
from reports.findings.spread import spread_table
from reports.page.tables import arms_table, contrasts_table, needs_contrasts
from reports.wording import formatting, sentences


def conclude(console: Console, study: Study, plan: Plan, store: Store, figure: bool = True) -> None:
    """Print the comparison, the verdict in its setting, and where the figure is."""
    section = section_of(plan, store)
    comparison = section.comparison
    for table in tables(section):
        console.print()
        rows = list(table.itertuples(index=False, name=None))
        show_rows(console, list(map(str, table.columns)), rows, indent=LABEL)
    if plan.about.shows == "readings":
        for line in rate_readings(rate_curves(section)):
            say(console, "reading", line)
    for effect in comparison.effects:
        which = f"{effect.contrast.compared}: " if len(comparison.effects) > 1 else ""
        shown = [
            f"{formatting.percent(at.training_error)} {formatting.times(at.estimate)}"
            for at in effect.at_thresholds
        ]
        if shown:
            say(console, "other thresholds", f"{which}at " + "   ".join(shown))
        if effect.seconds_ratio is not None:
            on_clock = formatting.times(effect.seconds_ratio)
            text = f"{which}{on_clock} times (steps timed alone; not judged)"
            say(console, "on the clock", text)
    say_time_of_towers(console, plan)
    for caveat in (*comparison.older, *comparison.caveats):
        say(console, "caveat", caveat)
    for text in comparison.made_by:
        say(console, "trained with", text)
    for text in comparison.since:
        say(console, "changed since", text)
    if section.second_look is not None:
        for again in section.second_look.effects:
            name = sentences.named(again, comparison.effects)
            say(console, "second look", f"{name}: {sentences.effect_sentence(again)}")
    console.print()
    _say_verdicts(console, study, plan, comparison)
    if figure and (path := keep_figure(section, store.path)) is not None:
        say(console, "figure", str(path))
    say(console, "page", f"invoke report{_results(store)}")


def tables(section: Section) -> list[pd.DataFrame]:
    """Return what a comparison is read from: its arms, and what they alone do not say.

    Verdicts have lines of their own below.
    """
    plan, comparison = section.plan, section.comparison
    found = [arms_table(plan, comparison).drop(columns="verdict", errors="ignore")]
    if plan.about.shows == "readings":
        found.append(readings_table(comparison))
        if curves := rate_curves(section):
            found.append(rate_table(curves))
    elif plan.about.shows == "spread":
        found.append(spread_table(section))
    elif needs_contrasts(plan, comparison):
        found.append(contrasts_table(comparison).drop(columns="margin"))
    return [table for table in found if len(table)]


def _results(store: Store) -> str:
    place = shlex.quote(str(store.path))
    return "" if store.path == Path("results") else f" --results {place}"


def say_time_of_towers(console: Console, plan: Plan) -> None:
    """Say how long an update took on two devices and on one; beside C11, and never judged."""
    if not any(timing.fingerprint.tower_devices == 2 for timing in plan.timings.values()):
        return
    for arm, timing in plan.timings.items():
        devices = "two devices" if timing.fingerprint.tower_devices == 2 else "one device"
        took = (
            f"{1e3 * timing.seconds_per_step:.3g} ms an update of {counted(timing.batch, 'image')}"
        )
        say(console, "time", f"{arm}, {devices}: {took}")
    say(console, "", "C11 says the two take less; these times are shown and never judged")


def _say_verdicts(console: Console, study: Study, plan: Plan, comparison: Comparison) -> None:
    elsewhere = comparison.setting == "stand-in"
    label = {"stand-in": stand_in(comparison.dataset), "own question": "ANSWER"}.get(
        comparison.setting, "VERDICT"
    )
    effects = comparison.effects if plan.about.shows == "effects" else ()
    for effect in effects:
        say(console, label, sentences.verdict_line(effect, comparison))
    if not elsewhere or study.paper_dataset is None:
        return
    paper = describe(study.paper_dataset)
    claim, stays = (f"CLAIM {study.claim}", "stays") if study.claim else ("THE CLAIMS", "stay")
    say(console, claim, f"{stays} open: {sentences.why_a_stand_in(plan)}.")
    if shipped := _shipped(study):
        say(console, "", shipped)
    cost = paper.cost
    if plan.timings:
        steps = [timing.seconds_per_step for timing in plan.timings.values()]
        base = study.bases.get(paper.name)
        workers = max(1, cores() // (threads_of(base) if base else 1))
        if own := own_time(study, paper, steps, workers):
            cost = f"{cost}, {own} here" if cost else f"{own} here"
    say(console, "", f"The paper's own experiment{f' ({cost})' if cost else ''}:")
    say(console, "", f"    {own_experiment(study, paper)}")


def _shipped(study: Study) -> str | None:
    """Return what the evidence in the package says of a study on the paper's data, if it does."""
    store = Store(EVIDENCE)
    for plan in store.plans():
        if plan.definition.study == (study.varies or study.name) and plan.setting != "stand-in":
            found = comparison_of(plan, store)
            if found.done:
                return f"Shipped with the package: {sentences.headline(plan, found)}"
    return None
