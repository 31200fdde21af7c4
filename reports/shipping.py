"""The evidence that ships: how studies get into it, and how to go on from it elsewhere.

``python -m reports.shipping add relu_vs_tanh@cifar10`` copies a plan and the records of its runs
from a results folder, without weights; ``python -m reports.shipping begin cifar10`` copies all that
ships of a dataset into a results folder, so that what was tuned and trained is not trained again.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ablations.plan import Plan, PlanError
from ablations.record import Record
from ablations.results import Results
from ablations.store import Store, StoreError
from alexnet.durable import write_atomically
from alexnet.text import counted
from reports.evidence import EVIDENCE
from reports.findings.frames import StudyRun, study_runs

NAMED = 3
"""Runs, in a message about many."""


class ShippingError(ValueError):
    """What would be copied is no evidence; the message says why and the way out."""


def add(name: str, results: Results, evidence: Store, incomplete: bool = False) -> list[Record]:
    """Copy a plan and the records of its runs, of those that chose its rates too, into evidence.

    Args:
        name: Study@dataset.
        results: Where it was trained.
        evidence: Which ships.
        incomplete: Copy what there is, if runs are missing.

    Returns:
        The records that were not there before.

    Raises:
        ShippingError: If there is no such plan, if it or a run was made by code that no commit
            holds, if runs are missing, or if other evidence ships by the same name or id.
        PlanError: If a plan cannot be read.
    """
    plan = _plan(name, results)
    _refuse_another_plan(plan, evidence)
    by_id = {record.run.id: record for record in results.records()}
    runs = list(study_runs(plan, by_id))
    if (missing := _missing(plan, runs)) and not incomplete:
        is_or_are = "is" if missing == 1 else "are"
        raise ShippingError(
            f"{counted(missing, 'run')} of {name} {is_or_are} missing; train them, or give "
            "--incomplete"
        )
    records = list({run.record.run.id: run.record for run in runs}.values())
    _refuse_without_commit(plan, records)
    new = [record for record in records if evidence.find(record.run) is None]
    _refuse_other_records(records, evidence)
    _copy_records(new, results, evidence)
    _copy(_path(plan, results), results, evidence)
    return new


def begin(dataset: str, evidence: Results, store: Store) -> tuple[list[Plan], list[Record]]:
    """Copy the plans and records that ship of a dataset into a results folder, to go on there.

    Returns:
        The plans and the records that were not there before.

    Raises:
        ShippingError: If nothing of the dataset ships, or another plan by the name of one is there.
        StoreError: If the folder cannot be written.
    """
    plans = [p for p in evidence.plans() if p.definition.dataset.name == dataset]
    if not plans:
        known = ", ".join(sorted({p.definition.dataset.name for p in evidence.plans()}))
        raise ShippingError(f"nothing of {dataset} ships; there are {known}")
    store.ensure_writable()
    for plan in plans:
        _refuse_another_plan(plan, store)
    of_it = [record for record in evidence.records() if record.run.dataset.name == dataset]
    new = [record for record in of_it if store.find(record.run) is None]
    _copy_records(new, evidence, store)
    unknown = [plan for plan in plans if not _path(plan, store).exists()]
    for plan in unknown:
        _copy(_path(plan, evidence), evidence, store)
    return unknown, new


def _plan(name: str, results: Results) -> Plan:
    study, _, dataset = name.partition("@")
    plan = results.read_plan(study, dataset, smoke=False) if dataset else None
    if plan is None:
        known = ", ".join(plan.name for plan in results.plans() if not plan.definition.smoke)
        raise ShippingError(f"{results.path} has no plan {name}; there are {known or 'none'}")
    return plan


def _missing(plan: Plan, runs: Sequence[StudyRun]) -> int:
    """Return how many runs have no record: that are compared, or that chose a rate."""
    compared = sum(run.phase == "comparison" and run.planned for run in runs)
    of_rates = {
        run for choice in plan.choices.values() for trial in choice.trials for run in trial.runs
    }
    there = {run.record.run.id for run in runs}
    all_compared = len(plan.definition.arms) * len(plan.definition.seeds)
    return all_compared - compared + len(of_rates - there)


def _path(plan: Plan, results: Results) -> Path:
    definition = plan.definition
    return results.plan_path(definition.study, definition.dataset.name, definition.smoke)


def _copy_records(records: Sequence[Record], source: Results, target: Results) -> None:
    for record in records:
        _copy(source.folder(record.run) / "record.json", source, target)
    target.appeared()


def _copy(path: Path, source: Results, target: Results) -> None:
    """Copy a file to its place in another folder, byte for byte: a seal is of what was written."""
    there = target.path / path.relative_to(source.path)
    there.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(there, path.read_bytes())


def _refuse_another_plan(plan: Plan, target: Results) -> None:
    definition = plan.definition
    there = target.read_plan(definition.study, definition.dataset.name, definition.smoke)
    if there is None:
        return
    if there.definition.digest != definition.digest or there.registered.at != plan.registered.at:
        raise ShippingError(
            f"{_path(plan, target)} is another plan, registered "
            f"{there.registered.at:%Y-%m-%d %H:%M} UTC; a plan that ships is never replaced"
        )


def _refuse_without_commit(plan: Plan, records: Sequence[Record]) -> None:
    """Refuse what no commit of the code can be asked to train again."""
    made = [(f"plan {plan.name}", plan.registered)]
    made += [(f"run {record.run.short}", record.provenance) for record in records]
    without = [what for what, by in made if not (by.commit and by.clean)]
    if without:
        raise ShippingError(
            f"{_named(without)}: made by code that no commit holds; train from a clean clone"
        )


def _refuse_other_records(records: Sequence[Record], evidence: Results) -> None:
    """Refuse a run that ships already, trained anew to something else."""
    both = ((record, evidence.find(record.run)) for record in records)
    differ = [f"run {one.run.short}" for one, there in both if there is not None and one != there]
    if differ:
        raise ShippingError(
            f"{_named(differ)}: another record of the same run ships; `invoke verify` compares two"
        )


def _named(several: Sequence[str]) -> str:
    more = f" and {len(several) - NAMED} more" if len(several) > NAMED else ""
    return ", ".join(several[:NAMED]) + more


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (ShippingError, PlanError, StoreError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
def main() -> None:
    """Copy studies into the evidence that ships, or out of it to go on."""


RESULTS = click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
    help="The results folder.",
)  # fmt: skip


@main.command(name="add")
@click.argument("names", nargs=-1, required=True, metavar="STUDY@DATASET...")
@RESULTS
@click.option("--incomplete", is_flag=True, help="Copy what there is, if runs are missing.")
def add_command(names: Sequence[str], results: Path, incomplete: bool) -> None:
    """Copy the plan and the records of studies into the evidence."""
    with _refused():
        for name in names:
            new = add(name, Results(results), Store(EVIDENCE), incomplete)
            click.echo(f"{name}: {counted(len(new), 'new record')}")
    click.echo("now: python -m reports.readme, and the digest in tests/ablations/test_planning.py")


@main.command(name="begin")
@click.argument("dataset")
@RESULTS
def begin_command(dataset: str, results: Path) -> None:
    """Copy what ships of a dataset into a results folder."""
    with _refused():
        plans, records = begin(dataset, Results(EVIDENCE), Store(results))
        there = f"{counted(len(plans), 'plan')} and {counted(len(records), 'record')}"
        click.echo(f"{there} copied to {results}")


if __name__ == "__main__":
    main()
