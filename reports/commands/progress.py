"""What a person sees while a study runs: plain lines, and live lines in a terminal."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ablations.metrics import Metric
from ablations.plan import Plan
from ablations.run import Run
from ablations.runner import Chosen, Found
from ablations.store import Store
from ablations.tuning import Choice
from ablations.workers.protocol import (
    DeviceFailed,
    Elsewhere,
    Event,
    Failed,
    Finished,
    Noticed,
    Progressed,
)
from alexnet.learning_curve import Epoch, gave_up
from alexnet.text import counted
from reports.commands.console import LABEL, say
from reports.wording.formatting import clock, duration

QUIET = 60
"""Seconds without a line after which a log is told how a run is doing."""
BARS = "▁▂▃▄▅▆▇█"
PACE = 3600.0
"""Seconds over which the pace is taken by which the time left is told; runs take minutes."""
PACED = 4
"""Runs from which on a log tells a time: the first may end at once, at a rate that is too large."""
NOT_LOCKED = (
    "locks do not reach from there to here, or a lease was taken over; if it happens again, end "
    "all commands on this folder and give each --locks lease"
)
STATE = 64
"""Columns of what is said of a run, before the time."""

_Arm = tuple[str, str]
"""A plan's name, and one of its arms."""


def _how_chosen(choice: Choice, metric: Metric) -> str:
    tried = len(choice.trials)
    if not tried:
        return "the only one"
    if choice.none_reached:
        failed = "reached the threshold" if metric.is_ratio else "trained"
        return f"none of {tried} {failed} with every seed; the smallest is taken"
    edge = "at the edge of the grid" if choice.edge else "not at the edge"
    return f"best of {tried}, {edge}"


def sparkline(errors: Sequence[float], width: int = 14) -> str:
    """Return a curve of fractions as a line of bars, from no error to all wrong.

    >>> sparkline([1.0, 0.5, 0.0])
    '█▅▁'
    """
    if len(errors) > width:
        step = len(errors) / width
        errors = [errors[int(i * step)] for i in range(width)]
    return "".join(BARS[min(len(BARS) - 1, int(error * len(BARS)))] for error in errors)


def say_if_device_failed(console: Console, event: Event | Found) -> None:
    """Say which GPU has failed and what becomes of its run, if that is what has happened."""
    if isinstance(event, DeviceFailed):
        say(console, "GPU failed", _device_failure(event))


def _device_failure(event: DeviceFailed) -> str:
    told = f"{event.device}: {event.reason.splitlines()[0]}"
    if event.run is not None:
        told += f"; run {event.run.short} is tried elsewhere"
    return f"{told}; nothing more is tried on this GPU" if event.left_out else told


