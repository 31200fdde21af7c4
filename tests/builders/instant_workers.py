"""A study whose runs finish at once."""

from collections.abc import Callable, Iterator, Sequence

from ablations.plan import Plan
from ablations.planning import about, define
from ablations.record import Record
from ablations.run import Run
from ablations.runner import remaining
from ablations.store import Store
from ablations.study import Arm, Base, Contrast, FinalError, Study
from ablations.workers.protocol import Event, Finished
from alexnet.presets import tiny
from tests.builders.plans import MANIFEST
from tests.builders.records import PROVENANCE, measures_of, record_of
from tests.proofs.simulation import Memory

ARMS = {
    "base": Arm(),
    "a": Arm(changes={"network": {"parts": {"norm": None}}}),
    "b": Arm(changes={"network": {"parts": {"dropout": None}}}),
    "c": Arm(changes={"training": {"batch": 16}}),
}


FOLLOWS = Arm(changes={"network": {"parts": {"norm": None}}}, tuned_as="base")


def against(arm: str, other: str = "base") -> Contrast:
    """Return a contrast of two arms."""
    return Contrast(
        arm=arm, against=other, direction="lower", margin=0.005, margin_reason="too small",
        judged=False,
    )  # fmt: skip


def plan_of(
    arms: dict[str, Arm] | None = None,
    contrasts: Sequence[Contrast] = (against("a"), against("b"), against("c")),
    rates: tuple[float, ...] = (0.001, 0.003),
    seeds: int = 3,
    one_by_one: bool = False,
    precision: str = "float32",
) -> Plan:
    """Return a plan of four arms, three of which are compared with the first, without rates."""
    study = Study(
        name="ordered",
        question="In which order?",
        arms=ARMS if arms is None else arms,
        contrasts=tuple(contrasts),
        bases={"fashion_mini": Base(config=tiny(), metric=FinalError(), rates=rates, refine=False)},
        seeds=seeds,
        one_by_one=one_by_one,
    )
    definition = define(study, "fashion_mini", MANIFEST, seeds, precision, smoke=False)
    words = about(study, "fashion_mini")
    return Plan(definition=definition, about=words, registered=PROVENANCE)


def record(run: Run, error: float = 0.3) -> Record:
    """Return a record of a run with this error."""
    measures = measures_of(0.1, error, error)
    if not run.sees_test:
        measures = measures.but(test=None, test_ten=None)
    return record_of(run, [0.5, 0.3], measures=measures)


def finish(store: Memory, runs: Sequence[Run], error: float = 0.3) -> None:
    """Put a record of each run into a store."""
    for run in runs:
        store.held[run.id] = record(run, error)


class CountingStore(Store):
    """A results folder that counts how often a run is looked for, in memory or on the disk."""

    looks = 0

    def find(self, run: Run) -> Record | None:
        """Count."""
        self.looks += 1
        return super().find(run)

    def hold(self, run: Run) -> None:
        """Have the record of a run, as if it had been read."""
        self._records[run.id] = record(run)


class InstantWorkers:
    """Workers that have done whatever they are given when they are asked what has happened."""

    def __init__(self, done: Callable[[Run], object], count: int = 1) -> None:
        """Have nothing to do.

        Args:
            done: Called with a run that is finished; keeps its record.
            count: How many they are.
        """
        self.count = count
        self.running: list[Run] = []
        self.submitted: list[Run] = []
        self._done = done

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return self.count - len(self.running)

    def submit(self, job: Run) -> None:
        """Take a run."""
        self.running.append(job)
        self.submitted.append(job)

    def events(self, timeout: float) -> Iterator[Event]:
        """Have finished the run that was submitted first."""
        if self.running:
            run = self.running.pop(0)
            self._done(run)
            yield Finished(run)

    def close(self) -> None:
        """Nothing to end."""


def labelled(plan: Plan, runs: Sequence[Run]) -> list[str]:
    """Return runs as arm and seed, those of tuning as arm, seed and rate."""
    return [
        f"{'/'.join(plan.arms_of(run))} {run.seed}"
        + ("" if run.sees_test else f" {run.config.training.optimizer.rate:g}")
        for run in runs
    ]


def run_all(plan: Plan, store: Memory) -> tuple[Plan, list[str]]:
    """Do what is most urgent, one run at a time, until nothing is left; return what was done."""
    done = []
    while True:
        work = remaining(plan, store, plan.seeds)
        plan = plan.model_copy(update={"choices": plan.choices | work.plan.choices})
        if not work.runs:
            return plan, done
        done += labelled(plan, work.runs[:1])
        finish(store, work.runs[:1])
