"""What is asked of a study, and the plan that is registered for it before its first run."""

import itertools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ablations.bases import suited
from ablations.machine import provenance
from ablations.metrics import EnsembleError
from ablations.plan import Plan, PlanError, SecondLook
from ablations.planning import about, define, refuse_difference
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Study
from alexnet.config import Precision
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.names import suggestion
from alexnet.text import counted, shown

MOST_EPOCHS = 10_000
MOST_SEEDS = 1000
"""Seeds from there on are for choosing rates."""


class RequestError(ValueError):
    """Something that cannot be asked for; the message has the value, the rule and the way out."""


@dataclass(frozen=True)
class StudyRequest:
    """What is asked of a study: on which images, with which seeds, how precisely.

    Raises:
        RequestError: If it cannot be asked for, whatever the study.
    """

    study: str
    dataset: str | None
    seeds: int | tuple[int, ...] | None  # how many, or which; None: those of the plan
    precision: Literal["auto"] | Precision
    smoke: bool
    # Which of the planned seeds are trained now, and no others; none: rates alone are chosen.
    only_seeds: tuple[int, ...] | None = field(default=None, kw_only=True)
    epochs: int | None = field(default=None, kw_only=True)  # None: as long as the study says

    def __post_init__(self) -> None:
        """Refuse what no study could do."""
        precisions = ("auto", *get_args(Precision))
        if self.precision not in precisions:
            known = ", ".join(precisions)
            raise RequestError(f"{self.precision!r} is not a precision; use one of {known}")
        _refuse_seeds(self.seeds)
        _refuse_seeds(self.only_seeds)
        _refuse_epochs(self.epochs, self.smoke)

    def asked_of(self, planned: Sequence[int]) -> tuple[int, ...]:
        """Return the seeds that are asked for: the planned ones, or so many from the first on."""
        if self.seeds is None:
            return tuple(planned)
        if isinstance(self.seeds, int):
            return tuple(range(planned[0], planned[0] + self.seeds))
        return self.seeds

    def seeds_of(self, plan: Plan) -> tuple[int, ...]:
        """Return the seeds that are to be trained now."""
        if self.only_seeds is not None:
            return tuple(seed for seed in self.only_seeds if seed in plan.seeds)
        return self.asked_of(plan.seeds)

    @property
    def command(self) -> str:
        """The command to paste, without places on this machine.

        It trains all seeds where single ones were asked for, those among them.
        """
        study = shown(Path(self.study).name if self.study.endswith(".py") else self.study)
        seeds = self.seeds if isinstance(self.seeds, int) else None
        given = {"dataset": self.dataset, "epochs": self.epochs, "seeds": seeds,
                 "precision": self.precision}  # fmt: skip
        options = {name: str(value) for name, value in given.items() if value not in (None, "auto")}
        words = [part for name, value in options.items() for part in (f"--{name}", value)]
        smoke = ["--smoke"] if self.smoke else []
        return shlex.join(["invoke", "ablate", "--study", study, *words, *smoke])


def _refuse_seeds(seeds: int | Sequence[int] | None) -> None:
    """Refuse seeds that are none, or that rates are chosen with.

    Raises:
        RequestError: With the first that is wrong.
    """
    if seeds is None:
        return
    if isinstance(seeds, int):
        if not 1 <= seeds <= MOST_SEEDS:
            raise RequestError(f"{counted(seeds, 'seed')} cannot be; ask for 1 to {MOST_SEEDS}")
        return
    for seed in seeds:
        if not isinstance(seed, int) or not 0 <= seed < MOST_SEEDS:
            raise RequestError(f"{seed!r} is not a seed; use whole numbers from 0 to 999")
    if len(set(seeds)) < len(seeds):
        raise RequestError(f"seeds {', '.join(map(str, seeds))} name one twice; name each once")


