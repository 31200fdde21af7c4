"""Studies without training: a trainer that draws when a run crosses its threshold.

What is known of it, the true speed-up and the spread, is what verdicts are checked against.

    python -m tests.proofs.simulation 2000    # how often words are false, in so many worlds
"""

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ablations.plan import Definition, Plan
from ablations.planning import about
from ablations.record import Record, Seconds
from ablations.run import Run
from ablations.study import Arm, Base, Contrast, Setting, Study, TimeTo
from ablations.tuning import Choice, Trial
from ablations.workers.protocol import Event, Finished, Progressed
from alexnet.config import Tanh, Until
from alexnet.learning_curve import Epoch
from alexnet.presets import tiny
from alexnet.random_streams import derive
from reports.findings.records import comparison_of
from tests.builders.records import FINGERPRINT, PROVENANCE, REF

THRESHOLD, START, HORIZON, TENTH = 0.25, 0.7, 60, 10_000
FASTEST = {"tanh": 0.003, "relu": 0.001}
"""The rates at which the two arms are fastest."""


def study_of(arms: int = 2, seeds: int = 10, setting: Setting = "paper") -> Study:
    """Return ReLU against so many arms that train as tanh does, each with a bias of its own."""
    slow = {
        "tanh" if number == 0 else f"tanh{number}": {
            "network": {"parts": {"act": Tanh()}},
            "training": {"batch": 32 + number},
        }
        for number in range(arms - 1)
    }
    contrasts = tuple(
        Contrast(
            arm="relu", against=arm, claim="C09", paper=6.0, margin=1.25, margin_reason="small"
        )
        for arm in slow
    )
    config = tiny().but(
        training={"epochs": HORIZON, "until": Until(training_error=THRESHOLD).model_dump()}
    )
    base = Base(
        config=config,
        metric=TimeTo(training_error=THRESHOLD),
        rates=(0.0003, 0.001, 0.003, 0.01),
        setting=setting,
        thresholds=(0.5, 0.4),
    )
    return Study(
        name="simulated",
        claim="C09",
        question="Six times?",
        paper_dataset="cifar10",
        arms=slow | {"relu": Arm(label="ReLU")},
        contrasts=contrasts,
        bases={"made_up": base},
        seeds=seeds,
    )


def plan_of(study: Study) -> Plan:
    """Return the study's plan on images that exist nowhere."""
    base = study.bases["made_up"]
    definition = Definition(
        study=study.name,
        claim=study.claim,
        dataset=REF,
        setting=base.setting,
        metric=base.metric,
        contrasts=study.contrasts,
        arms={arm: study.config("made_up", arm) for arm in study.arms},
        seeds=tuple(range(study.seeds)),
        rates=base.rates,
        precision="float32",
        threads=1,
    )
    return Plan(definition=definition.but(), about=about(study, "made_up"), registered=PROVENANCE)


def tuned(plan: Plan) -> Plan:
    """Return a plan as if each arm's fastest rate had been chosen."""

    def choice(arm: str) -> Choice:
        rate = FASTEST["relu" if arm == "relu" else "tanh"]
        trial = Trial(rate=rate, epochs=HORIZON, outcomes=(2.0, 2.2), reached=True, runs=("a", "b"))
        return Choice(rate=rate, trials=(trial,), none_reached=False, edge=False)

    return plan.model_copy(update={"choices": {arm: choice(arm) for arm in plan.definition.arms}})


class Trainer:
    """Draws, for every run, the epochs it needs."""

    def __init__(self, speed_up: float | Sequence[float], spread: float, world: int = 0) -> None:
        """Make ReLU so many times as fast as the others, in one world of chance.

        Args:
            speed_up: The true geometric mean of the ratio of times; or that of each other arm.
            spread: Standard deviation of the logarithm of a pair's ratio.
            world: Equal worlds give equal runs.
        """
        self.speed_up, self.spread, self.world = speed_up, spread, world

    def epochs_needed(self, run: Run) -> float:
        """Return after how many epochs a run crosses the threshold."""
        act = run.config.network.parts["act"]
        arm = "tanh" if isinstance(act, Tanh) else "relu"
        rate = run.config.training.optimizer.rate
        away = abs(math.log10(rate / FASTEST[arm]))
        chance = np.random.default_rng(derive(run.seed, self.world, run.config.training.batch, arm))
        shared = np.random.default_rng(derive(run.seed, self.world))
        batch = run.config.training.batch
        ups = self.speed_up
        up = ups if isinstance(ups, float | int) else ups[batch - tiny().training.batch]
        needed = 3.0 * (up if arm == "tanh" else 1.0) * math.exp(away)
        noise = 0.05 * shared.normal() + self.spread / math.sqrt(2) * chance.normal()
        return float(needed * math.exp(noise))

    def train(self, run: Run) -> Record:
        """Return the record of a run whose error falls on a straight line through the threshold."""
        slope = (START - THRESHOLD) / self.epochs_needed(run)
        errors = []
        for number in range(run.config.training.epochs):
            errors.append(max(0.0, START - slope * (number + 0.5)))
            if errors[-1] <= THRESHOLD:
                break
        return Record(
            run=run,
            status="finished",
            curve=tuple(
                Epoch(
                    number=number,
                    errors=(round(error * TENTH),) * 10,
                    images=(TENTH,) * 10,
                    loss=1.0,
                    seconds=1.0,
                )
                for number, error in enumerate(errors, start=1)
            ),
            measures=None,
            seconds=Seconds(training=1.0, evaluation=0.1),
            fingerprint=FINGERPRINT,
            provenance=PROVENANCE,
        )


