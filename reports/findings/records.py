"""The records of a plan, looked up in what results folders hold."""

from collections.abc import Sequence

from ablations.plan import Plan
from ablations.results import Results
from reports.analysis.comparable import Records
from reports.analysis.comparison import Comparison, compare
from reports.analysis.foreknowledge import seen_on_copies


def find_records(plan: Plan, results: Results, seeds: Sequence[int]) -> Records:
    """Return the records there are of a plan's comparison runs, by arm and seed."""
    runs = {
        arm: {seed: plan.run(arm, seed) for seed in seeds} if arm in plan.choices else {}
        for arm in plan.definition.arms
    }
    return {
        arm: {seed: record for seed, run in of_arm.items() if (record := results.find(run))}
        for arm, of_arm in runs.items()
    }


def comparison_of(plan: Plan, results: Results, seeds: Sequence[int] | None = None) -> Comparison:
    """Return what the arms of a plan come to over ``seeds``, the planned ones if None."""
    seeds = plan.definition.seeds if seeds is None else seeds
    records = find_records(plan, results, seeds)
    return compare(plan, records, seeds, seen_on_copies(plan, results))