def _refuse_epochs(epochs: int | None, smoke: bool) -> None:
    """Refuse a length that is none, or that a smoke run, which has its own, would not have.

    Raises:
        RequestError: With what can be asked for.
    """
    if epochs is None:
        return
    if not isinstance(epochs, int) or not 1 <= epochs <= MOST_EPOCHS:
        raise RequestError(f"{epochs!r} cannot be a number of epochs; ask for 1 to {MOST_EPOCHS:,}")
    if smoke:
        raise RequestError(f"a smoke run has two epochs, and not {epochs}; leave out one of both")


def shown_on(study: Study, manifest: Manifest) -> Study:
    """Return a study as a dataset can show it.

    Raises:
        DatasetError: If it has no base for it, or the images lack what it needs.
    """
    study = suited(study, manifest)
    if manifest.name not in study.bases:
        known = suggestion(manifest.name, study.bases)
        raise DatasetError(f"{study.name} has no base for the dataset {manifest.name!r}; {known}")
    try:
        return study.on(manifest.name, manifest.has)
    except ValueError as error:
        raise DatasetError(str(error)) from error


def new_plan(request: StudyRequest, study: Study, manifest: Manifest, native: Precision) -> Plan:
    """Return the plan of a study, to be registered; in ``native`` precision if it is left open."""
    seeds = len(_planned_seeds(request, study, manifest.name))
    precision: Precision = native if request.precision == "auto" else request.precision
    plan = Plan(
        definition=define(study, manifest.name, manifest, seeds, precision, request.smoke),
        about=about(study, manifest.name),
        registered=provenance(request.command),
    )
    _refuse_seeds_of_others(plan)
    return _looked_at_again(request, plan)


def all_seeds(
    request: StudyRequest, study: Study, dataset: str, plan: Plan | None
) -> tuple[int, ...]:
    """Return the seeds that a plan has or, registered or not, would have after a request."""
    planned = plan.seeds if plan else _planned_seeds(request, study, dataset)
    return tuple(dict.fromkeys((*planned, *request.asked_of(planned))))


def _planned_seeds(request: StudyRequest, study: Study, dataset: str) -> tuple[int, ...]:
    # Fewer seeds than planned are a first part of the plan, not a plan that can decide nothing.
    # Nor do single ones change it: else the folders of those who share them out would not agree.
    asked = request.seeds if isinstance(request.seeds, int) else None
    if request.smoke:
        count = asked or _smoke_seeds(study)
    else:
        count = max(study.seeds_on(dataset), asked or 0)
    first = study.bases[dataset].first_seed
    return tuple(range(first, first + count))


def refuse_unplanned(request: StudyRequest, planned: Sequence[int], where: str) -> None:
    """Refuse to train only seeds that no plan has: they would be a second look, unasked.

    Args:
        request: What is asked for.
        planned: All seeds that may be shared out.
        where: Whose they are.

    Raises:
        RequestError: With the first that is not planned, and those that are.
    """
    for seed in request.only_seeds or ():
        if seed not in planned:
            raise RequestError(
                f"{in_ranges(planned)} are the planned seeds of {where}, and {seed} is none of "
                "them; --only-seeds shares out planned ones"
            )


def in_ranges(seeds: Sequence[int]) -> str:
    """Return seeds as a person writes them.

    >>> in_ranges((0, 1, 2, 5, 7, 8))
    '0-2, 5, 7-8'
    """
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(f"{one[0]}-{one[-1]}" if len(one) > 1 else str(one[0]) for one in runs)


def same_or_refused(
    request: StudyRequest, study: Study, manifest: Manifest, plan: Plan, store: Store
) -> Plan:
    """Return the registered plan, with more seeds as a second look if more were asked for."""
    definition = plan.definition
    precision = definition.precision if request.precision == "auto" else request.precision
    now = define(study, manifest.name, manifest, len(definition.seeds), precision, definition.smoke)
    if study.bases[manifest.name].threads == "all":  # of the machine that registered it
        now = now.but(threads=definition.threads)
    refuse_difference(
        definition, now, store.plan_path(definition.study, manifest.name, definition.smoke)
    )
    plan = plan.amended(about(study, manifest.name), provenance(request.command))
    return _looked_at_again(request, plan)