class Memory:
    """A store without a disk."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: dict[str, Record] = {}
        self.plans: list[Plan] = []

    def find(self, run: Run) -> Record | None:
        """Return the record of a run, or None."""
        return self.held.get(run.id)

    def appeared(self) -> list[Record]:
        """Return what others have added: there are none."""
        return []

    def records(self) -> list[Record]:
        """Return all of them."""
        return list(self.held.values())

    def write_plan(self, plan: Plan) -> None:
        """Keep a plan."""
        self.plans.append(plan)


class Workers:
    """As many processes as asked for, none of them real."""

    def __init__(self, count: int, trainer: Trainer, store: Memory) -> None:
        """Wait for runs."""
        self.count, self.trainer, self.store = count, trainer, store
        self.running: list[Run] = []

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return self.count - len(self.running)

    def submit(self, run: Run) -> None:
        """Take a run."""
        self.running.append(run)

    def events(self, timeout: float) -> Iterator[Event]:
        """Finish the run that came first."""
        run = self.running.pop(0)
        record = self.trainer.train(run)
        self.store.held[run.id] = record
        yield Progressed(run, record.curve[-1])
        yield Finished(run)


def records_of(plan: Plan, trainer: Trainer, runs: Sequence[Run]) -> Memory:
    """Return a store with the records of all comparison runs."""
    store = Memory()
    store.held = {run.id: trainer.train(run) for run in runs}
    return store


def comparison_runs(plan: Plan) -> list[Run]:
    """Return every comparison run of a plan whose rates are chosen."""
    one = plan.definition
    return [plan.run(arm, seed) for arm, config in one.arms.items() for seed in one.seeds]


def sizes_said(arms: int, spread: float, worlds: int) -> Counter[str]:
    """Count what is said where the truth is the same here and there, and the paper has one pair.

    Returns:
        Of ``worlds`` studies, how many say a false size word anywhere, how many would by the
        interval of the mean; and how many contrasts hold.
    """
    plan = tuned(plan_of(study_of(arms=arms)))
    runs = comparison_runs(plan)
    found: Counter[str] = Counter()
    for world in range(worlds):
        chance = np.random.default_rng(derive(world, "the paper"))
        contrasts = tuple(
            contrast.but(paper=6.0 * math.exp(spread * chance.normal()))
            for contrast in plan.definition.contrasts
        )
        told = plan.model_copy(
            update={"definition": plan.definition.model_copy(update={"contrasts": contrasts})}
        )
        effects = comparison_of(told, records_of(told, Trainer(6.0, spread, world), runs)).effects
        found["size"] += any(one.verdict in ("weaker", "stronger") for one in effects)
        found["size by the mean's interval"] += any(
            not (one.low or 0) <= (one.contrast.paper or 0) <= (one.high or 0) for one in effects
        )
        found["holds"] += sum(one.verdict == "holds" for one in effects)
    return found


def false_words(speed_ups: Sequence[float], spread: float, worlds: int) -> int:
    """Return in how many worlds a study says a difference of none, or none of the margin's size."""
    plan = tuned(plan_of(study_of(arms=len(speed_ups) + 1)))
    runs = comparison_runs(plan)
    decided = ("reversed", "weaker", "stronger", "holds")
    false = 0
    for world in range(worlds):
        store = records_of(plan, Trainer(speed_ups, spread, world), runs)
        words = [one.verdict for one in comparison_of(plan, store).effects]
        false += any(
            word in (decided if truth == 1 else ("absent", "reversed"))
            for word, truth in zip(words, speed_ups, strict=True)
        )
    return false


def main(worlds: int) -> None:
    """Print how often words are false."""
    for contrasts in (1, 4):
        found = sizes_said(contrasts + 1, 0.1, worlds)
        shares = ", ".join(
            f"{what} {100 * found[what] / worlds:.1f} %"
            for what in ("size", "size by the mean's interval")
        )
        print(f"the same truth, {contrasts} judged: false {shares}", flush=True)
    for ups in ((1.0,), (1.25,), (1.0,) * 4, (1.25,) * 4, (1.0, 1.25) * 2):
        share = 100 * false_words(ups, 0.12, worlds) / worlds
        print(f"true speed-ups {ups}: a false word in {share:.1f} % of studies", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
