"""`ablate --study all`: every study together."""

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console

from ablations.kept import KeptWeights
from ablations.plan import Plan
from ablations.planning import threads_of
from ablations.registration import (
    all_seeds,
    keep_plan,
    new_plan,
    refuse_unplanned,
    same_or_refused,
    shown_on,
)
from ablations.runner import Chosen, counts, remaining, run_studies
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Study
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import Workers
from alexnet.cost import cost_of
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.stored import read_manifest
from alexnet.text import counted
from reports.commands import estimate
from reports.commands.ablate.cluster import on_cluster, with_threads
from reports.commands.ablate.disk import Runs, disk
from reports.commands.ablate.folder import (
    averaged,
    opened_for_writing,
    say_how_it_would_be_shared,
    train_again,
)
from reports.commands.ablate.question import say_what_can_be_shown, say_what_is_checked
from reports.commands.ablate.request import (
    PRACTICE,
    Request,
    ready,
    refuse_crowded,
    settings_of,
)
from reports.commands.console import say
from reports.commands.exit_codes import FAILED
from reports.commands.placement import placed
from reports.commands.progress import StudyProgress
from reports.commands.time_limit import STOPPED, TimeLimit
from reports.evidence import EVIDENCE
from reports.findings.records import comparison_of
from reports.wording import formatting, sentences


def run_all(request: Request, console: Console) -> int:
    """Run what all studies lack on one dataset, in step; return the exit code."""
    if request.dataset == "paper":
        raise DatasetError("the paper's own images differ from study to study; name a dataset")
    manifest = read_manifest(request.dataset or PRACTICE, request.data_dir)
    say_what_is_checked(console, manifest)
    studies = list(shown(manifest, console))
    store = Store(request.results)
    plans = {
        study.name: same_or_refused(request, study, manifest, plan, store)
        for study in studies
        if (plan := store.read_plan(study.name, manifest.name, smoke=False))
    }
    threads = {study.bases[manifest.name].threads for study in studies}
    if len(threads) > 1:
        raise DatasetError(f"studies on {manifest.name} differ in threads; run them one by one")
    there = {
        seed
        for study in studies
        for seed in all_seeds(request, study, manifest.name, plans.get(study.name))
    }
    refuse_unplanned(request, sorted(there), f"the studies on {manifest.name}")
    every = (study.config(manifest.name, arm) for study in studies for arm in study.arms)
    refuse_crowded(request.devices, every)
    limit = TimeLimit(request.time_limit)
    try:
        with limit, contextlib.ExitStack() as stack:
            if request.dry_run:
                say_how_it_would_be_shared(console, store, request)
            else:
                stack.enter_context(opened_for_writing(console, store, request))
            workers = _workers(request, console, plans, studies, manifest)
            stack.callback(workers.close)
            progress = _work(request, console, studies, manifest, store, plans, workers)
    except KeyboardInterrupt:
        return limit.stopped(console, STOPPED)
    if progress is None:
        return 0
    for plan in plans.values():
        done = averaged(console, plan, store)
        store.write_plan(done)
        _say_answer(console, done, store)
    say(console, "page", "invoke report")
    return FAILED if progress.failures else 0


def _work(
    request: Request,
    console: Console,
    studies: Sequence[Study],
    manifest: Manifest,
    store: Store,
    plans: dict[str, Plan],
    workers: Workers,
) -> StudyProgress | None:
    """Plan what is not planned yet, and train what is missing; None if that was only asked about.

    ``plans``, by study, are completed and follow the rates that are chosen.
    """
    probe = ready(workers, console)
    for study in studies:
        plan = with_threads(
            new_plan(request, study, manifest, probe.precision), probe.fingerprint.threads
        )
        plans.setdefault(study.name, plan)
    every = list(plans.values())
    seeds = {plan.name: request.seeds_of(plan) for plan in every}
    _announce(console, studies, every, manifest, store)
    disk = disk_of_all(every, manifest, store, request.kept_weights, workers.count)
    for number, line in enumerate(disk):
        say(console, "" if number else "disk", line)
    console.print()
    if request.dry_run:
        say(console, "dry run", "nothing was written and nothing trained")
        return None
    every = [keep_plan(plan, store) for plan in every]
    for plan in every:
        train_again(console, plan, store, dry=False)
    plans.update({plan.definition.study: plan for plan in every})
    progress = StudyProgress(console, every, store, seeds)
    with progress:
        for event in run_studies(every, store, workers, seeds, request.shard):
            progress.show(event)
            if isinstance(event, Chosen):
                plans[event.plan.definition.study] = event.plan
                say_what_can_be_shown(console, event.plan, store)
    say(console, "took", progress.summary(workers.count))
    return progress


