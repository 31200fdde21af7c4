"""`ablate` from request to result: plan, run what is missing, say what it comes to."""

import time

from rich.console import Console

from ablations.ensembles import with_ensembles
from ablations.executors import LocalWorkers
from ablations.messages import Event, Finished, Place, Probe, Timed, TimeStep
from ablations.plan import Plan, Timing
from ablations.registration import threads_of
from ablations.runner import Chosen, counts, remaining, run_study
from ablations.store import Store
from ablations.study import Study
from alexnet.data.manifest import Manifest
from reports import narration
from reports.announcement import Announcement, announce, list_runs
from reports.figures import draw, save
from reports.request import (
    FAILED,
    INTERRUPTED,
    Request,
    asked,
    keep_plan,
    new_plan,
    ready,
    same_or_refused,
    worker_count,
)
from reports.terminal import Progress, say

WARM_STEPS, TIMED_STEPS = 8, 30
SELDOM = 40  # at most a fortieth of the time goes into drawing


def run(request: Request, console: Console) -> int:
    """Do what was asked; return the exit code."""
    study, manifest = asked(request)
    dataset = manifest.name
    store = Store(request.results)
    plan = store.read_plan(study.name, dataset, request.smoke)
    narration.introduce(console, study, manifest, request.smoke)
    for problem in store.problems:
        say(console, "set aside", problem)
    if plan is not None:
        plan = same_or_refused(request, study, manifest, plan, store)
        seeds = plan.seeds[: request.seeds] if request.seeds else plan.seeds
        if not remaining(plan, store, seeds).runs and plan.timings:
            done, total = counts(plan, store, seeds)
            if not request.dry_run:
                keep_plan(plan, store)
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
    count = worker_count(request, console, threads)
    place = Place(
        request.results.resolve(),
        request.data_dir.resolve(),
        request.device,
        threads,
        request.command,
    )
    workers = LocalWorkers(count, place)
    try:
        probe = ready(workers)
        if plan is None:
            plan = new_plan(request, study, manifest, probe.precision)
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
        keep_plan(plan, store)
        progress = Progress(console, [plan], store, {plan.name: seeds})
        plan = _train(progress, console, plan, store, workers, seeds)
        say(console, "took", progress.summary(count))
        plan = with_ensembles(plan, store)
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
