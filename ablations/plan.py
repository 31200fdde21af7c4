"""The registered definition of a study on a dataset: made before its first run, only added to."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ablations.machine import Fingerprint, Provenance
from ablations.record import Record
from ablations.run import TUNING_SEEDS, DatasetRef, Run
from ablations.study import NAME, Contrast, Metric, Setting, Shows
from ablations.tuning import Choice, Pending, at_rate, rates_tried, tune
from alexnet.config import EDITION, Config, Frozen, GiveUp, Precision, added_field
from alexnet.config.base import canonical
from alexnet.sealed import SEAL, SealError, parsed, read_bytes, sealed_text, unsealed


class PlanError(ValueError):
    """A plan that cannot be read or that differs from the study; the message names the field."""


class Definition(Frozen):
    """What must not change once the first run has started."""

    study: str = Field(pattern=NAME)
    claim: str | None
    dataset: DatasetRef
    setting: Setting
    metric: Metric
    contrasts: tuple[Contrast, ...]
    arms: dict[str, Config]  # at the base's rate, which tuning replaces
    seeds: tuple[int, ...]
    rates: tuple[PositiveFloat, ...] = Field(min_length=1)
    # The default is the rule of the plans that were registered before they carried their own:
    give_up: GiveUp | None = GiveUp(epoch=1, within=0.05)
    tuning_seeds: tuple[int, ...] = TUNING_SEEDS
    precision: Precision
    precisions: dict[str, Precision] = Field(default_factory=dict)  # of arms that have another
    rates_of: dict[str, tuple[float, ...]] = Field(default_factory=dict)  # likewise
    refine: bool = False  # beyond an edge of the grid, and closer to each arm's best rate
    seeds_from: dict[str, int] = Field(default_factory=dict)  # added to the seeds of these arms
    tuned_as: dict[str, str] = Field(default_factory=dict)  # arms that take another's rate
    threads: int  # per run
    judged: bool = True  # False: a demonstration, shown without a verdict
    one_by_one: bool = False  # contrast after contrast, not all arms together
    edition: int = EDITION
    smoke: bool = False
    # of trainings that are shorter or longer than those of the study that it is named after:
    epochs: PositiveInt | None = added_field(None)

    @model_validator(mode="after")
    def _is_of_its_arms(self) -> Self:
        known = set(self.arms)
        named = {arm for contrast in self.contrasts for arm in contrast.arms}
        for mapping in (self.precisions, self.rates_of, self.seeds_from, self.tuned_as):
            named |= mapping.keys()
        if missing := sorted((named | set(self.tuned_as.values())) - known):
            raise ValueError(f"there is no arm {missing[0]!r}")
        for contrast in self.contrasts:
            if contrast.margin is None:  # a study may leave it to the default, a plan has it
                raise ValueError(f"{contrast.between} has no margin")
        return self

    @property
    def precisions_of(self) -> dict[str, Precision]:
        """The precision of every arm."""
        return {arm: self.precisions.get(arm, self.precision) for arm in self.arms}

    def rates_tried(self, arm: str) -> int:
        """Return how many rates of an arm are tried; none if it takes another's, or has one.

        One more where the best of the grid is at its edge.
        """
        grid = self.rates_of.get(arm, self.rates)
        return 0 if arm in self.tuned_as else rates_tried(grid, self.refine)

    @property
    def judged_arms(self) -> tuple[str, ...]:
        """The arms that verdicts need, in order; none of a demonstration."""
        judged = [contrast.arms for contrast in self.contrasts if contrast.judged and self.judged]
        needed = {arm for arms in judged for arm in arms}
        return tuple(arm for arm in self.arms if arm in needed)

    def is_same_as(self, other: "Definition") -> bool:
        """Return whether both ask the same; threads may be those of either machine."""
        mine, theirs = (one.model_dump(mode="json", exclude={"threads"}) for one in (self, other))
        return mine == theirs

    def shares_runs_with(self, other: "Definition") -> bool:
        """Return whether another plan on these images may compare some of the same runs.

        Those of arms that are alike but for their rate, which tuning may make equal, or not.
        """
        mine, theirs = (
            {(apart_from_rate(config), one.precisions_of[arm]) for arm, config in one.arms.items()}
            for one in (self, other)
        )
        return not mine.isdisjoint(theirs)

    @property
    def digest(self) -> str:
        """The name of this definition: SHA-256, in hex, of what was registered.

        Fields that a later version of this program has added are not part of it.
        """
        registered = self.model_dump(mode="json", exclude_unset=True)
        return hashlib.sha256(canonical(registered).encode()).hexdigest()


class Wording(Frozen):
    """What a contrast is called where people read it, and what is said of it beforehand."""

    label: str = ""
    says: str = ""


class About(Frozen):
    """The words that a report needs; they may be improved without touching the definition."""

    title: str
    section: str
    question: str
    paper_says: str
    paper_dataset: str | None
    left_open: tuple[str, ...]
    thresholds: tuple[float, ...]
    passes: float | None
    source: str = ""  # the study's file
    shows: Shows = "effects"
    labels: dict[str, str] = added_field({})  # of arms that people read by another name
    contrasts: tuple[Wording, ...] = added_field(())  # in the definition's order, or none


NEARNESS: tuple[Setting, ...] = ("paper", "closest reading", "stand-in")
"""To the paper's own comparison, the nearest first."""


