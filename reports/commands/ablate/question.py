"""Which question `ablate` asks, on which images, and what its seeds can show."""

import math
from collections.abc import Sequence

from rich.console import Console

from ablations.bases import PRACTICE_IMAGES
from ablations.plan import Plan
from ablations.store import Store
from ablations.study import ALPHA, NEEDED, Study
from alexnet.config.towers import has_towers
from alexnet.data.catalogue import describe
from alexnet.data.manifest import Manifest, in_words
from alexnet.data.stored import CHECKED, at_start
from reports.analysis import power
from reports.analysis.comparison import tuning_spread
from reports.analysis.preconditions import unmet_in_tuning
from reports.commands.ablate.announcement import own_experiment
from reports.commands.console import say
from reports.wording import formatting


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
        say(console, stand_in(manifest.name), f"{manifest.name}{title}.")
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


def say_other_length(console: Console, study: Study, manifest: Manifest) -> None:
    """Say of a study whose trainings have another length that it is one of its own."""
    if study.varies:
        say(console, "OTHER LENGTH", f"{study.bases[manifest.name].left_open[-1]};")
        say(console, "", f"planned and reported apart from {study.varies}, as {study.name}.")
        console.print()


def stand_in(dataset: str) -> str:
    """Return what data that is not the paper's is called before what is said of it."""
    return "PRACTICE DATA" if dataset in PRACTICE_IMAGES else "STAND-IN"


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


def say_what_is_on_two_devices(
    console: Console, devices: Sequence[str], study: Study, dataset: str
) -> None:
    """Say which networks have a tower on each of two devices, if any has."""
    if not devices:
        return
    shared = [arm for arm in study.arms if has_towers(study.config(dataset, arm).network)]
    alone = [arm for arm in study.arms if arm not in shared]
    text = f"a tower on {devices[0]} and one on {devices[1]}: {', '.join(shared)}"
    rest = f"; without towers, on {devices[0]} alone: {', '.join(alone)}" if alone else ""
    say(console, "two devices", text + rest)


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
    definition = plan.definition
    if len(plan.choices) < len(definition.arms) or definition.smoke or len(definition.seeds) < 2:
        return
    judged = [contrast for contrast in plan.contrasts if contrast.judged and definition.judged]
    for contrast in judged:
        if why := unmet_in_tuning(plan, contrast, store):
            metric = formatting.measured(contrast, contrast.metric or definition.metric)
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
            power.detectable_effect(spread, len(definition.seeds), alpha),
            power.decidable_margin(spread, len(definition.seeds), alpha),
        )
        effect, margin = (
            formatting.size(math.exp(end) if definition.metric.is_ratio else end, definition.metric)
            for end in ends
        )
        say(
            console,
            "detectable",
            f"{effect} between {contrast.label_of(contrast.arm)} and "
            f"{contrast.label_of(contrast.against)}, or that they are within "
            f"{margin} (80 % power, by the spread of two tuning seeds alone)",
        )
