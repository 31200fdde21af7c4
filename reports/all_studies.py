"""`ablate --study all`: every study together, or every arm once for a few steps."""

import time
from collections.abc import Iterator, Sequence

from rich.console import Console

from ablations.ensembles import with_ensembles
from ablations.executors import LocalWorkers
from ablations.messages import Failed, Finished, Place
from ablations.plan import Plan
from ablations.registration import define
from ablations.run import Run
from ablations.runner import Chosen, counts, run_studies, work_off
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Study
from alexnet.config import Precision
from alexnet.data.catalogue import read_manifest
from alexnet.data.generated import GENERATED
from alexnet.data.manifest import DatasetError, Manifest
from reports import effort, words
from reports.comparison import compare
from reports.readme import EVIDENCE
from reports.request import (
    FAILED,
    PRACTICE,
    Request,
    keep_plan,
    new_plan,
    ready,
    same_or_refused,
    shown_on,
    worker_count,
)
from reports.terminal import Progress, say
from reports.time_limit import STOPPED, TimeLimit

SMOKE_PRECISION: Precision = "float32"
PER_LINE = 64


def run_all(request: Request, console: Console) -> int:
    """Run what all studies lack on one dataset, in step; return the exit code."""
    if request.dataset == "paper":
        raise DatasetError("the paper's own images differ from study to study; name a dataset")
    manifest = read_manifest(request.dataset or PRACTICE, request.data_dir)
    studies = list(_shown(manifest, console))
    store = Store(request.results)
    plans = {
        study.name: same_or_refused(request, study, manifest, plan, store)
        for study in studies
        if (plan := store.read_plan(study.name, manifest.name, smoke=False))
    }
    threads = {study.bases[manifest.name].threads for study in studies}
    if len(threads) > 1:
        raise DatasetError(f"studies on {manifest.name} differ in threads; run them one by one")
    if not request.dry_run:
        store.ensure_writable()
    place = _place(request, plans, studies, manifest)
    count = worker_count(request, console, place.threads)
    workers = LocalWorkers(count, place)
    limit = TimeLimit(request.time_limit)
    try:
        with limit:
            progress = _work(request, console, studies, manifest, store, plans, workers)
    except KeyboardInterrupt:
        return limit.stopped(console, STOPPED)
    finally:
        workers.close()
    if progress is None:
        return 0
    for plan in plans.values():
        done = with_ensembles(plan, store)
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
    workers: LocalWorkers,
) -> Progress | None:
    """Plan what is not planned yet, and train what is missing; None if that was only asked about.

    ``plans``, by study, are completed and follow the rates that are chosen.
    """
    probe = ready(workers)
    for study in studies:
        plans.setdefault(study.name, new_plan(request, study, manifest, probe.precision))
    every = list(plans.values())
    seeds = {plan.name: request.seeds_of(plan) for plan in every}
    _announce(console, studies, every, manifest, store)
    if request.dry_run:
        say(console, "dry run", "nothing was written and nothing trained")
        return None
    for plan in every:
        keep_plan(plan, store)
    progress = Progress(console, every, store, seeds)
    with progress:
        for event in run_studies(every, store, workers, seeds):
            progress.show(event)
            if isinstance(event, Chosen):
                plans[event.plan.definition.study] = event.plan
    say(console, "took", progress.summary(workers.count))
    return progress


def _shown(manifest: Manifest, console: Console) -> Iterator[Study]:
    """Yield every study as a dataset can show it; say which cannot be shown, and why."""
    for study in STUDIES.values():
        try:
            yield shown_on(study, manifest)
        except DatasetError as error:
            say(console, "left out", str(error))


def _place(
    request: Request, plans: dict[str, Plan], studies: list[Study], manifest: Manifest
) -> Place:
    registered = {plan.definition.threads for plan in plans.values()}
    asked = define(studies[0], manifest.name, manifest, 1, SMOKE_PRECISION, smoke=False).threads
    return Place(
        request.results.resolve(),
        request.data_dir.resolve(),
        request.device,
        registered.pop() if len(registered) == 1 else asked,
        request.command,
    )


