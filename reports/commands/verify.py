"""`verify`: trains recorded runs again, and says whether they come to the same."""

import contextlib
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from rich.console import Console

from ablations.kept import KeptWeights
from ablations.plan import Plan
from ablations.record import NamingError, Record, named
from ablations.registration import RequestError
from ablations.run import DatasetRef, Run
from ablations.runner import work_off
from ablations.store import LOCK, Store
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import (
    DeviceFailed,
    Failed,
    Finished,
    Progressed,
    WorkerSettings,
)
from alexnet.config import EDITION
from alexnet.config.source import SourceError, find_same_source, look_first_in
from alexnet.data.manifest import DatasetError
from alexnet.data.stored import read_manifest
from alexnet.durable import temporary_prefix
from alexnet.locks import locked
from alexnet.text import counted
from reports.commands.ablate.request import ready
from reports.commands.console import say
from reports.commands.exit_codes import CHANGED, FAILED
from reports.commands.placement import Placement, placed, refuse_placement
from reports.commands.progress import QUIET, say_if_device_failed
from reports.commands.time_limit import TimeLimit
from reports.evidence import EVIDENCE
from reports.findings.verification import FEWEST, ROUNDING, Verified, keep, summary, verify
from reports.wording import formatting

CHEAPEST = 3
"""Runs that are trained again where none are named: of so many networks, the shortest."""


