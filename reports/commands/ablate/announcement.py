"""What `ablate` will do, how long it should take and what it will keep, said beforehand."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

from rich.console import Console

from ablations.bases import LARGEST_SMALL
from ablations.kept import UNASKED, KeptWeights
from ablations.plan import Plan
from ablations.record import Record
from ablations.registration import in_ranges
from ablations.runner import Work, counts, remaining
from ablations.store import Store
from ablations.study import Study, TimeTo
from ablations.tuning import STEP
from ablations.workers.protocol import Probe, Timed
from alexnet.data.catalogue import Description, describe
from alexnet.data.manifest import Manifest
from alexnet.text import counted
from reports.analysis.caveats import made_by
from reports.commands.ablate.disk import Runs, disk
from reports.commands.cards import on_cards
from reports.commands.console import say
from reports.findings.records import find_records
from reports.wording import formatting

TUNING_SHARE = 0.5  # of all passes, as seen in the studies so far
FORWARD = 3  # times as fast as a training step
AROUND_A_RUN = 0.3  # seconds to build, write and hand over
LISTED = 12  # runs, in a dry run


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
    kept_weights: KeptWeights = UNASKED

    @cached_property
    def work(self) -> Work:
        """What is still to do; other studies may have trained some of a new plan's runs."""
        return remaining(self.plan, self.store, self.seeds)

    @cached_property
    def here(self) -> int:
        """How many comparison runs have a record, of arms whose rates are known."""
        return counts(self.work.plan, self.store, self.seeds)[0]

    @property
    def compared(self) -> float:
        """The fraction of all comparison runs that is still to do."""
        definition = self.plan.definition
        return (len(definition.arms) * len(self.seeds) - self.here) / (
            len(definition.arms) * len(definition.seeds)
        )

    @property
    def all_tuning_runs(self) -> int:
        """How many tuning runs there are, as far as is known: an edge of a grid adds two."""
        return self.work.rates * len(self.plan.definition.tuning_seeds)

    @property
    def tuning_runs(self) -> float:
        """How many of them are still to do."""
        return self.work.untried * len(self.plan.definition.tuning_seeds)

    @property
    def comparison_runs(self) -> float:
        """How many comparison runs are still to do."""
        definition = self.plan.definition
        return len(definition.arms) * len(definition.seeds) * self.compared

    @property
    def run_seconds(self) -> float:
        """How long a run takes beside its passes: chiefly its evaluation, forward alone."""
        config = next(iter(self.plan.definition.arms.values()))
        part = {
            name: min(config.training.images or n, n) for name, n in self.manifest.counts.items()
        }
        views = 2 if config.network.view == self.manifest.size else 10
        seen = part["test"] + views * (part["valid"] + part["test"])
        return AROUND_A_RUN + self.pass_seconds * seen / part["train"] / FORWARD

    @property
    def pass_seconds(self) -> float:
        """How long a pass over the training images takes, the mean over arms."""
        config = next(iter(self.plan.definition.arms.values()))
        images = config.training.images or self.manifest.counts["train"]
        step = sum(timed.seconds for timed in self.step.values()) / len(self.step)
        return images / config.training.batch * step


