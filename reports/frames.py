"""For Python: all runs of a results folder, or of several, as tidy tables of pandas."""

import os
import warnings
from collections.abc import Sequence

import pandas as pd

from ablations.merged import MergedResults
from ablations.results import Results
from ablations.store import StoreError
from alexnet.paths import expanded
from reports.findings.frames import StudyRun, curves_table, every_run, runs_table

Folder = str | os.PathLike[str]


def runs_frame(results: Folder | Sequence[Folder] | Results = "results") -> pd.DataFrame:
    """Return a row for each finished run of each study, with real types and unrounded numbers.

    Rows are in the order of study and dataset, then of arms as the plan names them, then of seeds;
    the same folder gives the same table. **A run that several studies or arms share has a row for
    each**, by the same ``run_id``: drop duplicates of that before anything is counted over studies.
    Runs that are not finished have no row, nor do failed ones, damaged records (a warning names
    each), and runs of no plan.

    ======================  ======================================================================
    ``study``, ``dataset``  as they are typed
    ``smoke``               True where the numbers mean nothing
    ``arm``, ``label``      as it is typed, and as people read it
    ``phase``               ``comparison``, or ``tuning`` for the runs that choose a rate
    ``planned``             False for seeds that were added after the plan was registered
    ``seed``                by which arms are paired; ``own_seed`` where an arm has seeds of its own
    ``rate``                learning rate of the weights
    ``run_id``              twelve digits, as its folder is called
    ``status``              ``finished`` or ``diverged``
    ``epochs``              trained; ``epochs_given``: the most it was given
    ``metric``, ``unit``    what the study compares or, while tuning, chooses rates by; ``epochs``,
                            ``fraction`` or ``nats``
    ``value``               of that metric; ``is_bound`` where the run never got there, or diverged,
                            and it stands for something worse
    ``train_error`` ...     after the last epoch on ``train``, ``valid`` and ``test``, and with
                            ``_ten`` over ten views: ``error`` and ``top5_error``, fractions, and
                            ``loss``, nats; missing where not measured, as ``test`` in tuning
    ``neighbours_...``      share of nearest images of the same class, section 6.1
    ``setting``             how near to the paper's own comparison
    ``precision`` ...       how and where it was trained, seconds, and when it was finished
    ======================  ======================================================================

    >>> runs = runs_frame("results")  # doctest: +SKIP
    >>> runs[runs.phase == "comparison"].pivot(index="seed", columns="arm", values="test_error")
    ... # doctest: +SKIP

    Args:
        results: A results folder, several, which are read as one, or an opened one. The evidence
            that ships is `reports.evidence.EVIDENCE`.

    Raises:
        StoreError: If no study has been run there.
        PlanError: If several folders ask different questions by one name.
    """
    return runs_table(_runs(results))


def curves_frame(
    results: Folder | Sequence[Folder] | Results = "results", *, tenths: bool = False
) -> pd.DataFrame:
    """Return the learning curves of the same runs: a row for each run, epoch and metric.

    The first columns, up to ``status``, are those of `runs_frame`, and a run that several studies
    or arms share is there for each, too. Then ``epoch``, ``metric`` and ``value``:

    ==================  ==========================================================================
    ``training_error``  counted on the batches as they are trained, over the whole epoch, a fraction
    ``training_loss``   the same of the cross-entropy, nats
    ``valid_error``     on held-out images after the epoch, a fraction, where a run measures it
    ==================  ==========================================================================

    A run that diverged has the epochs before that.

    Args:
        results: As for `runs_frame`.
        tenths: Instead, ``training_error`` alone over a sliding window of one epoch, at every tenth
            of an epoch and placed at the middle of its window: the curve that Figure 1 shows, and
            from which times to a threshold are read.

    Raises:
        StoreError: If no study has been run there.
        PlanError: If several folders ask different questions by one name.
    """
    return curves_table(_runs(results), tenths)


def _runs(results: Folder | Sequence[Folder] | Results) -> list[StudyRun]:
    store = _opened(results)
    runs = every_run(store)
    for problem in store.problems:
        warnings.warn(problem, stacklevel=3)
    return runs


def _opened(results: Folder | Sequence[Folder] | Results) -> Results:
    if isinstance(results, Results):
        folders = results.folders
    else:
        several = [results] if isinstance(results, str | os.PathLike) else list(results)
        folders = [expanded(one) for one in several]
    if not folders:
        raise StoreError("no results folder was named; name one or several")
    empty = [str(path) for path in folders if not any(path.glob("plans/*.json"))]
    if empty:
        raise StoreError(
            f"no study has been run in {' and '.join(empty)}; run_study('relu_vs_tanh') runs one, "
            "and reports.evidence.EVIDENCE is what ships"
        )
    if isinstance(results, Results):
        return results
    return Results(folders[0]) if len(folders) == 1 else MergedResults(folders)
