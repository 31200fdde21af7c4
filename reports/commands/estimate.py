"""What studies take: passes over images, time on a machine like this one, runs that they share."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ablations.plan import Timing
from ablations.planning import threads_of
from ablations.run import TUNING_SEEDS
from ablations.store import Store
from ablations.study import Study
from ablations.tuning import rates_tried
from alexnet.config import Config
from alexnet.config.base import canonical
from alexnet.cores import cores
from alexnet.cost import cost_of
from alexnet.data.catalogue import CATALOGUE
from alexnet.text import counted

BACKWARD = 3
"""A training step does the multiply-adds of three passes forward."""
AROUND = 1.1
"""Beside the passes: evaluation took 1 to 14 % as long in the evidence that ships."""


class Speed(NamedTuple):
    """How fast one thread trained networks, and where that was measured."""

    timed: tuple[tuple[Config, float], ...]  # multiply-adds a second, of training; newest last
    where: str

    def of(self, config: Config) -> float:
        """Return the pace of the network that is most like one, by the names of its layers."""
        names = [layer.name for layer in config.network.layers]
        like = [
            pace
            for timed, pace in self.timed
            if [layer.name for layer in timed.network.layers] == names
            and timed.network.view == config.network.view
        ]
        return like[-1] if like else self.timed[-1][1]


def speed(stores: Sequence[Store]) -> Speed | None:
    """Return the paces of all steps that were timed alone; None without any."""
    timed = [
        (plan.registered.at, plan.definition.arms[arm], timing)
        for store in stores
        for plan in store.plans()
        for arm, timing in plan.timings.items()
        if not plan.definition.smoke and plan.definition.precision != "float64"
    ]
    if not timed:
        return None
    timed.sort(key=lambda one: one[0])
    f = timed[-1][2].fingerprint
    return Speed(
        tuple((config, _pace(config, timing)) for _, config, timing in timed),
        f"{counted(cores(), 'core')}, as {f.hardware}, {f.capability}",
    )


def _pace(config: Config, timing: Timing) -> float:
    done = BACKWARD * cost_of(config.network).multiply_adds * timing.batch / timing.seconds_per_step
    return done / (timing.fingerprint.threads * timing.fingerprint.devices)


def seconds(study: Study, dataset: str, pace: Speed) -> float | None:
    """Return how long a whole study should take on this machine; None if that is not known.

    Every rate is taken to be tried, every run to its end, unless the study's passes were measured.
    """
    found = _seconds_by_arm(study, dataset, pace)
    return sum(found.values()) if found else None


def total_seconds(studies: Iterable[Study], dataset: str, pace: Speed) -> float:
    """Return how long studies together should take here: what they share is trained once."""
    found: dict[str, float] = {}
    for study in studies:
        for arm, took in _seconds_by_arm(study, dataset, pace).items():
            training = _training(study, dataset, arm)
            found[training] = max(found.get(training, 0.0), took)
    return sum(found.values())


def _seconds_by_arm(study: Study, dataset: str, pace: Speed) -> dict[str, float]:
    """Return how long each arm's runs should take; none where that is not known."""
    shown, about = _shown(study, dataset), CATALOGUE.get(dataset)
    if shown is None or about is None:
        return {}
    base = shown.bases[dataset]
    # A run on all cores and several runs of a thread each are as fast.
    at_once = max(cores(), threads_of(base))
    found = {}
    for name, arm in shown.arms.items():
        config = shown.config(dataset, name)
        tuning = rates_tried(shown.rates_on(dataset, name), base.refine) * len(TUNING_SEEDS)
        runs = shown.seeds_on(dataset) + (0 if arm.tuned_as else tuning)
        passes = base.passes / len(shown.arms) if base.passes else runs * config.training.epochs
        images = min(config.training.images or about.images, about.images)
        work = passes * images * BACKWARD * cost_of(config.network).multiply_adds
        found[name] = AROUND * work / pace.of(config) / at_once
    return found


def _shown(study: Study, dataset: str) -> Study | None:
    """Return a study as a dataset of the catalogue can show it; None if not at all."""
    known = CATALOGUE.get(dataset)
    if dataset not in study.bases or (known and not study.can_be_shown(known.has)):
        return None
    return study.on(dataset, known.has) if known else study


def _training(study: Study, dataset: str, arm: str) -> str:
    """Return what decides the runs of an arm: its config, and how its rate is chosen."""
    base, one = study.bases[dataset], study.arms[arm]
    leader = study.config(dataset, one.tuned_as) if one.tuned_as else None
    return canonical(
        {
            "config": study.config(dataset, arm).model_dump(mode="json"),
            "precision": one.precision,
            "rate of": leader and leader.model_dump(mode="json"),
            "rates": study.rates_on(dataset, arm),
            "refine": base.refine,
            "seeds": (base.first_seed, one.seeds_from),
            "by": base.metric.model_dump(mode="json"),
        }
    )


class Shared(NamedTuple):
    """Arms that several studies train alike."""

    arms: int  # of all studies
    distinct: int  # that are different trainings
    free: dict[str, str]  # studies of which another, before them, trains every arm


def shared(studies: Iterable[Study], dataset: str) -> Shared:
    """Return what studies have in common on a dataset: equal configs at the same rates to try."""
    known: dict[str, Study] = {}  # a training, and the first study that has it
    arms, free = 0, {}
    for study in studies:
        shown = _shown(study, dataset)
        if shown is None:
            continue
        trainings = [_training(shown, dataset, name) for name in shown.arms]
        arms += len(trainings)
        owners = {known[training].name for training in trainings if training in known}
        seeds = study.seeds_on(dataset)
        if len(owners) == 1 and all(
            training in known and known[training].seeds_on(dataset) >= seeds
            for training in trainings
        ):
            free[study.name] = owners.pop()
        for training in trainings:
            known.setdefault(training, shown)
    return Shared(arms, len(known), free)