def announce(console: Console, a: Announcement) -> None:
    """Say what will be done and how long it should take, before it is done."""
    definition, plan, store = a.plan.definition, a.plan, a.store
    total = len(definition.arms) * len(a.seeds)
    horizon = counted(max(one.training.epochs for one in definition.arms.values()), "epoch")
    until = (
        f"until {formatting.percent(metric.training_error)} training error or {horizon}"
        if isinstance(metric := definition.metric, TimeTo)
        else f"{horizon} each"
    )
    there = f", {a.here} of them here" if a.here else ""
    arms, planned = counted(len(definition.arms), "arm"), counted(len(plan.seeds), "planned seed")
    say(
        console,
        "plan",
        f"{arms} x {counted(len(a.seeds), 'seed')} = {counted(total, 'run')}{there}, {until}"
        if a.seeds
        else f"{arms}, whose rates are chosen; none of {planned} is trained now",
    )
    for contrast in plan.contrasts:
        metric = contrast.metric or definition.metric
        nothing = formatting.size(contrast.margin_for(metric), metric)
        way = {"equal": "no difference"}.get(contrast.predicts(metric), contrast.predicts(metric))
        say(
            console,
            "compares",
            f"{contrast.compared}, {formatting.measured(contrast, metric)}: {way} expected; "
            f"margin {nothing}",
        )
    if not (definition.judged or definition.smoke):
        say(console, "", "shown without a verdict")
    if 0 < len(a.seeds) < len(plan.seeds):
        these = f"seed{'s' * (len(a.seeds) > 1)} {in_ranges(a.seeds)}"
        say(console, "", f"{these} of {planned}; no verdict before all of them")
    say(console, *_tuning(a))
    new = (
        "new"
        if store.read_plan(definition.study, definition.dataset.name, definition.smoke) is None
        else (f"registered {plan.registered.at:%Y-%m-%d %H:%M} UTC")
    )
    say(console, "registered", f"plan {plan.short}, {new}")
    f = a.probe.fingerprint
    each = f" with {counted(f.devices, 'device')} each" if f.devices > 1 else ""
    say(
        console,
        "machine",
        f"{counted(a.workers, 'worker')}{each} on {f.hardware}, {f.capability}, "
        f"{definition.precision}, torch {f.torch.split('+')[0]}",
    )
    _say_what_is_reused(console, a)
    say(console, "time", _time(a))
    for number, line in enumerate(_on_cards(a)):
        say(console, "" if number else "on cards", line)
    for number, line in enumerate(_disk(a)):
        say(console, "" if number else "disk", line)
    console.print()


def _tuning(a: Announcement) -> tuple[str, str]:
    """Say how rates are chosen, and how much of that is done."""
    definition, total = a.plan.definition, a.all_tuning_runs
    if not total:
        if definition.rates_of:
            return "learning rate", "one in each arm; none is chosen here"
        return "learning rate", f"{definition.rates[0]:g} in every arm; none is chosen here"
    here = total - round(a.tuning_runs)
    there = f", {here} of them here" if here else ""
    tried = [count for arm in definition.arms if (count := definition.rates_tried(arm))]
    if len(set(tried)) == 1 and sum(tried) == a.work.rates:
        grid = f"{counted(len(tried), 'arm')} x {counted(tried[0], 'rate')}"
    else:
        grid = f"{counted(len(tried), 'arm')}, {counted(a.work.rates, 'rate')}"
    steps = (above / below for below, above in itertools.pairwise(sorted(definition.rates)))
    apart = max(steps, default=1.0)
    known = f", to a factor of {math.sqrt(STEP) if definition.refine else apart:.2g}"
    finer = (
        "; two runs more for one that is best at the edge of its grid" if definition.refine else ""
    )
    seeds = f"x {counted(len(definition.tuning_seeds), 'seed')}"
    chosen = f"to choose each arm's rate{known if len(definition.rates) > 1 else ''}{finer}"
    return "tuning", f"{grid} {seeds} = {counted(total, 'run')}{there}, {chosen}"


def _say_what_is_reused(console: Console, a: Announcement) -> None:
    """Say which records here were made otherwise than this machine would make them."""
    records = _records(a.work.plan, a.store, a.seeds)
    made = a.probe.fingerprint
    _say_used(console, a.store, [record for record in records if record.fingerprint != made])


def say_other_releases(console: Console, plan: Plan, store: Store, seeds: Sequence[int]) -> None:
    """Say which records were made with another release of PyTorch than is here; loads nothing."""
    here = version("torch").split("+")[0]
    records = _records(plan, store, seeds)
    other = [record for record in records if record.fingerprint.torch.split("+")[0] != here]
    if other:
        say(console, "", f"torch is {here} here")
    _say_used(console, store, other)


