"""What `ablate` says: which question it asks, what it could show, and what it comes to."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from ablations.bases import PRACTICE_IMAGES
from ablations.ensembles import with_ensembles, without_scores
from ablations.leftovers import sweep
from ablations.plan import Plan
from ablations.planning import threads_of
from ablations.store import Store
from ablations.study import ALPHA, NEEDED, Study
from alexnet.cores import cores
from alexnet.data.catalogue import describe
from alexnet.data.manifest import Manifest, in_words
from alexnet.data.stored import CHECKED, at_start
from alexnet.locks import LEASE, has_locks
from reports.analysis import power
from reports.analysis.comparison import Comparison, tuning_spread
from reports.analysis.preconditions import unmet_in_tuning
from reports.commands.announcement import own_experiment, own_time
from reports.commands.console import say
from reports.evidence import EVIDENCE
from reports.figures.kept import keep_figure
from reports.findings.rate_map import rate_curves, rate_readings, rate_table
from reports.findings.readings import readings_table
from reports.findings.records import comparison_of
from reports.findings.sections import Section, section_of
from reports.findings.spread import spread_table
from reports.page.tables import arms_table, contrasts_table, needs_contrasts
from reports.wording import formatting, sentences


def open_for_writing(console: Console, store: Store) -> None:
    """Make sure that a results folder can be written; delete what kills have left in it.

    Raises:
        StoreError: If it cannot be.
    """
    store.ensure_writable()
    if not has_locks(store.path):
        say(
            console,
            "no locks",
            f"the file system of {store.path} has none; runs are shared out by leases, and one "
            f"whose owner gives no sign of life for {LEASE:.0f} s is taken over",
        )
    if swept := sweep(store):
        freed = in_words(sum(entry.size for entry in swept))
        several = "file" if len(swept) == 1 else "files"
        say(console, "swept", f"{len(swept)} {several} that a kill had left, {freed}")


def say_what_is_checked(console: Console, manifest: Manifest) -> None:
    """Say how a dataset is checked that is too large to be digested at every start."""
    if manifest.total_bytes > CHECKED:
        total = len(manifest.files)
        some = len(at_start(manifest))
        say(
            console,
            "images",
            f"{in_words(manifest.total_bytes)}: the sizes of {total} files are checked, and the "
            f"digests of {some}, others at each start; of all:  "
            f"invoke prepare --dataset {manifest.name}",
        )


def introduce(console: Console, study: Study, manifest: Manifest, smoke: bool) -> None:
    """Say which question is asked and, on practice data, what that cannot settle."""
    console.print()
    about = f"claim {study.claim}, section {study.section}" if study.claim else study.title
    say(console, study.name, about)
    say(console, study.question)
    console.print()
    if smoke:
        say(console, "SMOKE RUN", f"{manifest.title or manifest.name}; a few updates a run.")
        say(console, "", "It shows that all works; its numbers mean nothing.")
    elif study.bases[manifest.name].setting == "stand-in" and study.paper_dataset:
        paper = describe(study.paper_dataset)
        title = f": {manifest.title}" if manifest.title else ""
        say(console, _stand_in(manifest.name), f"{manifest.name}{title}.")
        say(console, "", f"The paper used {paper.title}.")
        if manifest.name in PRACTICE_IMAGES:
            say(console, "", "What follows rehearses the method; the claim itself stays open.")
        else:
            say(console, "", "What follows shows which way it goes here; the claim stays open.")
        cost = f" ({paper.cost})" if paper.cost else ""
        say(console, "", f"The paper's own experiment, in one command{cost}:")
        say(console, "", f"    {own_experiment(study, paper)}")
    elif not study.left_out:
        return
    for arm, needs in study.left_out.items():
        lacking = " and ".join(NEEDED[need] for need in needs) or "the arm whose rate it takes"
        say(console, "left out", f"{arm}, which needs {lacking}")
    console.print()


def averaged(console: Console, plan: Plan, store: Store) -> Plan:
    """Return a plan with its averaged networks; say which scores are damaged and so left out."""
    known = len(store.problems)
    plan = with_ensembles(plan, store)
    for problem in store.problems[known:]:
        say(console, "ignored", problem)
    return plan


def train_again(console: Console, plan: Plan, store: Store, dry: bool) -> None:
    """Have finished runs trained again whose scores are to be averaged, and are gone."""
    for run in without_scores(plan, store):
        if dry or store.forget(run):
            will = "would be" if dry else "is"
            text = f"run {run.short} {will} trained again: its scores are averaged, and are gone"
            say(console, "again", text)


def say_what_is_registered_too(console: Console, plans: Sequence[Plan], dry: bool) -> None:
    """Say which other studies are registered before the first run that they share."""
    if not plans:
        return
    names = ", ".join(sorted(plan.definition.study for plan in plans))
    say(console, "would register" if dry else "registers too", names)
    say(console, "", "they share runs with it, and a plan younger than its runs decides nothing;")
    precision = plans[0].definition.precision
    say(console, "", f"each with its own number of seeds, in {precision}, which then stands")
    console.print()


def say_what_can_be_shown(console: Console, plan: Plan, store: Store) -> None:
    """Once all rates are chosen, say what the planned seeds can show, and what they cannot.

    A contrast whose precondition the tuning runs do not meet can only end ``open``: who waits for
    its comparison hears so before it trains. Else, how small an effect can be seen.
    """
    one = plan.definition
    if len(plan.choices) < len(one.arms) or one.smoke or len(one.seeds) < 2:
        return
    judged = [contrast for contrast in plan.contrasts if contrast.judged and one.judged]
    for contrast in judged:
        if why := unmet_in_tuning(plan, contrast, store):
            metric = formatting.measured(contrast, contrast.metric or one.metric)
            say(
                console,
                "can only end open",
                f"{contrast.compared}, {metric}: in tuning, {why}; Ctrl-C stops here",
            )
            continue
        spread = tuning_spread(plan, contrast)
        if spread is None:
            continue
        alpha = ALPHA / len(judged)
        ends = (
            power.detectable_effect(spread, len(one.seeds), alpha),
            power.decidable_margin(spread, len(one.seeds), alpha),
        )
        effect, margin = (
            formatting.size(math.exp(end) if one.metric.is_ratio else end, one.metric)
            for end in ends
        )
        say(
            console,
            "detectable",
            f"{effect} between {contrast.arm} and {contrast.against}, or that they are within "
            f"{margin} (80 % power, by the spread of two tuning seeds alone)",
        )


def conclude(console: Console, study: Study, plan: Plan, store: Store, figure: bool = True) -> None:
    """Print the comparison, the verdict in its setting, and where the figure is."""
    section = section_of(plan, store)
    comparison = section.comparison
    for table in tables(section):
        console.print()
        for line in table.to_string(index=False, justify="left").splitlines():
            say(console, "", line.rstrip())
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


def _say_verdicts(console: Console, study: Study, plan: Plan, comparison: Comparison) -> None:
    stand_in = comparison.setting == "stand-in"
    label = {"stand-in": _stand_in(comparison.dataset), "own question": "ANSWER"}.get(
        comparison.setting, "VERDICT"
    )
    effects = comparison.effects if plan.about.shows == "effects" else ()
    for effect in effects:
        say(console, label, sentences.verdict_line(effect, comparison))
    if not stand_in or study.paper_dataset is None:
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


def _stand_in(dataset: str) -> str:
    return "PRACTICE DATA" if dataset in PRACTICE_IMAGES else "STAND-IN"


def _shipped(study: Study) -> str | None:
    """Return what the evidence in the package says of a study on the paper's data, if it does."""
    store = Store(EVIDENCE)
    for plan in store.plans():
        if plan.definition.study == study.name and plan.setting != "stand-in":
            found = comparison_of(plan, store)
            if found.done:
                return f"Shipped with the package: {sentences.headline(plan, found)}"
    return None
