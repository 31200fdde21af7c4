"""`ablate` from request to result: plan, run what is missing, say what it comes to."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ablations.executors import (
    Event,
    Finished,
    LocalWorkers,
    Place,
    Probe,
    Timed,
    TimeStep,
)
from ablations.machine import cores, provenance
from ablations.plan import Plan, SecondLook, Timing, about, define, refuse_difference
from ablations.runner import Chosen, counts, remaining, run_study
from ablations.store import Store
from ablations.studies import find_study
from ablations.study import Study, TimeTo
from ablations.tuning import Choice
from alexnet.config import Precision
from alexnet.data.catalogue import DatasetError, Manifest, describe, read_manifest
from reports import statistics, words
from reports.comparison import Comparison, compare
from reports.figures import figure_1, save
from reports.readme import EVIDENCE
from reports.tables import arms_table
from reports.terminal import Progress, say

FAILED, INTERRUPTED = 1, 130
WARM_STEPS, TIMED_STEPS = 8, 30
TUNING_SHARE = 0.5  # of all passes, as seen in the studies so far
SELDOM = 40  # at most a fortieth of the time goes into drawing


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    study: str
    dataset: str | None
    seeds: int | None
    workers: int | None
    device: str
    precision: str
    smoke: bool
    dry_run: bool
    results: Path
    data_dir: Path

    @property
    def command(self) -> str:
        """The command to paste, without places on this machine."""
        given = {"dataset": self.dataset, "seeds": self.seeds, "precision": self.precision}
        shown = [f"--{k} {v}" for k, v in given.items() if v not in (None, "auto")]
        return " ".join(["invoke ablate", f"--study {self.study}", *shown]) + (
            " --smoke" if self.smoke else ""
        )


def run(request: Request, console: Console) -> int:
    """Do what was asked; return the exit code."""
    study = find_study(request.study)
    dataset = _dataset(study, request.dataset)
    manifest = read_manifest(dataset, request.data_dir)
    store = Store(request.results)
    plan = store.read_plan(study.name, dataset, request.smoke)
    _introduce(console, study, dataset)
    for problem in store.problems:
        say(console, "set aside", problem)
    if plan is not None:
        plan = _same_or_refused(request, study, manifest, plan, store)
        seeds = plan.seeds[: request.seeds] if request.seeds else plan.seeds
        if not remaining(plan, store, seeds).runs and plan.timings:
            done, total = counts(plan, store, seeds)
            say(console, "nothing to do", f"{done} of {total} runs here")
            _conclude(console, plan, store, draw=not request.dry_run)
            return 0
    if not request.dry_run:
        store.ensure_writable()
    return _work(request, console, study, manifest, plan, store)


def _work(
    request: Request,
    console: Console,
    study: Study,
    manifest: Manifest,
    plan: Plan | None,
    store: Store,
) -> int:
    count = _worker_count(request, console, study.bases[manifest.name].threads)
    threads = plan.definition.threads if plan else study.bases[manifest.name].threads
    place = Place(
        request.results.resolve(),
        request.data_dir.resolve(),
        request.device,
        threads,
        request.command,
    )
    workers = LocalWorkers(count, place)
    try:
        probe = _ready(workers)
        if plan is None:
            plan = _new_plan(request, study, manifest, probe.precision)
        seeds = plan.seeds[: request.seeds] if request.seeds else plan.seeds
        step = _seconds_per_step(workers, plan, WARM_STEPS)
        _announce(console, plan, store, seeds, probe, count, step)
        if request.dry_run:
            say(console, "dry run", "nothing was written and nothing trained")
            return 0
        if store.read_plan(study.name, manifest.name, request.smoke) != plan:
            store.write_plan(plan)
        redrawing = _Redrawing()
        with Progress(console, plan, store, seeds) as progress:
            for event in run_study(plan, store, workers, seeds):
                progress.show(event)
                plan = event.plan if isinstance(event, Chosen) else plan
                if isinstance(event, Chosen):
                    _say_what_can_be_shown(console, plan, store)
                redrawing.on(event, plan, store)
        say(console, "took", progress.summary(count))
        if not progress.failures and not plan.timings:
            plan = _time_alone(workers, plan, probe)
            store.write_plan(plan)
    except KeyboardInterrupt:
        say(console, "stopped", "nothing finished is lost; the same command goes on")
        return INTERRUPTED
    finally:
        workers.close()
    _conclude(console, plan, store)
    for failure in progress.failures:
        name = failure.run.short if failure.run else "worker"
        say(console, "FAILED", f"run {name}: {failure.reason.splitlines()[0]}")
    return FAILED if progress.failures else 0


def _dataset(study: Study, name: str | None) -> str:
    if name is None:
        return next(iter(study.bases))
    name = study.paper_dataset if name == "paper" else name
    describe(name)
    if name not in study.bases:
        known = ", ".join(study.bases)
        raise DatasetError(f"{study.name} has no base for {name}; it runs on {known}")
    return name


def _same_or_refused(
    request: Request, study: Study, manifest: Manifest, plan: Plan, store: Store
) -> Plan:
    """Return the registered plan, with more seeds as a second look if more were asked for."""
    one = plan.definition
    precision = one.precision if request.precision == "auto" else request.precision
    now = define(study, manifest.name, manifest, len(one.seeds), precision, one.smoke)  # type: ignore[arg-type]
    refuse_difference(one, now, store.plan_path(one.study, manifest.name, one.smoke))
    plan = plan.but(about=about(study, manifest.name).model_dump())
    if request.seeds is not None and request.seeds > len(plan.seeds):
        look = SecondLook(
            at=provenance(request.command).at,
            seeds=tuple(range(len(plan.seeds), request.seeds)),
        )
        plan = plan.model_copy(update={"second_looks": (*plan.second_looks, look)})
    return plan


def _new_plan(request: Request, study: Study, manifest: Manifest, native: Precision) -> Plan:
    seeds = request.seeds or (2 if request.smoke else study.seeds)
    precision: Precision = native if request.precision == "auto" else request.precision  # type: ignore[assignment]
    return Plan(
        definition=define(study, manifest.name, manifest, seeds, precision, request.smoke),
        about=about(study, manifest.name),
        registered=provenance(request.command),
    )


def _worker_count(request: Request, console: Console, threads: int) -> int:
    most = max(1, cores() // threads)
    if request.workers is None:
        return min(most, 4) if Path("/dev/nvidiactl").exists() else most
    if request.workers > most:
        say(
            console,
            "warning",
            f"{request.workers} workers of {threads} threads on {cores()} cores slow each other",
        )
    return request.workers


def _ready(workers: LocalWorkers) -> Probe:
    while True:
        for event in workers.events(timeout=60):
            if isinstance(event, Probe):
                return event


def _seconds_per_step(workers: LocalWorkers, plan: Plan, steps: int) -> dict[str, float]:
    """Time a training step of every arm, one after the other."""
    one, seconds = plan.definition, {}
    for arm, config in one.arms.items():
        workers.submit(TimeStep(config, one.dataset.name, one.precision, steps))
        while arm not in seconds:
            for event in workers.events(timeout=60):
                if isinstance(event, Timed):
                    seconds[arm] = event.seconds
    return seconds


def _time_alone(workers: LocalWorkers, plan: Plan, probe: Probe) -> Plan:
    seconds = _seconds_per_step(workers, plan, TIMED_STEPS)
    timings = {
        arm: Timing(
            seconds_per_step=seconds[arm],
            batch=config.training.batch,
            fingerprint=probe.fingerprint,
        )
        for arm, config in plan.definition.arms.items()
    }
    return plan.model_copy(update={"timings": timings})


def _introduce(console: Console, study: Study, dataset: str) -> None:
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


def _announce(
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
    study = find_study(one.study)
    if one.setting == "stand-in" and not one.smoke:
        paper = study.bases[study.paper_dataset]
        images = describe(study.paper_dataset).images
        seconds = paper.passes * images / config.training.batch * sum(step.values()) / len(step)
        text += f" (the paper's own experiment: about {words.duration(seconds / workers)})"
    return text + "; Ctrl-C loses nothing"


def _say_what_can_be_shown(console: Console, plan: Plan, store: Store) -> None:
    """Once all rates are chosen, say how small a speed-up the planned seeds can show."""
    one = plan.definition
    if len(plan.choices) < len(one.arms) or not isinstance(one.metric, TimeTo) or one.smoke:
        return
    contrast = one.contrasts[0]
    spread = [_tuning_values(plan.choices[arm]) for arm in (contrast.arm, contrast.against)]
    if any(value is None for value in spread) or len(one.seeds) < 2:
        return
    differences = np.log(spread[1]) - np.log(spread[0])  # type: ignore[arg-type]
    smallest = statistics.detectable_effect(float(differences.std(ddof=1)), len(one.seeds))
    text = f"a speed-up of {words.times(float(np.exp(smallest)))} or more"
    say(console, "can show", f"{text} (80 % power, by the spread of the two tuning seeds)")


def _tuning_values(choice: Choice) -> tuple[float, ...] | None:
    trial = next(trial for trial in choice.trials if trial.rate == choice.rate)
    return trial.outcomes if trial.reached else None


class _Redrawing:
    """Draws the figure again as runs finish, but seldom: drawing takes a core from training."""

    def __init__(self) -> None:
        self._next = 0.0

    def on(self, event: Event | Chosen, plan: Plan, store: Store) -> None:
        """Draw if a run has finished and the last time is long enough ago."""
        if isinstance(event, Finished) and time.monotonic() >= self._next:
            start = time.monotonic()
            figure = figure_1(plan, store)
            if figure is not None:
                save(figure, store.results, f"figure1-{plan.name}")
                self._next = start + SELDOM * (time.monotonic() - start)


def _conclude(console: Console, plan: Plan, store: Store, draw: bool = True) -> None:
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
    say(console, "", _shipped(study))
    say(console, "", f"The paper's own experiment: {_own_experiment(study)}")


def _shipped(study: Study) -> str:
    """Return what the evidence in the package says of a study."""
    store = Store(EVIDENCE)
    for plan in store.plans():
        if plan.definition.study == study.name and plan.definition.setting != "stand-in":
            found = compare(plan, store)
            return f"Shipped with the package: {words.headline(plan, found)}"
    return "No evidence on it is shipped with the package yet."