def _records(plan: Plan, store: Store, seeds: Sequence[int]) -> list[Record]:
    found = find_records(plan, store, seeds)
    return [record for of_arm in found.values() for record in of_arm.values()]


def _say_used(console: Console, store: Store, records: Sequence[Record]) -> None:
    for text in made_by(records):
        say(console, "reused", text)
    if records:
        say(console, "", "to train again, beside them: the same command with --results NEW, then")
        say(console, "", f"    invoke compare --before {store.path} --after NEW")


def _time(a: Announcement) -> str:
    """Estimate from steps timed here and the passes that the whole study took before."""
    if not a.work.runs:
        return "none: there is nothing to train"
    definition = a.plan.definition
    runs = a.tuning_runs + a.comparison_runs
    if a.plan.about.passes is None or definition.smoke:
        passes = runs * next(iter(definition.arms.values())).training.epochs
    else:
        share = (
            TUNING_SHARE * a.work.untried / max(1, a.work.rates) + (1 - TUNING_SHARE) * a.compared
        )
        passes = a.plan.about.passes * share
    seconds = (passes * a.pass_seconds + runs * a.run_seconds) / a.workers
    text = f"about {formatting.duration(seconds)}"
    if a.plan.setting == "stand-in" and not definition.smoke and a.study.paper_dataset:
        steps = [timed.seconds for timed in a.step.values()]
        if own := own_time(a.study, describe(a.study.paper_dataset), steps, a.workers):
            text += f" (the paper's own experiment: {own})"
    return text + "; Ctrl-C loses nothing"


def _on_cards(a: Announcement) -> list[str]:
    """Say how long networks of the paper's size would take on cards, where there is none."""
    definition = a.plan.definition
    configs = list(definition.arms.values())
    small = any(config.network.view <= LARGEST_SMALL for config in configs)
    runs = a.tuning_runs + a.comparison_runs
    if small or definition.smoke or not runs or a.probe.fingerprint.device != "cpu":
        return []
    return on_cards(configs, a.manifest.counts["train"], runs)


def _disk(a: Announcement) -> Iterator[str]:
    """Say what the files of the runs still to come take."""
    definition = a.plan.definition
    each = 1 / len(definition.arms)
    several = [
        Runs.of(
            config,
            definition.precisions_of[arm],
            a.step[arm].parameters,
            a.manifest,
            a.comparison_runs * each,
            a.tuning_runs * each,
        )
        for arm, config in definition.arms.items()
    ]
    return disk(several, a.manifest, a.kept_weights, a.workers, a.store.path)


def list_runs(console: Console, a: Announcement) -> None:
    """Name the runs that can start now; the others' ids follow from rates not chosen yet."""
    runs = a.work.runs
    for run in runs[:LISTED]:
        rate = run.config.training.optimizer.rate
        say(console, run.short, f"{', '.join(a.plan.arms_of(run))}, rate {rate:g}, seed {run.seed}")
    if len(runs) > LISTED:
        say(console, "", f"and {len(runs) - LISTED} more")
    if len(a.work.plan.choices) < len(a.plan.definition.arms):
        say(console, "", "the ids after these depend on what these will show")


def own_experiment(study: Study, paper: Description) -> str:
    """Return the command that runs a study on the paper's own dataset."""
    return f"{paper.how} ablate --study {study.varies or study.name} --dataset {paper.name}"


def own_time(study: Study, paper: Description, steps: list[float], workers: int) -> str | None:
    """Say how long the paper's own experiment should take here, from seconds per step."""
    base = study.bases.get(paper.name)
    if base is None or base.passes is None:
        return None
    seconds = base.passes * paper.images / base.config.training.batch * sum(steps) / len(steps)
    return f"about {formatting.duration(seconds / workers)}"