@dataclass(frozen=True)
class VerifyRequest:
    """What a person asked `verify` for.

    Raises:
        RequestError: If it cannot be asked for, whatever is there.
    """

    results: Path | None  # None: results, or the shipped evidence where nothing is in it
    runs: tuple[str, ...]  # first digits of ids
    sample: int | None  # how many, drawn at random
    workers: int | None
    device: str
    data_dir: Path
    dry_run: bool = False
    time_limit: float | None = None  # seconds
    trust: bool = False  # run code that records name
    gpus: str | None = None  # all, or numbers; None: all, if it is not to be the CPU
    per_gpu: int | None = None  # workers; None: as many as suit the GPU
    devices: int = 1  # that train each run together, as the records say
    tower_devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no folder could answer."""
        refuse_placement(self)
        if self.runs and self.sample is not None:
            raise RequestError("--run names runs and --sample draws them; use one of the two")


def run(request: VerifyRequest, console: Console) -> int:
    """Train again what was asked for, say what it comes to and keep it; return the exit code."""
    if request.trust:
        look_first_in(Path.cwd())
    store = _store(request)
    records = store.records()
    for problem in store.problems:
        say(console, "ignored", problem)
    able, reasons = _able(records, request)
    chosen, how = _chosen(request, able, reasons)
    plans = store.plans()
    for reason, count in reasons.items():
        say(console, "left out", f"{counted(count, 'run')}: {reason}")
    places = _places(request, console, chosen)
    needed = sum(
        (one.seconds.training + one.seconds.evaluation)
        / min(places[_kind(request, one)].workers, len(chosen))
        for one in chosen
    )
    here = f"{counted(len(chosen), 'run')} of {len(records):,} in {store.path}"
    say(
        console,
        "verify",
        f"{here}, {how}; about {formatting.duration(needed)} as they were recorded",
    )
    if request.dry_run:
        for record in chosen:
            say(console, record.run.short, _name(record.run, plans))
        say(console, "dry run", "nothing was written and nothing trained")
        return 0
    limit = TimeLimit(request.time_limit)
    found: list[Verified] = []
    failures = 0
    try:
        with limit:
            for record, again in _trained(request, store, chosen, places, _Heartbeat(console)):
                name = f"{record.run.short}  {_name(record.run, plans)}"
                if isinstance(again, str):
                    failures += 1
                    say(console, "FAILED", f"{name}: {again}")
                    continue
                one = verify(record, again, store, len(chosen))
                found.append(one)
                _tell(console, one, name)
                _keep(console, store, one)
    except KeyboardInterrupt:
        stopped = "what was verified is kept; runs under way are not"
        code = limit.stopped(console, stopped)
    else:
        code = FAILED if failures else 0
    _conclude(console, found)
    return CHANGED if any(one.outcome == "different" for one in found) else code


def _store(request: VerifyRequest) -> Store:
    """Return the store that was asked for.

    Raises:
        RequestError: If it has no record.
    """
    places = [request.results] if request.results else [Path("results"), EVIDENCE]
    for place in places:
        store = Store(place)
        if store.records():
            return store
    raise RequestError(
        f"no run is recorded in {places[0]}; name a folder that has some with --results PATH"
    )


def _able(records: Sequence[Record], request: VerifyRequest) -> tuple[list[Record], dict[str, int]]:
    """Return the records whose run can be trained here, and why others cannot, with how many."""
    here: dict[DatasetRef, str | None] = {}
    able, reasons = [], dict[str, int]()
    for record in records:
        run = record.run
        if run.dataset not in here:
            here[run.dataset] = _missing(run.dataset, request.data_dir)
        reason = here[run.dataset] or _not_to_be_run(run, request.trust)
        if run.edition != EDITION:
            reason = f"of edition {run.edition}, which this version no longer trains"
        if reason is None:
            able.append(record)
        else:
            reasons[reason] = reasons.get(reason, 0) + 1
    return able, reasons


def _missing(dataset: DatasetRef, data_dir: Path) -> str | None:
    """Return why the images of a run are not here; None if they are."""
    try:
        here = DatasetRef.of(read_manifest(dataset.name, data_dir))
    except DatasetError as error:
        return str(error)
    if here == dataset:
        return None
    return f"{dataset.name} in {data_dir} holds other images than they were trained on"


def _not_to_be_run(run: Run, trust: bool) -> str | None:
    """Return why the code that a run names may not be run, or cannot be; None if it names none."""
    for part in run.config.network.own_parts:
        if not trust:
            return (
                f"they name {part.target}, code that whoever made these records chose; if you know "
                "who did, --trust runs it"
            )
        try:
            find_same_source(part.module, part.source)
        except SourceError as error:
            return str(error)
    return None


def _chosen(
    request: VerifyRequest, able: Sequence[Record], reasons: dict[str, int]
) -> tuple[list[Record], str]:
    """Return what to train again, and how it was chosen.

    Raises:
        RequestError: If nothing can be, or a name is of no run, or of several.
    """
    if not able:
        raise RequestError(f"no run here can be trained again: {'; '.join(reasons)}")
    if request.runs:
        named = (_named(text, able) for text in request.runs)
        return list({record.run.id: record for record in named}.values()), "as named"
    if request.sample is not None:
        count = min(request.sample, len(able))
        return random.sample(list(able), count), f"drawn at random from {len(able):,}"
    finished = [record for record in able if record.status == "finished"] or list(able)
    compared = [record for record in finished if record.run.sees_test] or finished
    shortest: dict[str, Record] = {}
    for record in sorted(compared, key=lambda one: one.seconds.training):
        key = f"{record.run.dataset.digest} {record.run.config.network.model_dump_json()}"
        shortest.setdefault(key, record)
    return list(shortest.values())[:CHEAPEST], "the shortest of different networks"


def _named(text: str, able: Sequence[Record]) -> Record:
    """Return the record whose id begins with some digits.

    Raises:
        RequestError: If they do not name one.
    """
    try:
        return named(text, able, "run that can be trained here")
    except NamingError as error:
        raise RequestError(str(error)) from error


def _name(run: Run, plans: Sequence[Plan]) -> str:
    """Return what a run is called: study and images, arm and seed."""
    for plan in plans:
        for arm in plan.arms_of(run):
            kind = "seed" if run.sees_test else "tuning seed"
            return f"{plan.name}, {plan.label(arm)}, {kind} {run.seed}"
    return "of no plan here"


def _trained(
    request: VerifyRequest,
    store: Store,
    chosen: Sequence[Record],
    places: Mapping[tuple[str, int], Placement],
    heartbeat: "_Heartbeat",
) -> Iterator[tuple[Record, Record | str]]:
    """Yield each record with that of the run trained again, or with why it could not be.

    In a folder of their own, which is deleted: a record of before would be taken for the answer.
    """
    with _scratch(store.path) as folder:
        beside = Store(folder)

        def place_of(record: Record) -> tuple[str, int, int]:
            made = record.fingerprint
            return _device(request, record), made.threads, made.devices

        alike = groupby(sorted(chosen, key=place_of), key=place_of)
        for (device, threads, devices), several in alike:
            todo = {record.run.id: record for record in several}
            found = places[device, devices]
            settings = WorkerSettings(
                folder,
                request.data_dir.resolve(),
                found.device,
                threads,
                "invoke verify",
                KeptWeights("none"),  # records have their digests
            )
            count = min(found.workers, len(todo))
            workers = LocalWorkers(count, found.told(settings), found.gpus)
            try:
                ready(workers, heartbeat.console)
                yield from _work_off(todo, beside, workers, heartbeat)
            finally:
                workers.close()


def _work_off(
    todo: dict[str, Record], beside: Store, workers: LocalWorkers, heartbeat: "_Heartbeat"
) -> Iterator[tuple[Record, Record | str]]:
    for event in work_off([one.run for one in todo.values()], beside, workers):
        if isinstance(event, Progressed):
            heartbeat.on(event)
        elif isinstance(event, DeviceFailed):
            say_if_device_failed(heartbeat.console, event)
        elif isinstance(event, Failed) and event.run is not None:
            heartbeat.spoke()
            yield todo[event.run.id], event.reason.splitlines()[0]
        elif isinstance(event, Finished) and (again := beside.find(event.run)) is not None:
            heartbeat.spoke()
            yield todo[event.run.id], again


class _Heartbeat:
    """Says now and then how far a long run is."""

    def __init__(self, console: Console) -> None:
        """Begin to wait."""
        self.console, self._spoke = console, time.monotonic()

    def spoke(self) -> None:
        """Note that something was said."""
        self._spoke = time.monotonic()

    def on(self, event: Progressed) -> None:
        """Say how far a run is, if nothing was said for a minute."""
        if time.monotonic() - self._spoke >= QUIET:
            self.spoke()
            epochs = event.run.config.training.epochs
            far = f"epoch {event.epoch.number} of at most {epochs}, goes on"
            say(self.console, event.run.short, far)


def _device(request: VerifyRequest, record: Record) -> str:
    """Return where a run is trained again: on the kind of device that it was, unless told."""
    if request.device != "auto":
        return request.device
    if (request.gpus, request.per_gpu) != (None, None):
        return "cuda"
    return "cpu" if record.fingerprint.device == "cpu" else "auto"


def _kind(request: VerifyRequest, record: Record) -> tuple[str, int]:
    """Return the kind of device that a run is trained on again, and on how many."""
    return _device(request, record), record.fingerprint.devices


def _places(
    request: VerifyRequest, console: Console, chosen: Sequence[Record]
) -> dict[tuple[str, int], Placement]:
    """Return where the runs of each kind and number of devices are trained again."""
    threads: dict[tuple[str, int], int] = {}
    for record in chosen:
        kind = _kind(request, record)
        threads[kind] = max(threads.get(kind, 1), record.fingerprint.threads)
    return {
        (device, devices): placed(
            replace(request, device=device, devices=devices), console, most * devices
        )
        for (device, devices), most in threads.items()
    }


@contextlib.contextmanager
def _scratch(results: Path) -> Iterator[Path]:
    """Yield a folder beside the records, or where temporary files are if that is read-only.

    Should this be killed, a later command sweeps it: it is called so, and its lock is free.
    """
    try:
        name = temporary_prefix("verify")
        made = tempfile.TemporaryDirectory(prefix=name, dir=results.resolve())
    except OSError:
        made = tempfile.TemporaryDirectory(prefix="verify-")
    with made as folder, locked(Path(folder) / LOCK):
        yield Path(folder)


def _tell(console: Console, one: Verified, name: str) -> None:
    """Say what came of one run, and how far it is from what was recorded."""
    if one.outcome == "equal":
        elsewhere = f", though with {', '.join(one.settings)}" if one.settings else ""
        say(console, "equal", f"{name}: to the bit{elsewhere}")
        return
    where = f"with {', '.join(one.settings)}" if one.settings else "on the same machine"
    label = one.outcome if one.outcome == "consistent" else one.outcome.upper()
    say(console, label, f"{name}: {where}, {one.differences[0]}")
    if one.outcome == "consistent" and one.rounding is not None and one.rounding <= ROUNDING:
        say(console, "", f"rounding: no number differs by more than {one.rounding:.1g} of it")
        return
    if one.outcome == "consistent" and not one.compared:
        say(console, "", "it diverged, as it had; after how long is chance")
    elif one.outcome == "not judged" and not one.compared:
        say(console, "", f"other seeds end either way, or there are fewer than {FEWEST}")
    for row in one.compared:
        limits = f"limits need {FEWEST} other seeds, and there are {one.seeds}"
        if row.lower is not None and row.upper is not None:
            inside = "inside" if row.inside else "OUTSIDE"
            limits = (
                f"{inside} {row.lower:.4g} to {row.upper:.4g}, which {one.seeds} seeds differ by"
            )
        say(console, "", f"{row.name} {row.again:.4g} for {row.recorded:.4g}; {limits}")


def _keep(console: Console, store: Store, one: Verified) -> None:
    try:
        keep(store.path, one)
    except OSError as error:
        say(console, "not kept", f"{store.path} cannot be written ({error.strerror})")


def _conclude(console: Console, found: Sequence[Verified]) -> None:
    if found:
        say(console, "verified", summary(found))