class StudyProgress:
    """Follows the events of a study and shows them; computes nothing that is kept."""

    def __init__(
        self,
        console: Console,
        plans: Sequence[Plan],
        store: Store,
        seeds: Mapping[str, Sequence[int]],
    ) -> None:
        """Show nothing yet.

        Args:
            console: Where to.
            plans: Whose runs are followed; with several, arms are named with their study.
            store: Where their records are.
            seeds: Of the comparison runs, by the plan's name.
        """
        self._console, self._store, self._seeds = console, store, seeds
        self._plans = {plan.name: plan for plan in plans}
        self._start = time.monotonic()
        self._curves: dict[str, list[Epoch]] = {}
        self._arm_names: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        # Of every arm, by plan and name; kept up to date, since there may be thousands of runs:
        self._tried: dict[_Arm, set[str]] = {}  # ids of finished tuning runs
        self._compared: dict[_Arm, set[str]] = {}  # of those of its comparison runs
        self._counted: dict[_Arm, tuple[int, int]] = {}  # runs that are done, of how many
        self._last: dict[_Arm, tuple[int, str]] = {}  # the last seed that was begun, and its run
        self._arms_of: dict[str, dict[_Arm, int]] = {}  # a comparison run's, and where its seed is
        self._bar = Progress(
            TextColumn(f"{'runs':<{LABEL - 3}}"),
            MofNCompleteColumn(separator=" of "),
            BarColumn(bar_width=20),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("left"),
            console=console,
            get_time=lambda: time.monotonic(),
            speed_estimate_period=PACE,
        )
        self._task = self._bar.add_task("", total=None)
        self._done = self._total = 0  # runs
        self._ended = 0  # runs, in this call
        self._trained = 0.0
        self._spoke = self._start
        self._waited_for: set[tuple[str, str]] = set()
        self.failures: list[Failed] = []

    def __enter__(self) -> Self:
        """Count what is here; start the live lines, in a terminal."""
        for plan in self._plans.values():
            for arm in plan.definition.arms:
                self._follow(plan, arm)
        for record in self._store.records():
            if not record.run.sees_test:
                self._count(record.run)
        self._tell_bar()
        if self._console.is_terminal:
            self._live.start()
            self._live.update(self._lines(), refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the live lines away."""
        if self._console.is_terminal:
            self._live.stop()

    def show(self, event: Event | Chosen | Found) -> None:
        """Show one event."""
        match event:
            case Progressed(run=run, epoch=epoch, left=left):
                if left and run.id not in self._curves:
                    self._line("starts over", f"run {run.short}: its checkpoint is of {left}")
                self._curves.setdefault(run.id, []).append(epoch)
                self._began(run)
                self._trained += epoch.seconds
                self._heartbeat(run)
            case Finished(run=run, overlap=overlap):
                if overlap:
                    self._line("NOT LOCKED", f"run {run.short} was also trained by {overlap}")
                    say(self._console, "", NOT_LOCKED)
                self._finished(run)
            case Found(run=run):
                self._count(run)
                self._tell_bar()
            case Chosen(arm=arm, choice=choice, plan=plan):
                self._plans[plan.name] = plan
                self._follow(plan, arm)
                self._tell_bar()
                how = _how_chosen(choice, plan.definition.metric)
                self._line("learning rate", f"{self._named(plan, arm)} {choice.rate:g}   {how}")
            case Elsewhere(run=run, holder=holder) if (run.id, holder) not in self._waited_for:
                self._waited_for.add((run.id, holder))
                self._line("waiting", f"run {run.short} is being trained by {holder}")
            case DeviceFailed():
                self._line("GPU failed", _device_failure(event))
            case Noticed(text=text):
                self._line("cluster", text)
            case Failed(run=run, reason=reason):
                self.failures.append(event)
                name = run.short if run else "worker"
                self._line("failed", f"run {name}: {reason.splitlines()[0]}")
        if self._console.is_terminal:
            self._live.update(self._lines())

    def summary(self, workers: int) -> str:
        """Return how long it took and, if they told, how much of that the workers were training."""
        elapsed = time.monotonic() - self._start
        if not self._trained:
            return clock(elapsed)
        busy = self._trained / workers / elapsed
        who = counted(workers, "worker")
        return f"{clock(elapsed)}, in which {who} trained {100 * busy:.0f} % of the time"

    def _follow(self, plan: Plan, arm: str) -> None:
        """Look for the comparison runs of an arm, once its rate is chosen; count what it has."""
        of = plan.name, arm
        if arm in plan.choices:
            done = self._compared.setdefault(of, set())
            for place, seed in enumerate(self._seeds[plan.name]):
                run = plan.run(arm, seed)
                self._arms_of.setdefault(run.id, {})[of] = place
                if self._store.find(run) is not None:
                    done.add(run.id)
        self._recount(of)

    def _count(self, run: Run) -> None:
        """Count a run that is done, in every arm and study that it is of."""
        for of in self._of(run):
            where = self._compared if run.sees_test else self._tried
            where.setdefault(of, set()).add(run.id)
            self._recount(of)

    def _of(self, run: Run) -> list[_Arm]:
        """Return the arms that a run is of, those of the first plan first."""
        if run.sees_test:
            return list(self._arms_of.get(run.id, ()))
        return [(plan.name, arm) for plan in self._plans.values() for arm in plan.arms_of(run)]

    def _recount(self, of: _Arm) -> None:
        """Count the runs of an arm that are done, and those that there are, all in all too."""
        name, arm = of
        tried, tuning = self._tuning(self._plans[name], arm)
        before = self._counted.get(of, (0, 0))
        now = tried + len(self._compared.get(of, ())), tuning + len(self._seeds[name])
        self._counted[of] = now
        self._done += now[0] - before[0]
        self._total += now[1] - before[1]

    def _tell_bar(self) -> None:
        """Tell the bar how many runs are done, of how many, those that choose rates included.

        An arm whose rate is chosen has done all its tuning, however many runs that took.
        """
        self._bar.update(self._task, completed=self._done, total=self._total)

    def _tuning(self, plan: Plan, arm: str) -> tuple[int, int]:
        """Return how many tuning runs of an arm are done, and how many there are."""
        total = plan.definition.rates_tried(arm) * len(plan.definition.tuning_seeds)
        tried = len(self._tried.get((plan.name, arm), ()))
        return total if arm in plan.choices else min(tried, total), total

    def _began(self, run: Run) -> None:
        """Remember of each arm the last seed that was begun."""
        for of, place in self._arms_of.get(run.id, {}).items():
            self._last[of] = max(self._last.get(of, (-1, "")), (place, run.id))

    def _heartbeat(self, run: Run) -> None:
        """Without live lines, say now and then how far a long run is."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._spoke < QUIET:
            return
        errors = [epoch.error for epoch in self._curves[run.id]]
        state = (
            f"{100 * errors[-1]:.1f} % after {counted(self._curves[run.id][-1].number, 'epoch')}"
        )
        text = f"{sparkline(errors):<14}  seed {run.seed}: {state}, goes on"
        self._line(self._arm(run), text, self._so_far())

    def _finished(self, run: Run) -> None:
        record = self._store.find(run)
        if record is None:
            return
        self._curves[run.id] = list(record.curve)
        self._began(run)
        self._ended += 1
        self._count(run)
        self._tell_bar()
        if self._console.is_terminal and run.sees_test:
            return  # the live lines show it
        arm = self._arm(run)
        rate = run.config.training.optimizer.rate
        kind = f"seed {run.seed}" if run.sees_test else f"rate {rate:g}, tuning seed {run.seed}"
        errors = [epoch.error for epoch in record.curve]
        end = (
            f"{100 * errors[-1]:.1f} % after {counted(len(errors), 'epoch')}"
            if errors
            else "no epoch"
        )
        how = "" if record.status == "finished" else "  diverged"
        if gave_up(record.curve, run.config):
            how = ", still at chance: given up"
        self._line(arm, f"{sparkline(errors):<14}  {kind}: {end}{how}", self._so_far())

    def _so_far(self) -> str:
        """Return how many runs are done and how long the others should take, for a log.

        By the pace of this call; live lines have it in their last one.
        """
        if self._console.is_terminal:
            return ""
        (task,) = self._bar.tasks
        left = task.time_remaining if self._ended >= PACED else None
        about = f", about {duration(left)} left" if left else ""
        return f"   {task.completed:.0f} of {counted(round(task.total or 0), 'run')}{about}"

    def _line(self, label: str, text: str, so_far: str = "") -> None:
        self._spoke = time.monotonic()
        elapsed = clock(self._spoke - self._start)
        room = self._console.width - LABEL - 8 if self._console.is_terminal else STATE
        say(self._console, label, f"{text:<{max(0, min(STATE, room))}} {elapsed:>7}{so_far}")

    def _arm(self, run: Run) -> str:
        if run.id not in self._arm_names:
            # Studies share runs: the first that has it speaks for all.
            named = (self._named(self._plans[name], arm) for name, arm in self._of(run))
            self._arm_names[run.id] = next(named, run.short)
        return self._arm_names[run.id]

    def _named(self, plan: Plan, arm: str) -> str:
        return arm if len(self._plans) == 1 else f"{plan.definition.study}/{arm}"

    def _lines(self) -> Group:
        return Group(self._arms(), self._bar.get_renderable())

    def _arms(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for plan in self._plans.values():
            if len(self._plans) > 1:
                self._add_study(table, plan)
                continue
            for arm in plan.definition.arms:
                self._add_arm(table, plan, arm)
        return table

    def _add_study(self, table: Table, plan: Plan) -> None:
        arms = plan.definition.arms
        done = sum(len(self._compared.get((plan.name, arm), ())) for arm in arms)
        total = len(arms) * len(self._seeds[plan.name])
        state = f"{len(plan.choices)} of {counted(len(plan.definition.arms), 'rate')}"
        table.add_row(f"{plan.definition.study:<{LABEL - 2}}", state, f"{done} of {total}")

    def _add_arm(self, table: Table, plan: Plan, arm: str) -> None:
        if arm not in plan.choices:
            tried, tuning = self._tuning(plan, arm)
            state = f"choosing its rate, {tried} of {counted(tuning, 'run')}" if tuning else "waits"
            table.add_row(f"{arm:<{LABEL - 2}}", "", state)
            return
        done, seeds = len(self._compared.get((plan.name, arm), ())), self._seeds[plan.name]
        _, latest = self._last.get((plan.name, arm), (0, ""))
        errors = [epoch.error for epoch in self._curves.get(latest, ())]
        last = f"{100 * errors[-1]:.1f} %" if errors else ""
        table.add_row(
            f"{arm:<{LABEL - 2}}", f"{sparkline(errors):<14}", f"{done} of {len(seeds)}", last
        )