class Amendment(Frozen):
    """What was changed after the plan was made: words, or a claim to be near the paper given up.

    The definition never is. A setting only becomes less: nothing is nearer than was registered.
    """

    at: datetime
    commit: str | None
    fields: tuple[str, ...]  # of `About`; none where the setting is what changed
    setting: Setting | None = added_field(None)  # in place of the one that was registered
    reason: str = added_field("")  # for that


class SecondLook(Frozen):
    """Seeds added after the plan was made; shown beside its verdict, never in place of it."""

    at: datetime
    seeds: tuple[int, ...]


class Timing(Frozen):
    """How long one arm's training step takes with nothing else running; shown, never judged."""

    seconds_per_step: float
    batch: int
    fingerprint: Fingerprint


class Plan(Frozen):
    """A definition, when it was registered, and what has been added since."""

    schema_version: Literal[1] = 1
    definition: Definition
    about: About
    registered: Provenance
    choices: dict[str, Choice] = Field(default_factory=dict)
    amendments: tuple[Amendment, ...] = ()
    second_looks: tuple[SecondLook, ...] = ()
    timings: dict[str, Timing] = Field(default_factory=dict)
    # test errors of averaged networks, group by group, by arm and `EnsembleError.key`:
    ensembles: dict[str, dict[str, tuple[float, ...]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_to_its_arms(self) -> Self:
        for mapping in (self.choices, self.timings, self.ensembles, self.about.labels):
            if missing := sorted(mapping.keys() - self.definition.arms.keys()):
                raise ValueError(f"there is no arm {missing[0]!r}")
        if len(self.about.contrasts) not in (0, len(self.definition.contrasts)):
            raise ValueError("it has words for other contrasts than it registers")
        return self

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """What is compared, with the words that people read."""
        contrasts = self.definition.contrasts
        words = self.about.contrasts or [Wording()] * len(contrasts)
        labels = tuple(self.about.labels.items())
        return tuple(
            contrast.but(label=own.label, says=own.says, arm_labels=labels)
            for contrast, own in zip(contrasts, words, strict=True)
        )

    def label(self, arm: str) -> str:
        """Return what an arm is called where people read it."""
        return self.about.labels.get(arm, arm)

    def to_json(self) -> str:
        """Return the plan as JSON with its own SHA-256, its definition as it was registered."""
        content = self.model_dump(mode="json")
        content["definition"] = self.definition.model_dump(mode="json", exclude_unset=True)
        return sealed_text(content)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the plan in a file.

        Raises:
            PlanError: If it was cut short or edited, is of another schema, or lies under another
                name than its own, as copies do.
        """
        advice = "restore it, or move it away to register anew"
        try:
            content = parsed(read_bytes(path))
            if SEAL not in content:
                raise SealError("was registered before plans carried a digest, or lost its own")
            content = unsealed(content)
        except SealError as error:
            raise PlanError(f"{path} {error}; {advice}") from error
        except OSError as error:
            raise PlanError(f"{path} cannot be read ({error.strerror}); {advice}") from error
        try:
            plan = cls.model_validate_json(json.dumps(content))
        except ValueError as error:
            raise PlanError(f"{path} is of another version of this program; {advice}") from error
        if path.name != f"{plan.name}.json":
            raise PlanError(
                f"{path} holds the plan {plan.name}: a copy under another name is not read; "
                "remove it, or give it back its name"
            )
        return plan

    def merged(self, later: "Plan") -> "Plan":
        """Return this plan with what ``later`` adds to it; what is here is never replaced."""
        looks = {look.seeds: look for look in (*later.second_looks, *self.second_looks)}
        amendments = {
            (one.at, one.fields, one.setting or ""): one
            for one in (*later.amendments, *self.amendments)
        }
        return self.model_copy(
            update={
                "about": later.about,
                "amendments": tuple(amendments[at] for at in sorted(amendments)),
                "choices": later.choices | self.choices,
                "ensembles": _longest(self.ensembles, later.ensembles),
                "second_looks": tuple(sorted(looks.values(), key=lambda look: look.seeds)),
                "timings": later.timings | self.timings,
            }
        )

    def amended(self, about: About, now: Provenance) -> "Plan":
        """Return this plan with other words, and a note of which and when if a reader sees them."""
        before, after = dict(self.about), dict(about)
        unseen = {"passes", "source"}
        fields = tuple(f for f in after if after[f] != before[f] and f not in unseen)
        note = Amendment(at=now.at, commit=now.commit, fields=fields)
        amendments = (*self.amendments, note) if fields else self.amendments
        return self.model_copy(update={"about": about, "amendments": amendments})

    def demoted(self, setting: Setting, reason: str, now: Provenance) -> "Plan":
        """Return this plan as one that is less near to the paper than it was registered.

        Raises:
            PlanError: If it would not be less near.
        """
        known = [one for one in (self.setting, setting) if one in NEARNESS]
        if len(known) < 2 or NEARNESS.index(setting) <= NEARNESS.index(self.setting):
            raise PlanError(f"{self.name} is called {self.setting}, and cannot become {setting}")
        note = Amendment(at=now.at, commit=now.commit, fields=(), setting=setting, reason=reason)
        return self.model_copy(update={"amendments": (*self.amendments, note)})

    @property
    def setting(self) -> Setting:
        """How near the comparison is to the paper's: the least that was ever said of it."""
        known = [note.setting for note in self.amendments if note.setting is not None]
        return max(known, key=NEARNESS.index, default=self.definition.setting)

    @property
    def name(self) -> str:
        """What the plan's files are called: study@dataset, and whether it is a smoke plan."""
        definition = self.definition
        return plan_name(definition.study, definition.dataset.name, definition.smoke)

    @property
    def short(self) -> str:
        """The six digits that people see."""
        return self.definition.digest[:6]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The planned seeds and those of every second look."""
        return self.definition.seeds + tuple(s for look in self.second_looks for s in look.seeds)

    def arms_of(self, run: Run) -> list[str]:
        """Return the arms that a run is of, at whatever rate and length; none on other images.

        Several, where arms differ in whose rate they take alone.
        """
        definition = self.definition
        images = definition.dataset
        if (images.digest, images.split) != (run.dataset.digest, run.dataset.split):
            return []
        asked, rate = _apart_from_tuning(run.config), run.config.training.optimizer.rate
        return [
            arm
            for arm, config in definition.arms.items()
            if definition.precisions_of[arm] == run.precision
            and _apart_from_tuning(config) == asked
            and (len(own := definition.rates_of.get(arm, ())) != 1 or own == (rate,))
        ]

    def tuned(self, arm: str, find: Callable[[Run], Record | None]) -> Choice | Pending:
        """Return the rate that the records choose for an arm, or the runs still missing.

        An arm that takes another's rate waits for the same runs.
        """
        definition = self.definition
        leader = definition.tuned_as.get(arm, arm)
        make_run = partial(self.make_run, leader)
        rates = definition.rates_of.get(leader, definition.rates)
        return tune(
            definition.arms[leader],
            definition.metric,
            rates,
            definition.give_up,
            make_run,
            find,
            definition.refine,
        )

    def compared(self, arm: str) -> Config:
        """Return the config of an arm at the rate that was chosen for it."""
        return at_rate(self.definition.arms[arm], self.choices[arm].rate)

    def run(self, arm: str, seed: int) -> Run:
        """Return a comparison run of an arm whose rate has been chosen."""
        return self.make_run(arm, self.compared(arm), seed + self.definition.seeds_from.get(arm, 0))

    def make_run(self, arm: str, config: Config, seed: int) -> Run:
        """Return the run of an arm at some rate and length, and a seed, on this plan's images."""
        definition = self.definition
        return Run(
            config=config,
            seed=seed,
            dataset=definition.dataset,
            precision=definition.precisions.get(arm, definition.precision),
            edition=definition.edition,
        )


Errors = dict[str, dict[str, tuple[float, ...]]]


def _longest(one: Errors, other: Errors) -> Errors:
    """Return both, of what both have the one of more groups."""
    return {
        arm: {
            key: max(one.get(arm, {}).get(key, ()), other.get(arm, {}).get(key, ()), key=len)
            for key in sorted(one.get(arm, {}).keys() | other.get(arm, {}).keys())
        }
        for arm in sorted(one.keys() | other.keys())
    }


@lru_cache(maxsize=4096)
def _apart_from_tuning(config: Config) -> Config:
    """Return a config with all that tuning changes made the same."""
    return apart_from_rate(config).but(training={"epochs": 1, "give_up": None})


@lru_cache(maxsize=4096)
def apart_from_rate(config: Config) -> Config:
    """Return a config with a rate that says nothing: what a study asks for, before tuning."""
    return config.but(training={"optimizer": {"rate": 1.0}})


def plan_name(study: str, dataset: str, smoke: bool) -> str:
    """Return what the files of a plan are called."""
    return f"{study}@{dataset}{'.smoke' if smoke else ''}"
