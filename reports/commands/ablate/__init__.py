"""`ablate` from request to result: plan, run what is missing, say what it comes to."""

import contextlib
import time
from typing import NamedTuple

from rich.console import Console

from ablations.plan import Plan, Timing
from ablations.planning import threads_of
from ablations.registration import (
    all_seeds,
    keep_plan,
    new_plan,
    plans_that_share,
    refuse_unplanned,
    same_or_refused,
)
from ablations.runner import Chosen, Found, counts, remaining, run_study
from ablations.store import Store
from ablations.study import Study
from ablations.workers.in_process import ThisProcess
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import (
    Event,
    Failed,
    Finished,
    Probe,
    Timed,
    TimeStep,
    Workers,
)
from alexnet.data.manifest import Manifest
from alexnet.text import counted
from reports.commands.ablate.announcement import (
    Announcement,
    announce,
    list_runs,
    say_other_releases,
)
from reports.commands.ablate.cluster import on_cluster, with_threads
from reports.commands.ablate.conclusion import conclude
from reports.commands.ablate.folder import (
    averaged,
    opened_for_writing,
    say_how_it_would_be_shared,
    say_without_weights,
    train_again,
)
from reports.commands.ablate.question import (
    introduce,
    say_other_length,
    say_what_can_be_shown,
    say_what_is_checked,
    say_what_is_on_two_devices,
    say_what_is_registered_too,
)
from reports.commands.ablate.request import Request, asked, ready, refuse_crowded, settings_of
from reports.commands.console import say
from reports.commands.exit_codes import FAILED
from reports.commands.placement import placed
from reports.commands.progress import StudyProgress, say_if_device_failed
from reports.commands.time_limit import STOPPED, TimeLimit
from reports.figures.kept import draw_anew
from reports.findings.sections import section_of

WARM_STEPS, TIMED_STEPS = 8, 30
SELDOM = 40  # at most a fortieth of the time goes into drawing


class Done(NamedTuple):
    """What came of a request."""

    plan: Plan
    store: Store
    failures: tuple[str, ...] = ()  # a sentence each
    is_dry: bool = False  # what is missing was only listed


def run(request: Request, console: Console) -> int:
    """Do what was asked and say what it comes to; return the exit code."""
    study, manifest = asked(request)
    introduce(console, study, manifest, request.smoke)
    say_what_is_on_two_devices(console, request.tower_devices, study, manifest.name)
    say_what_is_checked(console, manifest)
    limit = TimeLimit(request.time_limit)
    try:
        with limit:
            done = carry_out(request, console, study, manifest)
    except KeyboardInterrupt:
        return limit.stopped(console, STOPPED)
    if done.is_dry:
        return 0
    conclude(console, study, done.plan, done.store, figure=not request.dry_run)
    for failure in done.failures:
        say(console, "FAILED", failure)
    return FAILED if done.failures else 0


def carry_out(request: Request, console: Console, study: Study, manifest: Manifest) -> Done:
    """Plan what was asked and train what is missing, saying how it goes.

    Raises:
        PlanError: If the registered plan cannot be read, or is not the study's.
        StoreError: If the results folder cannot be written.
        DriverError: If others are at work there with another kind of locks.
        WorkerError: If nothing can be trained here.
    """
    say_other_length(console, study, manifest)
    store = Store(request.results)
    plan = store.read_plan(study.name, manifest.name, request.smoke)
    for problem in store.problems:
        say(console, "ignored", problem)
    there = all_seeds(request, study, manifest.name, plan)
    refuse_unplanned(request, there, f"{study.name} on {manifest.name}")
    if plan is not None:
        plan = same_or_refused(request, study, manifest, plan, store)
        seeds = request.seeds_of(plan)
        train_again(console, plan, store, request.dry_run)
        if not remaining(plan, store, seeds).runs and plan.timings:
            done, total = counts(plan, store, seeds)
            if not request.dry_run:
                plan = keep_plan(plan, store)
            say(console, "nothing to do", f"{done} of {counted(total, 'run')} here")
            if request.keep_weights not in (None, "none"):
                say_without_weights(console, plan, store, seeds)
            say_other_releases(console, plan, store, seeds)
            return Done(plan, store)
    arms = (study.config(manifest.name, arm) for arm in study.arms)
    refuse_crowded(request.devices, plan.definition.arms.values() if plan else arms)
    with contextlib.ExitStack() as stack:
        if request.dry_run:
            say_how_it_would_be_shared(console, store, request)
        else:
            stack.enter_context(opened_for_writing(console, store, request))
        base = study.bases[manifest.name]
        threads = plan.definition.threads if plan else threads_of(base)
        if request.cluster:
            whole = plan is None and base.threads == "all"
            workers = on_cluster(request, console, [manifest], threads, whole)
        else:
            workers = _workers(request, console, threads)
        stack.callback(workers.close)
        return _work(request, console, study, manifest, plan, store, workers)