def _looked_at_again(request: StudyRequest, plan: Plan) -> Plan:
    """Return a plan with a second look of the seeds that were asked for and that it lacks."""
    more = tuple(seed for seed in request.asked_of(plan.seeds) if seed not in plan.seeds)
    if not more:
        return plan
    look = SecondLook(at=provenance(request.command).at, seeds=more)
    again = plan.model_copy(update={"second_looks": (*plan.second_looks, look)})
    _refuse_seeds_of_others(again)
    return again


def _refuse_seeds_of_others(plan: Plan) -> None:
    """Refuse seeds by which arms with seeds of their own would have each other's, or tuning's.

    Raises:
        RequestError: With how many there may be.
    """
    starts = sorted({0, *plan.definition.seeds_from.values()})
    if len(starts) == 1:
        return
    apart = min(after - before for before, after in itertools.pairwise(starts))
    span = max(plan.seeds) - min(plan.seeds) + 1
    if span > apart or max(plan.seeds) + starts[-1] >= MOST_SEEDS:
        raise RequestError(
            f"{plan.name} gives its arms seeds that are {apart} apart, so that seeds from "
            f"{min(plan.seeds)} to {max(plan.seeds)} would meet; ask for fewer"
        )


def plans_that_share(
    request: StudyRequest, plan: Plan, manifest: Manifest, store: Store
) -> list[Plan]:
    """Return the plans of other studies, not registered yet, that runs of one would answer.

    Registered only after these are trained, they would be older than their runs, and so
    exploratory: what is seen of a run may shape what is asked. Studies without verdicts need not.
    """
    definition = plan.definition
    found = []
    for study in () if definition.smoke else STUDIES.values():
        path = store.plan_path(study.name, manifest.name, smoke=False)
        if study.name == definition.study or path.exists():
            continue
        # Its own command is what makes it again, whoever registered it:
        own = StudyRequest(study.name, request.dataset, None, definition.precision, request.smoke)
        try:
            other = new_plan(own, shown_on(study, manifest), manifest, definition.precision)
        except (DatasetError, PlanError):
            continue  # which cannot be shown on these images
        if other.definition.judged and other.definition.shares_runs_with(definition):
            found.append(other)
    return found


def _smoke_seeds(study: Study) -> int:
    """Return two, or as many as make a group of networks."""
    metrics = (contrast.metric for contrast in study.contrasts)
    return max([2, *(m.group for m in metrics if isinstance(m, EnsembleError))])


def keep_plan(plan: Plan, store: Store) -> Plan:
    """Write a plan that is new or has been added to; return it as it then lies there.

    Raises:
        PlanError: If another command has registered another one meanwhile, which stands.
    """
    definition = plan.definition
    before = store.read_plan(definition.study, definition.dataset.name, definition.smoke)
    if before == plan:
        return plan
    if before is not None:
        _refuse_another(before, plan, store)
    store.ensure_writable()
    try:
        store.write_plan(plan)
    except PlanError:
        if (
            other := store.read_plan(definition.study, definition.dataset.name, definition.smoke)
        ) is not None:
            _refuse_another(other, plan, store)  # which says what differs
        raise
    kept = store.read_plan(definition.study, definition.dataset.name, definition.smoke)
    if kept is None:
        raise PlanError(f"the plan of {plan.name} was taken away while it was written")
    return kept


def _refuse_another(registered: Plan, mine: Plan, store: Store) -> None:
    one = mine.definition.but(threads=registered.definition.threads)  # a machine's own
    path = store.plan_path(one.study, one.dataset.name, one.smoke)
    refuse_difference(registered.definition, one, path)
