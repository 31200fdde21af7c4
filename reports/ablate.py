"""`ablate` from request to result: plan, run what is missing, say what it comes to."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from ablations.executors import LocalWorkers
from ablations.machine import cores, provenance
from ablations.messages import Event, Finished, Place, Probe, Timed, TimeStep
from ablations.bases import suited
from ablations.plan import (
    Plan,
    SecondLook,
    Timing,
    about,
    define,
    refuse_difference,
    threads_of,
)
from ablations.runner import Chosen, counts, remaining, run_study
from ablations.store import Store
from ablations.studies import find_study
from ablations.study import Study
from alexnet.config import Precision
from alexnet.data.catalogue import read_manifest
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.names import suggestion
from reports import narration
from reports.announcement import Announcement, announce, list_runs
from reports.figures import draw, save
from reports.terminal import Progress, say

FAILED, INTERRUPTED = 1, 130
WARM_STEPS, TIMED_STEPS = 8, 30
SELDOM = 40  # at most a fortieth of the time goes into drawing


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    study: str
    dataset: str | None
    seeds: int | None
    workers: int | None
    device: str
    precision: Literal["auto"] | Precision
    smoke: bool
    dry_run: bool
    results: Path
    data_dir: Path

    @property
    def command(self) -> str:
        """The command to paste, without places on this machine."""
        study = Path(self.study).name if self.study.endswith(".py") else self.study
        given = {"dataset": self.dataset, "seeds": self.seeds, "precision": self.precision}
        shown = [f"--{k} {v}" for k, v in given.items() if v not in (None, "auto")]
        return " ".join(["invoke ablate", f"--study {study}", *shown]) + (
            " --smoke" if self.smoke else ""
        )


def run(request: Request, console: Console) -> int:
    """Do what was asked; return the exit code."""
    study, manifest = _asked(request)
    dataset = manifest.name
    store = Store(request.results)
    plan = store.read_plan(study.name, dataset, request.smoke)
    narration.introduce(console, study, dataset)
    for problem in store.problems:
        say(console, "set aside", problem)
    if plan is not None:
        plan = _same_or_refused(request, study, manifest, plan, store)
        seeds = plan.seeds[: request.seeds] if request.seeds else plan.seeds
        if not remaining(plan, store, seeds).runs and plan.timings:
            done, total = counts(plan, store, seeds)
            if not request.dry_run:
                _keep(plan, store)
            say(console, "nothing to do", f"{done} of {total} runs here")
            narration.conclude(console, study, plan, store, figure=not request.dry_run)
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
    threads = plan.definition.threads if plan else threads_of(study.bases[manifest.name])
    count = _worker_count(request, console, threads)
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
        announcement = Announcement(
            study=study,
            plan=plan,
            store=store,
            manifest=manifest,
            seeds=seeds,
            probe=probe,
            workers=count,
            step=_time_steps(workers, plan, WARM_STEPS),
        )
        announce(console, announcement)
        if request.dry_run:
            list_runs(console, announcement)
            say(console, "dry run", "nothing was written and nothing trained")
            return 0
        _keep(plan, store)
        progress = Progress(console, plan, store, seeds)
        plan = _train(progress, console, plan, store, workers, seeds)
        say(console, "took", progress.summary(count))
        if not progress.failures and not plan.timings:
            plan = _time_alone(workers, plan, probe)
            store.write_plan(plan)
    except KeyboardInterrupt:
        say(console, "stopped", "only epochs under way are lost; the same command goes on")
        return INTERRUPTED
    finally:
        workers.close()
    narration.conclude(console, study, plan, store)
    for failure in progress.failures:
        name = failure.run.short if failure.run else "worker"
        say(console, "FAILED", f"run {name}: {failure.reason.splitlines()[0]}")
    return FAILED if progress.failures else 0


def _train(
    progress: Progress,
    console: Console,
    plan: Plan,
    store: Store,
    workers: LocalWorkers,
    seeds: tuple[int, ...],
) -> Plan:
    """Do all that is missing, showing it; return the plan with the rates that were chosen."""
    redrawing = _Redrawing()
    with progress:
        for event in run_study(plan, store, workers, seeds):
            progress.show(event)
            if isinstance(event, Chosen):
                plan = event.plan
                narration.say_what_can_be_shown(console, plan)
            redrawing.on(event, plan, store)
    return plan


def _keep(plan: Plan, store: Store) -> None:
    """Write a plan that is new or has been added to: more seeds, other words."""
    one = plan.definition
    if store.read_plan(one.study, one.dataset.name, one.smoke) != plan:
        store.ensure_writable()
        store.write_plan(plan)


def _asked(request: Request) -> tuple[Study, Manifest]:
    """Return the study as a dataset can show it, and the dataset's manifest."""
    study = find_study(request.study)
    manifest = read_manifest(_dataset(study, request.dataset), request.data_dir)
    study = suited(study, manifest)
    if manifest.name not in study.bases:
        known = suggestion(manifest.name, study.bases)
        raise DatasetError(f"{study.name} has no base for the dataset {manifest.name!r}; {known}")
    try:
        return study.on(manifest.name, manifest.has), manifest
    except ValueError as error:
        raise DatasetError(str(error)) from error


