"""Several results folders read as one, such as those of a class that shares out the seeds."""

from collections.abc import Container, Sequence
from pathlib import Path

from ablations.ensembles import with_ensembles
from ablations.plan import Plan, PlanError, SecondLook, plan_name
from ablations.planning import difference, in_short
from ablations.record import Record
from ablations.results import Results
from ablations.run import Run
from alexnet.text import counted


class MergedResults(Results):
    """What several folders hold together; only read.

    Where two hold the same run, the first folder that was named is believed.
    """

    def __init__(self, folders: Sequence[Path], yielding: Container[Path] = ()) -> None:
        """Read every record of every folder; damaged ones are named in ``problems``.

        Args:
            folders: Results folders, the one that is believed first.
            yielding: Those whose plan is left out, and named in ``problems``, where a folder
                before it asks another question by the same name.
        """
        super().__init__(folders[0])
        self._yielding = yielding
        self._is_read = True  # here and now
        # A folder that is named twice is read once.
        self.members = [Results(one) for one in {one.resolve(): one for one in folders}.values()]
        self._problems = [problem for member in self.members for problem in member.problems]
        self._holders: dict[str, Results] = {}
        again = set()
        for member in self.members:
            for record in member.records():
                if record.run.id in self._records:
                    again.add(record.run.id)
                else:
                    self._records[record.run.id] = record
                    self._holders[record.run.id] = member
        if again:
            self._problem(
                f"{counted(len(again), 'run')} in more than one folder: the first one's is shown"
            )

    @property
    def folders(self) -> list[Path]:
        """The results folders that are read."""
        return [member.path for member in self.members]

    def folder(self, run: Run) -> Path:
        """Return the folder of a run, in the results folder whose record is believed."""
        return self._holders.get(run.id, self.members[0]).folder(run)

    def find(self, run: Run) -> Record | None:
        """Return the record of a run, or None."""
        return self._records.get(run.id)

    def read_plan(self, study: str, dataset: str, smoke: bool) -> Plan | None:
        """Return a plan, joined, or None.

        Raises:
            PlanError: If two folders ask different questions by one name.
        """
        name = plan_name(study, dataset, smoke)
        return next((plan for plan in self.plans() if plan.name == name), None)

    def plans(self) -> list[Plan]:
        """Return every plan, those of one name joined: their seeds and second looks.

        Networks are averaged whose scores lie in different folders.

        Raises:
            PlanError: If two folders ask different questions by one name.
        """
        found: dict[str, tuple[Plan, Path]] = {}
        for member in self.members:
            for plan in member.plans():
                one, here = found.get(plan.name, (plan, member.path))
                try:
                    joined = plan if one is plan else _joined(one, here, plan, member.path)
                except PlanError as error:
                    if member.path not in self._yielding:
                        raise PlanError(f"{error}; report them apart") from error
                    self._problem(f"{error}; the first is shown")
                    joined = one
                found[plan.name] = joined, here
            for problem in member.problems:
                self._problem(problem)
        return [with_ensembles(found[name][0], self) for name in sorted(found)]


def _joined(one: Plan, here: Path, other: Plan, there: Path) -> Plan:
    """Return two plans as one, registered when the earlier of them was.

    Raises:
        PlanError: Naming what differs.
    """
    where = f"{one.name} is not the same question in {here} and in {there}"
    # Threads are the machine's: runs that differ in them have the same id.
    before, after = (
        plan.definition.model_dump(mode="json", exclude={"threads"}) for plan in (one, other)
    )
    if found := difference(before, after):
        # One that was registered for the runs that it shares, and never asked, says nothing yet.
        asked = [plan for plan in (one, other) if plan.choices]
        if len(asked) < 2:
            return (asked or [one])[0]
        field, mine, theirs = found
        raise PlanError(f"{where}: {field} is {in_short(mine)} and {in_short(theirs)}")
    for arm in sorted(one.choices.keys() & other.choices.keys()):
        rates = one.choices[arm].rate, other.choices[arm].rate
        if rates[0] != rates[1]:
            raise PlanError(f"{where}: the rate of {arm} is {rates[0]:g} and {rates[1]:g}")
    first, second = sorted((one, other), key=lambda plan: plan.registered.at)
    looks = _each_once(first, (*first.second_looks, *second.second_looks))
    return first.merged(second).model_copy(update={"second_looks": looks})


def _each_once(plan: Plan, looks: Sequence[SecondLook]) -> tuple[SecondLook, ...]:
    """Return second looks with each seed in the earliest that has it."""
    seen = set(plan.definition.seeds)
    kept = []
    for look in sorted(looks, key=lambda look: look.at):
        if new := tuple(seed for seed in look.seeds if seed not in seen):
            kept.append(look.but(seeds=new))
            seen |= set(new)
    return tuple(kept)


def orphaned_runs(results: Results, plans: Sequence[Plan]) -> list[str]:
    """Return what lies in a folder and belongs to none of its plans, by edition and images."""
    known = {
        (plan.definition.edition, plan.definition.dataset.digest, plan.definition.dataset.split)
        for plan in plans
    }
    counts: dict[tuple[int, str, str], int] = {}
    for record in results.records():
        run = record.run
        if (run.edition, run.dataset.digest, run.dataset.split) not in known:
            key = run.edition, run.dataset.name, run.dataset.digest[:6]
            counts[key] = counts.get(key, 0) + 1
    return [
        f"{counted(count, 'run')} of edition {edition} on {name} ({digest}), of no plan here, "
        "kept apart"
        for (edition, name, digest), count in sorted(counts.items())
    ]