def _workers(request: Request, console: Console, threads: int) -> Workers:
    found = placed(request, console, threads)
    place = found.told(settings_of(request, threads))
    count = found.workers
    return LocalWorkers(count, place, found.gpus) if count else ThisProcess(place)


def _work(
    request: Request,
    console: Console,
    study: Study,
    manifest: Manifest,
    plan: Plan | None,
    store: Store,
    workers: Workers,
) -> Done:
    probe = ready(workers, console)
    if plan is None:
        plan = new_plan(request, study, manifest, probe.precision)
        plan = with_threads(plan, probe.fingerprint.threads)
    seeds = request.seeds_of(plan)
    announcement = Announcement(
        study=study,
        plan=plan,
        store=store,
        manifest=manifest,
        seeds=seeds,
        probe=probe,
        workers=workers.count,
        step=_time_steps(workers, plan, WARM_STEPS, console),
        kept_weights=request.kept_weights,
    )
    sharing = plans_that_share(request, plan, manifest, store)
    announce(console, announcement)
    if request.keep_weights not in (None, "none"):
        say_without_weights(console, announcement.work.plan, store, seeds)
    say_what_is_registered_too(console, sharing, request.dry_run)
    say_what_can_be_shown(console, announcement.work.plan, store)
    if request.dry_run:
        list_runs(console, announcement)
        say(console, "dry run", "nothing was written and nothing trained")
        return Done(plan, store, is_dry=True)
    plan = keep_plan(plan, store)
    for one in sharing:
        keep_plan(one, store)
    progress = StudyProgress(console, [plan], store, {plan.name: seeds})
    plan = _train(progress, console, plan, store, workers, request)
    say(console, "took", progress.summary(workers.count))
    plan = averaged(console, plan, store)
    if not progress.failures and not plan.timings:
        plan = _time_alone(workers, plan, probe)
    store.write_plan(plan)
    return Done(plan, store, tuple(map(_sentence, progress.failures)))


def _sentence(failure: Failed) -> str:
    name = failure.run.short if failure.run else "worker"
    return f"run {name}: {failure.reason.splitlines()[0]}"


def _train(
    progress: StudyProgress,
    console: Console,
    plan: Plan,
    store: Store,
    workers: Workers,
    request: Request,
) -> Plan:
    """Do all that is missing, showing it; return the plan with the rates that were chosen."""
    redrawing = _Redrawing()
    with progress:
        for event in run_study(plan, store, workers, request.seeds_of(plan), request.shard):
            progress.show(event)
            if isinstance(event, Chosen):
                plan = event.plan
                say_what_can_be_shown(console, plan, store)
            redrawing.on(event, plan, store)
    return plan


def _time_steps(workers: Workers, plan: Plan, steps: int, console: Console) -> dict[str, Timed]:
    """Time a training step of every arm, one after the other."""
    definition, found = plan.definition, dict[str, Timed]()
    for arm, config in definition.arms.items():
        workers.submit(TimeStep(config, definition.dataset, definition.precision, steps))
        while arm not in found:
            for event in workers.events(timeout=60):
                if isinstance(event, Timed):
                    found[arm] = event
                say_if_device_failed(console, event)
    return found


def _time_alone(workers: Workers, plan: Plan, probe: Probe) -> Plan:
    step = _time_steps(workers, plan, TIMED_STEPS, Console(quiet=True))
    timings = {
        arm: Timing(
            seconds_per_step=step[arm].seconds,
            batch=config.training.batch,
            fingerprint=probe.fingerprint.but(tower_devices=step[arm].tower_devices),
        )
        for arm, config in plan.definition.arms.items()
    }
    return plan.model_copy(update={"timings": timings})


class _Redrawing:
    """Draws the figure again as runs finish, but seldom: drawing takes a core from training."""

    def __init__(self) -> None:
        self._next = 0.0

    def on(self, event: Event | Chosen | Found, plan: Plan, store: Store) -> None:
        """Draw if a run has finished and the last time is long enough ago."""
        if isinstance(event, Finished) and time.monotonic() >= self._next:
            start = time.monotonic()
            draw_anew(section_of(plan, store), store.path)
            self._next = start + SELDOM * (time.monotonic() - start)
