"""What each plan in a results folder has come to, ready to be shown."""

import enum
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ablations.metrics import observe
from ablations.plan import Plan
from ablations.record import Record
from ablations.results import Results
from ablations.side_effects import side_effects
from alexnet.config import Config, Frozen
from alexnet.data.catalogue import copies_of
from reports.analysis import selection
from reports.analysis.comparable import Records
from reports.analysis.comparison import Comparison, compare
from reports.analysis.effect import ON_THE_PAPERS_DATA, Effect
from reports.analysis.foreknowledge import seen_on_copies
from reports.findings.records import find_records
from reports.wording import sentences
from reports.wording.config_summary import facets

THIN = 40
"""Curves up to which each is drawn; of more, only their means can be told apart."""


class Nearness(enum.IntEnum):
    """Of a comparison to the paper's own, the nearest first."""

    OWN = 0  # as the paper has it
    COPY = 1  # on its images, stored otherwise
    OTHER = 2


class OneRun(Frozen):
    """A comparison run of an arm, as far as a table says it."""

    planned: int  # the seed of the plan
    seed: int  # its own, which differs where an arm has seeds of its own
    id: str  # the twelve digits that people see
    status: str
    epochs: int
    value: float | None  # by the study's metric: epochs, a fraction or nats
    is_bound: bool


class Section(Frozen):
    """One study on one dataset: its plan, its records, and what they come to."""

    plan: Plan
    records: Records  # of comparison runs of the planned seeds, by arm and seed
    later_records: Records  # of those of seeds added since
    tuning_records: dict[str, Record]  # of the runs that chose its rates, by their ids
    rates_tried: dict[str, tuple[Record, ...]]  # by arm, while no comparison run has a curve
    comparison: Comparison
    second_look: Comparison | None
    headline: str
    differs: dict[str, dict[str, str]]  # by arm: what differs from the first contrast's reference
    side_effects: tuple[str, ...]  # what the arms of a contrast differ in besides the idea
    runs: dict[str, tuple[OneRun, ...]]  # by arm, of the planned seeds
    later_runs: dict[str, tuple[OneRun, ...]]  # by arm, of seeds added since; none without any
    first_run: datetime | None  # when the first was finished, of those that chose its rates too
    seconds: dict[str, float]  # on the clock, by run, those that choose rates included

    @property
    def name(self) -> str:
        """Study@dataset, as its files are called."""
        return self.plan.name

    @property
    def nearness(self) -> Nearness:
        """How near it is to what the paper compared."""
        if self.comparison.setting in ON_THE_PAPERS_DATA:
            return Nearness.OWN
        original = self.plan.about.paper_dataset
        own_length = self.plan.definition.epochs is None
        is_copy = own_length and original and self.comparison.dataset in copies_of(original)
        return Nearness.COPY if is_copy else Nearness.OTHER

    @property
    def anchor(self) -> str:
        """The name that a link within the page goes by."""
        return "study-" + self.name.replace("@", "-on-").replace(".", "-")

    @property
    def curves(self) -> str:
        """JSON from the ids of curves in its figure to their runs; empty if they are not drawn."""
        if sum(map(len, self.runs.values())) > THIN:
            return ""
        arms = list(self.plan.definition.arms)
        return json.dumps(
            {
                f"curve-{arms.index(arm)}-{run.planned}": f"{arm}, seed {run.seed}, run {run.id}"
                for arm, runs in self.runs.items()
                for run in runs
            }
        )

    @property
    def reference(self) -> str:
        """The arm that the first contrast compares with."""
        return _reference(self.plan)

    @property
    def speaks(self) -> Effect:
        """The effect that its headline is about."""
        return selection.speaks(self.comparison)

    @property
    def first_compared(self) -> datetime | None:
        """When the first of the runs that it compares was finished."""
        compared = (record for of_arm in self.records.values() for record in of_arm.values())
        return min((record.provenance.at for record in compared), default=None)

    @property
    def missing(self) -> int:
        """How many planned comparison runs have no record."""
        return self.comparison.planned - self.comparison.done

    @property
    def diverged(self) -> int:
        """How many comparison runs diverged."""
        return sum(row.diverged for row in self.comparison.rows)


def sections(results: Results) -> list[Section]:
    """Return what each plan in a results folder has come to; smoke plans last."""
    by_id = {record.run.id: record for record in results.records()}
    return sorted((_section(plan, results, by_id) for plan in results.plans()), key=_order)


def section_of(plan: Plan, results: Results) -> Section:
    """Return what one plan has come to."""
    return _section(plan, results, {record.run.id: record for record in results.records()})