def _dataset(study: Study, name: str | None) -> str:
    if name is None:
        return next(iter(study.bases))
    if name != "paper":
        return name
    if study.paper_dataset is None:
        raise DatasetError(f"{study.name} asks nothing of the paper; name a dataset")
    return study.paper_dataset


def _same_or_refused(
    request: Request, study: Study, manifest: Manifest, plan: Plan, store: Store
) -> Plan:
    """Return the registered plan, with more seeds as a second look if more were asked for."""
    one = plan.definition
    precision = one.precision if request.precision == "auto" else request.precision
    now = define(study, manifest.name, manifest, len(one.seeds), precision, one.smoke)
    if study.bases[manifest.name].threads == "all":  # of the machine that registered it
        now = now.but(threads=one.threads)
    refuse_difference(one, now, store.plan_path(one.study, manifest.name, one.smoke))
    plan = plan.amended(about(study, manifest.name), provenance(request.command))
    if request.seeds is not None and request.seeds > len(plan.seeds):
        look = SecondLook(
            at=provenance(request.command).at,
            seeds=tuple(range(len(plan.seeds), request.seeds)),
        )
        plan = plan.model_copy(update={"second_looks": (*plan.second_looks, look)})
    return plan


def _new_plan(request: Request, study: Study, manifest: Manifest, native: Precision) -> Plan:
    # Fewer seeds than planned are a first part of the plan, not a plan that can decide nothing.
    seeds = (
        (request.seeds or 2)
        if request.smoke
        else max(study.seeds_on(manifest.name), request.seeds or 0)
    )
    precision: Precision = native if request.precision == "auto" else request.precision
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


def _time_steps(workers: LocalWorkers, plan: Plan, steps: int) -> dict[str, Timed]:
    """Time a training step of every arm, one after the other."""
    one, found = plan.definition, dict[str, Timed]()
    for arm, config in one.arms.items():
        workers.submit(TimeStep(config, one.dataset.name, one.precision, steps))
        while arm not in found:
            for event in workers.events(timeout=60):
                if isinstance(event, Timed):
                    found[arm] = event
    return found


def _time_alone(workers: LocalWorkers, plan: Plan, probe: Probe) -> Plan:
    step = _time_steps(workers, plan, TIMED_STEPS)
    timings = {
        arm: Timing(
            seconds_per_step=step[arm].seconds,
            batch=config.training.batch,
            fingerprint=probe.fingerprint,
        )
        for arm, config in plan.definition.arms.items()
    }
    return plan.model_copy(update={"timings": timings})


class _Redrawing:
    """Draws the figure again as runs finish, but seldom: drawing takes a core from training."""

    def __init__(self) -> None:
        self._next = 0.0

    def on(self, event: Event | Chosen, plan: Plan, store: Store) -> None:
        """Draw if a run has finished and the last time is long enough ago."""
        if isinstance(event, Finished) and time.monotonic() >= self._next:
            start = time.monotonic()
            figure = draw(plan, store)
            if figure is not None:
                save(figure, store.results, plan.name)
                self._next = start + SELDOM * (time.monotonic() - start)