def shown(manifest: Manifest, console: Console) -> Iterator[Study]:
    """Yield every study as a dataset can show it; say which cannot be shown, and why."""
    for study in STUDIES.values():
        try:
            yield shown_on(study, manifest)
        except DatasetError as error:
            say(console, "left out", str(error))


def _workers(
    request: Request,
    console: Console,
    plans: dict[str, Plan],
    studies: list[Study],
    manifest: Manifest,
) -> Workers:
    registered = {plan.definition.threads for plan in plans.values()}
    base = studies[0].bases[manifest.name]
    is_known = len(registered) == 1
    threads = registered.pop() if is_known else threads_of(base)
    if request.cluster:
        whole = base.threads == "all" and not is_known
        return on_cluster(request, console, [manifest], threads, whole)
    found = placed(request, console, threads)
    place = found.told(settings_of(request, threads))
    return LocalWorkers(found.workers, place, found.gpus)


def _announce(
    console: Console,
    studies: Sequence[Study],
    plans: Sequence[Plan],
    manifest: Manifest,
    store: Store,
) -> None:
    here, total = (
        sum(column) for column in zip(*(_counts(plan, store) for plan in plans), strict=True)
    )
    one = estimate.shared(studies, manifest.name)
    say(
        console,
        "plan",
        f"{counted(len(studies), 'study')} on {manifest.name}, {counted(total, 'run')} to compare",
    )
    different = counted(one.distinct, "different training")
    say(console, "", f"{counted(one.arms, 'arm')}, {different}: shared ones run once")
    if here:
        say(console, "", f"{counted(here, 'run is', 'runs are')} here")
    pace = estimate.speed([store, Store(EVIDENCE)])
    if pace and (took := estimate.total_seconds(studies, manifest.name, pace)):
        about = formatting.duration(took)
        say(console, "time", f"about {about} ({pace.where}); Ctrl-C loses nothing")
    say(console, "order", "rates first, then seed by seed: balanced whenever it stops")


def disk_of_all(
    plans: Sequence[Plan], manifest: Manifest, store: Store, kept: KeptWeights, workers: int
) -> Iterator[str]:
    """Yield in words what the files of the runs still to come take; shared runs count once."""
    here, total = (sum(column) for column in zip(*(_counts(p, store) for p in plans), strict=True))
    to_do = 1 - here / max(1, total)
    found: dict[tuple[str, str], Runs] = {}
    for definition in (plan.definition for plan in plans):
        for arm, config in definition.arms.items():
            precision = definition.precisions_of[arm]
            runs = Runs.of(
                config,
                precision,
                cost_of(config.network).parameters,
                manifest,
                to_do * len(definition.seeds),
                to_do * definition.rates_tried(arm) * len(definition.tuning_seeds),
            )
            found.setdefault((config.canonical, precision), runs)
    return disk(list(found.values()), manifest, kept, workers, store.path)


def _counts(plan: Plan, store: Store) -> tuple[int, int]:
    """Return how many comparison runs are here, other studies' among them, and how many there are.

    A plan that was not registered before has no rates yet, but records may decide them.
    """
    seeds = plan.definition.seeds
    return counts(remaining(plan, store, seeds).plan, store, seeds)


def _say_answer(console: Console, plan: Plan, store: Store) -> None:
    comparison = comparison_of(plan, store)
    done = f"{comparison.done} of {counted(comparison.planned, 'run')}"
    if comparison.done < comparison.planned:
        say(console, comparison.study, f"incomplete, {done}")
        if not comparison.has_verdicts:
            return
    for effect in comparison.effects:
        say(console, comparison.study, sentences.verdict_line(effect, comparison))