def _section(plan: Plan, results: Results, by_id: Mapping[str, Record]) -> Section:
    planned, seen = plan.definition.seeds, seen_on_copies(plan, results)
    found = find_records(plan, results, planned)
    added = plan.seeds[len(planned) :]
    later = find_records(plan, results, added) if added else {}
    all_seeds = {arm: of_arm | later.get(arm, {}) for arm, of_arm in found.items()}
    comparison = compare(plan, found, planned, seen)
    ids = {run for one in plan.choices.values() for trial in one.trials for run in trial.runs}
    tuning = {run: by_id[run] for run in sorted(ids) if run in by_id}
    compared = [record for of_arm in all_seeds.values() for record in of_arm.values()]
    everything = [*tuning.values(), *compared]
    is_begun = any(record.curve for of_arm in found.values() for record in of_arm.values())
    return Section(
        plan=plan,
        records=found,
        later_records=later,
        tuning_records=tuning,
        rates_tried={} if is_begun else _rates_tried(plan, by_id.values()),
        comparison=comparison,
        second_look=compare(plan, all_seeds, plan.seeds, seen) if plan.second_looks else None,
        headline=sentences.headline(plan, comparison),
        differs=_differences(plan),
        side_effects=_side_effects(plan),
        runs=_runs(plan, found),
        later_runs=_runs(plan, later),
        first_run=min((record.provenance.at for record in everything), default=None),
        seconds={r.run.id: r.seconds.training + r.seconds.evaluation for r in everything},
    )


def _rates_tried(plan: Plan, records: Iterable[Record]) -> dict[str, tuple[Record, ...]]:
    """Return, by arm, every run that tries a rate and went beyond one epoch."""
    found: dict[str, list[Record]] = {}
    for record in records:
        run = record.run
        if run.sees_test or len(record.curve) < 2:
            continue
        for arm in plan.arms_of(run):
            found.setdefault(arm, []).append(record)
    return {arm: tuple(of_arm) for arm, of_arm in found.items()}


def _runs(plan: Plan, found: Records) -> dict[str, tuple[OneRun, ...]]:
    metric = plan.definition.metric
    runs: dict[str, tuple[OneRun, ...]] = {}
    for arm, records in found.items():
        rows = []
        for seed, record in records.items():
            seen = observe(record, metric)
            rows.append(
                OneRun(
                    planned=seed,
                    seed=record.run.seed,
                    id=record.run.short,
                    status=record.status,
                    epochs=len(record.curve),
                    value=seen.value if seen else None,
                    is_bound=bool(seen and seen.bound),
                )
            )
        runs[arm] = tuple(rows)
    return runs


def _differences(plan: Plan) -> dict[str, dict[str, str]]:
    """Return what each arm does otherwise than the reference, in words, by facet."""
    definition = plan.definition
    reference = _reference(plan)
    base = facets(definition.arms[reference])
    return {
        arm: {} if arm == reference else _changed(config, base) | _of_precision(plan, arm)
        for arm, config in definition.arms.items()
    }


def _side_effects(plan: Plan) -> tuple[str, ...]:
    """Return what changes beside the idea between the arms of each contrast, if anything does."""
    arms = plan.definition.arms
    pairs = dict.fromkeys(
        (contrast.compared, contrast.arm, contrast.against)
        for contrast in plan.contrasts
        if contrast.number is None and contrast.weights is None and contrast.arm != contrast.against
    )
    found = ((between, side_effects(arms[arm], arms[other])) for between, arm, other in pairs)
    return tuple(f"{between}: {'; '.join(said)}" for between, said in found if said)


def _reference(plan: Plan) -> str:
    contrast = plan.definition.contrasts[0]
    return contrast.against if contrast.number is None else contrast.arm


def _changed(config: Config, base: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facets(config).items() if value != base[name]}


def _of_precision(plan: Plan, arm: str) -> dict[str, str]:
    definition = plan.definition
    return {"precision": definition.precisions[arm]} if arm in definition.precisions else {}


def _order(section: Section) -> tuple[bool, bool, int, bool, int, str]:
    """Real before smoke, results before none, the paper's data, complete, what compares most."""
    comparison, compared = section.comparison, len(section.comparison.effects)
    return (
        comparison.smoke,
        comparison.done == 0,
        section.nearness,
        section.missing > 0,
        -compared,
        section.name,
    )


MANY = 5
"""Arms up to which each has a colour and a place in a legend."""


def baseline_of_many(section: Section) -> str | None:
    """Return the arm that most of many are compared with, in one metric; None without such."""
    if len(section.plan.definition.arms) <= MANY:
        return None
    against = Counter(c.against for c in section.plan.contrasts if c.is_simple)
    (baseline, times), *_ = against.most_common(1) or [("", 0)]
    return baseline if 2 * times > len(section.plan.contrasts) else None


def begun(found: Sequence[Section]) -> tuple[list[Section], list[Section]]:
    """Return the studies that have runs, and those registered for what they share with others.

    All are of the first kind where none has runs.
    """
    waiting = [s for s in found if not (s.comparison.done or s.plan.choices)]
    if len(waiting) == len(found):
        return list(found), []
    return [section for section in found if section not in waiting], waiting


def real(found: Sequence[Section]) -> list[Section]:
    """Return the sections whose numbers mean something."""
    return [section for section in found if not section.comparison.smoke]


def of_the_paper(found: Sequence[Section]) -> bool:
    """Return whether any study asks of what the paper claims; so does a report of no study."""
    asked = (
        section.plan.definition.claim or any(one.claim for one in section.plan.contrasts)
        for section in found
    )
    return not found or any(asked)
