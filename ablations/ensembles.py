"""Errors of averaged networks, from the scores that runs leave beside their records."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import softmax

from ablations.metrics import EnsembleError
from ablations.plan import Plan
from ablations.results import Results
from ablations.run import Run

Scores = NDArray[np.floating]


def with_ensembles(plan: Plan, results: Results) -> Plan:
    """Return a plan with the errors of the averaged networks that its contrasts compare.

    Only groups of which every run has its scores in the store are averaged; what the plan has
    already stays, so that a folder without scores, as evidence is, keeps its numbers.
    """
    found = {arm: dict(errors) for arm, errors in plan.ensembles.items()}
    for arm, metric in _wanted(plan):
        errors = tuple(_errors(plan, results, arm, metric))
        if len(errors) > len(found.get(arm, {}).get(metric.key, ())):
            found.setdefault(arm, {})[metric.key] = errors
    return plan if found == plan.ensembles else plan.model_copy(update={"ensembles": found})


def without_scores(plan: Plan, results: Results) -> list[Run]:
    """Return the finished runs whose scores are needed and gone.

    Those of groups that were averaged before are needed no more.
    """
    found: dict[str, Run] = {}
    for arm, metric in _wanted(plan):
        averaged = len(plan.ensembles.get(arm, {}).get(metric.key, ()))
        for seed in plan.seeds[averaged * metric.group :]:
            run = plan.run(arm, seed)
            record = results.find(run)
            if record and record.status == "finished" and _scores(plan, results, arm, seed) is None:
                found[run.id] = run
    return list(found.values())


def _wanted(plan: Plan) -> Iterator[tuple[str, EnsembleError]]:
    for contrast in plan.definition.contrasts:
        sides = ((contrast.arm, contrast.metric),
                 (contrast.against, contrast.against_metric or contrast.metric))  # fmt: skip
        for arm, metric in sides:
            if isinstance(metric, EnsembleError) and arm in plan.choices:
                yield arm, metric


def _errors(plan: Plan, results: Results, arm: str, metric: EnsembleError) -> Iterator[float]:
    """Yield the mean error of each group's ensembles, until one group is incomplete."""
    seeds = plan.seeds
    for start in range(0, len(seeds) - metric.group + 1, metric.group):
        group = seeds[start : start + metric.group]
        found = [_scores(plan, results, arm, seed) for seed in group]
        complete = [one for one in found if one is not None]
        if len(complete) < metric.group:
            return
        labels = complete[0][1]
        yield ensemble_error([scores for scores, _ in complete], labels, metric.networks)


def _scores(
    plan: Plan, results: Results, arm: str, seed: int
) -> tuple[Scores, NDArray[np.int64]] | None:
    record = results.find(plan.run(arm, seed))
    path = None if record is None else results.find_file(record, "scores.safetensors")
    if path is None:
        return None
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError):
        return None
    if not {"ten", "labels"} <= tensors.keys():
        return None
    return tensors["ten"], tensors["labels"]  # by ten views, as Table 2 has it


def ensemble_error(scores: Sequence[Scores], labels: NDArray[np.int64], networks: int) -> float:
    """Return the top-1 error of averaged probabilities, a fraction.

    Args:
        scores: Of every network of a group on the same images, each (n, classes).
        labels: Shape (n,).
        networks: How many are averaged. The group is cut into as many disjoint ensembles as it
            has, whose errors are averaged too.

    A label that is not the only best class counts as an error, as everywhere here.

    >>> sure, unsure = np.array([[4.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> ensemble_error([sure, unsure], np.array([0]), 1)
    0.5
    >>> ensemble_error([sure, unsure], np.array([0]), 2)
    0.0
    """
    probabilities = [softmax(one.astype(np.float64), axis=1) for one in scores]
    ensembles = [
        np.mean(probabilities[start : start + networks], axis=0)
        for start in range(0, len(scores) - networks + 1, networks)
    ]
    rows = np.arange(len(labels))
    wrong = [float(((one >= one[rows, labels][:, None]).sum(1) > 1).mean()) for one in ensembles]
    return float(np.mean(wrong))