def _announce(
    console: Console,
    studies: Sequence[Study],
    plans: Sequence[Plan],
    manifest: Manifest,
    store: Store,
) -> None:
    here, total = (
        sum(column)
        for column in zip(*(counts(p, store, p.definition.seeds) for p in plans), strict=True)
    )
    one = effort.shared(studies, manifest.name)
    say(console, "plan", f"{len(studies)} studies on {manifest.name}, {total} runs to compare")
    say(console, "", f"{one.arms} arms, {one.distinct} different trainings: shared ones run once")
    if here:
        say(console, "", f"{here} runs are here")
    pace = effort.speed([store, Store(EVIDENCE)])
    if pace and (took := effort.total_seconds(studies, manifest.name, pace)):
        about = words.duration(took)
        say(console, "time", f"about {about} ({pace.where}); Ctrl-C loses nothing")
    say(console, "order", "rates first, then seed by seed: balanced whenever it stops")
    console.print()


def _say_answer(console: Console, plan: Plan, store: Store) -> None:
    comparison = compare(plan, store)
    done = f"{comparison.done} of {comparison.planned} runs"
    if comparison.done < comparison.planned:
        say(console, comparison.study, f"incomplete, {done}")
        return
    for effect in comparison.effects:
        say(console, comparison.study, words.verdict_line(effect, comparison))


def smoke_all(request: Request, console: Console) -> int:
    """Train every arm of every study for a few steps; return the exit code.

    On generated colour images, in float32 but for arms that are of another precision, through one
    drop of the rate and one evaluation. A loss that is not finite is a failure.
    """
    store = Store(request.results)
    names = _smoke_runs(request, console)
    runs = [run for run, _ in names.values()]
    arms = sum(len(of) for _, of in names.values())
    count = worker_count(request, console, 1)
    say(
        console,
        "smoke",
        f"{arms} arms of all that it can show, {len(runs)} different trainings; "
        f"generated colour images, {SMOKE_PRECISION}, 1 thread each",
    )
    if request.dry_run:
        say(console, "dry run", "nothing was written and nothing trained")
        return 0
    store.ensure_writable()
    start, reasons, shown = time.monotonic(), dict[str, str](), 0
    place = Place(
        request.results.resolve(), request.data_dir.resolve(), request.device, 1, request.command
    )
    workers = LocalWorkers(count, place)
    limit = TimeLimit(request.time_limit)
    try:
        with limit:
            ready(workers)
            for event in work_off(lambda: [r for r in runs if not store.find(r)], store, workers):
                if isinstance(event, Failed) and event.run is not None:
                    reasons[event.run.id] = event.reason.splitlines()[0]
                if isinstance(event, Failed | Finished) and event.run is not None:
                    shown += 1
                    mark = "." if _passed(event.run, store) else "F"
                    console.print(mark, end="\n" if shown % PER_LINE == 0 else "")
    except KeyboardInterrupt:
        console.print()
        return limit.stopped(console, "the same command goes on")
    finally:
        workers.close()
    console.print()
    failures = {
        run.id: reasons.get(run.id, "its loss is not finite")
        for run in runs
        if not _passed(run, store)
    }
    for id_, reason in failures.items():
        say(console, "FAILED", f"{', '.join(names[id_][1])}: {reason}")
    failed = sum(len(names[id_][1]) for id_ in failures)
    say(console, "took", f"{words.clock(time.monotonic() - start)}; {arms - failed} of {arms} arms")
    return FAILED if failures else 0


def _passed(run: Run, store: Store) -> bool:
    record = store.find(run)
    return record is not None and record.status == "finished"


def _smoke_runs(request: Request, console: Console) -> dict[str, tuple[Run, list[str]]]:
    """Return every different training and the arms it stands for, by the run's id."""
    manifest = read_manifest(request.dataset or GENERATED, request.data_dir)
    found: dict[str, tuple[Run, list[str]]] = {}
    for shown in _shown(manifest, console):
        one = define(shown, manifest.name, manifest, 1, SMOKE_PRECISION, smoke=True)
        for arm, config in one.arms.items():
            run = Run(
                config=config,
                seed=0,
                dataset=one.dataset,
                precision=one.precisions_of[arm],
                edition=one.edition,
            )
            found.setdefault(run.id, (run, []))[1].append(f"{shown.name}/{arm}")
    return found
