"""Errors of averaged networks, worked by hand, from scores as runs leave them on disk."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from rich.console import Console
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from ablations.ensembles import ensemble_error, with_ensembles, without_scores
from ablations.plan import Plan, SecondLook
from ablations.store import Store
from ablations.study import Base, Contrast, EnsembleError, FinalError, Study
from alexnet.presets import tiny
from reports.commands.ablate.folder import averaged, train_again
from reports.findings.records import comparison_of
from tests.builders.plans import planned
from tests.builders.records import PROVENANCE, leaving, measures_of, record_of

GROUP = 2
"""Seeds set aside for each value; of two, so that answers can be worked by hand."""
PAIR = Contrast(
    arm="with", against="with", direction="lower", margin=0.01, margin_reason="too small",
    metric=EnsembleError(networks=2, group=GROUP),
    against_metric=EnsembleError(networks=1, group=GROUP), judged=False,
)  # fmt: skip
LABELS = np.array([0, 1, 0, 1])
RIGHT = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]], dtype=np.float32)
"""Scores of a network that errs nowhere; its rows negated err everywhere they are."""

Scores = NDArray[np.float32]


def erring(*images: int, by: float = 1.0) -> Scores:
    """Return the scores of a network that errs on these images, so much as it is right elsewhere.

    Right by 2 nats, wrong by 2 ``by``.
    """
    scores = RIGHT.copy()
    for image in images:
        scores[image] = by * (2.0 - RIGHT[image])
    return scores


def plan_of(*contrasts: Contrast, seeds: int = 4) -> Plan:
    """Return a plan of an arm with a norm and one without, with rates chosen."""
    base = Base(config=tiny(), metric=FinalError(), rates=(0.001, 0.003))
    study = Study(
        name="averaged",
        question="Is it lower?",
        arms={"with": {}, "without": {"network": {"parts": {"norm": None}}}},
        contrasts=contrasts or (PAIR,),
        bases={"fashion_mini": base},
        seeds=seeds,
    )
    return planned(study)


def leave(
    plan: Plan,
    results: Path,
    by_seed: Mapping[int, Scores] | Sequence[Scores],
    arm: str = "with",
    labels: NDArray[np.int64] | None = LABELS,
) -> Store:
    """Return a store in which runs of these seeds have left records and scores."""
    store = Store(results)
    pairs = by_seed.items() if isinstance(by_seed, Mapping) else enumerate(by_seed)
    for seed, scores in pairs:
        run = plan.run(arm, seed)
        folder = store.folder(run)
        folder.mkdir(parents=True)
        tensors = {"ten": scores} if labels is None else {"ten": scores, "labels": labels}
        save_file(tensors, folder / "scores.safetensors")
        record = record_of(run, [0.5], measures=measures_of(0.1, 0.2, 0.3))
        store.add(leaving(record, folder / "scores.safetensors"))
    return store


# ---- one value


def test_a_sure_network_outvotes_an_unsure_one() -> None:
    """Of class 0 with odds of e^4 and class 1 with odds of e: 0.982 + 0.269 against 0.018 + 0.731.

    Alone, one of two errs: a half.
    """
    sure, unsure = np.array([[4.0, 0.0]]), np.array([[0.0, 1.0]])

    assert ensemble_error([sure, unsure], np.array([0]), 2) == 0.0
    assert ensemble_error([sure, unsure], np.array([1]), 2) == 1.0
    assert ensemble_error([sure, unsure], np.array([0]), 1) == 0.5


def test_probabilities_are_averaged_not_scores() -> None:
    """Scores 10 and 0 say class 0; twice 0 and 4 say class 1, with 0.982 each.

    The mean score of class 0 is 10 / 3 and of class 1 8 / 3; the mean probability of class 0 is
    (1 + 2 x 0.018) / 3 = 0.345.
    """
    networks = [np.array([[10.0, 0.0]]), *[np.array([[0.0, 4.0]])] * 2]

    assert ensemble_error(networks, np.array([1]), 3) == 0.0
    assert ensemble_error(networks, np.array([0]), 3) == 1.0


def test_networks_that_err_on_other_images_help_each_other() -> None:
    """Each errs on one of four images, by half as much as it is right: together on none."""
    networks = [erring(0, by=0.5), erring(1, by=0.5)]

    assert ensemble_error(networks, LABELS, 1) == 0.25
    assert ensemble_error(networks, LABELS, 2) == 0.0


def test_a_group_is_cut_into_disjoint_ensembles_and_the_rest_left_out() -> None:
    """Five networks make two pairs; the fifth, which errs everywhere, is in none of them.

    Pairs of the first two err on image 0, of the next two on none: (1/4 + 0) / 2. One by one:
    (1 + 1 + 0 + 0 + 4) / 4 / 5.
    """
    networks = [erring(0), erring(0), erring(), erring(), erring(0, 1, 2, 3)]

    assert ensemble_error(networks, LABELS, 2) == pytest.approx(0.125)
    assert ensemble_error(networks, LABELS, 1) == pytest.approx(6 / 20)
    # Four right votes to one, or two to three on image 0: it errs there.
    assert ensemble_error(networks, LABELS, 5) == pytest.approx(0.25)


def test_a_tie_is_an_error() -> None:
    """Of one network, and of two that say the opposite; a label alone at the top is none."""
    level = np.zeros((1, 3))
    one, other = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])

    for label in range(3):
        assert ensemble_error([level], np.array([label]), 1) == 1.0
    for label in range(2):
        assert ensemble_error([one, other], np.array([label]), 2) == 1.0
    behind = np.array([[3.0, 1.0, 1.0]])  # a tie of others costs nothing
    assert ensemble_error([behind], np.array([0]), 1) == 0.0


def test_large_scores_do_not_overflow() -> None:
    """A thousand nats, of either sign, in single precision."""
    large = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], dtype=np.float32)

    assert ensemble_error([large, large], np.array([0, 0]), 2) == 0.5


@settings(deadline=None, max_examples=50)
@given(
    scores=arrays(np.float64, (4, 6, 3), elements=st.floats(-5, 5).map(lambda x: round(x, 2))),
    labels=arrays(np.int64, 6, elements=st.integers(0, 2)),
    networks=st.sampled_from([1, 2, 3, 4]),
)
def test_it_is_the_error_of_scipys_averaged_softmax(
    scores: NDArray[np.float64], labels: NDArray[np.int64], networks: int
) -> None:
    """Where nothing is so near a tie that rounding would decide."""
    groups = [scores[start : start + networks] for start in range(0, 5 - networks, networks)]
    means = [softmax(group, axis=-1).mean(0) for group in groups]
    best = [np.sort(mean, axis=1) for mean in means]
    if min(float((one[:, -1] - one[:, -2]).min()) for one in best) < 1e-9:
        return
    expected = np.mean([(mean.argmax(1) != labels).mean() for mean in means])

    assert ensemble_error(list(scores), labels, networks) == pytest.approx(expected)


def test_the_order_of_networks_does_not_matter_within_an_ensemble() -> None:
    """An average has no first."""
    networks = [erring(0, by=0.7), erring(1, 2, by=0.4), erring(3, by=1.3)]

    assert ensemble_error(networks, LABELS, 3) == ensemble_error(networks[::-1], LABELS, 3)


# ---- from a folder


def test_groups_are_of_seeds_in_their_order(results: Path) -> None:
    """Seeds 0 and 1, 2 and 3: the first pair errs on image 0, the second on none.

    Alone: (1/4 + 1/4) / 2 and (1/4 + 2/4) / 2.
    """
    plan = plan_of()
    scores = [erring(0), erring(0), erring(1, by=0.5), erring(2, 3, by=0.5)]
    store = leave(plan, results, scores)

    found = with_ensembles(plan, store).ensembles

    assert found == {"with": {"2 of 2": (0.25, 0.0), "1 of 2": (0.25, 0.375)}}


def test_an_effect_of_averaging_by_hand(results: Path) -> None:
    """As above: (25 - 25) and (0 - 37.5) points; -18.75 on average, of two groups of two."""
    plan = plan_of()
    scores = [erring(0), erring(0), erring(1, by=0.5), erring(2, 3, by=0.5)]
    store = leave(plan, results, scores)

    effect = comparison_of(with_ensembles(plan, store), store).effects[0]

    assert effect.by_seed == pytest.approx([0.0, -0.375])
    assert effect.estimate == pytest.approx(-0.1875)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.125, 0.3125))
    assert (effect.pairs, effect.planned) == (2, 2)
    assert effect.verdict == "shown"


def test_seeds_that_make_no_whole_group_are_left_over(results: Path) -> None:
    """Five seeds make two pairs; the fifth is in none."""
    plan = plan_of(seeds=5)
    store = leave(plan, results, [erring(0)] * 4 + [erring(0, 1, 2, 3)])

    found = with_ensembles(plan, store)

    assert found.ensembles["with"] == {"2 of 2": (0.25, 0.25), "1 of 2": (0.25, 0.25)}
    assert comparison_of(found, store).effects[0].planned == 2


@pytest.mark.parametrize(
    ("there", "groups"),
    [((0, 1, 2), 1), ((0, 2, 3), 0), ((1, 2, 3), 0), ((0,), 0), ((0, 1), 1), ((), 0)],
)
def test_a_group_counts_when_all_of_it_is_there(
    there: tuple[int, ...], groups: int, results: Path
) -> None:
    """And a group after one that is incomplete waits, so that values keep their places."""
    plan = plan_of()
    store = leave(plan, results, {seed: erring(0) for seed in there})

    found = with_ensembles(plan, store)

    errors = (0.25,) * groups
    assert found.ensembles == ({"with": {"2 of 2": errors, "1 of 2": errors}} if groups else {})
    effect = comparison_of(found, store).effects[0]
    assert (effect.pairs, effect.planned) == (groups, 2)
    assert effect.verdict == ("incomplete" if groups else "not run")


def test_a_run_without_scores_or_labels_is_not_averaged(results: Path) -> None:
    """Scores of old have no labels; a diverged run has left no scores."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 2, labels=None)
    assert with_ensembles(plan, store).ensembles == {}

    for seed in (0, 1):
        (store.folder(plan.run("with", seed)) / "scores.safetensors").unlink()
    assert with_ensembles(plan, store).ensembles == {}


def test_scores_without_a_record_are_not_of_a_finished_run(results: Path) -> None:
    """A run commits its record last."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 2)
    (store.folder(plan.run("with", 1)) / "record.json").unlink()

    assert with_ensembles(plan, Store(results)).ensembles == {}


def test_cut_scores_are_named_and_of_no_run(results: Path) -> None:
    """Half of a file: the group is not averaged, nothing falls over, the file is kept."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 2)
    path = store.folder(plan.run("with", 1)) / "scores.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    shown = Console(file=StringIO())

    assert averaged(shown, plan, store).ensembles == {}
    assert store.problems == [
        f"{path} is not as its run left it; it is kept and treated as absent; delete it to "
        "silence this"
    ]
    assert store.problems[0] in shown.file.getvalue()  # type: ignore[attr-defined]
    assert path.exists()


def test_a_plan_keeps_its_numbers_when_scores_are_gone(results: Path) -> None:
    """As in evidence, where records are kept and scores are not; through a file too."""
    plan = plan_of()
    store = leave(plan, results, [erring(0), erring(0), erring(1, by=0.5), erring(2, by=0.5)])
    found = with_ensembles(plan, store)
    store.write_plan(found)
    for path in results.glob("runs/*/scores.safetensors"):
        path.unlink()

    again = store.read_plan("averaged", "fashion_mini", smoke=False)

    assert again is not None
    assert (
        again.ensembles
        == found.ensembles
        == {"with": {"2 of 2": (0.25, 0.0), "1 of 2": (0.25, 0.25)}}
    )
    assert with_ensembles(again, Store(results)) is again
    assert again.definition.digest == plan.definition.digest
    assert comparison_of(again, Store(results)).effects[0].estimate == pytest.approx(-0.125)


def test_a_plan_takes_new_groups_and_keeps_old_ones(results: Path) -> None:
    """One group before, two now, and one again where only its scores are left."""
    plan = plan_of()
    store = leave(plan, results, {0: erring(0), 1: erring(0)})
    one = with_ensembles(plan, store)
    store = leave(plan, results, {2: erring(), 3: erring()})
    two = with_ensembles(one, store)
    for seed in (2, 3):
        (store.folder(plan.run("with", seed)) / "scores.safetensors").unlink()

    assert one.ensembles["with"]["2 of 2"] == (0.25,)
    assert two.ensembles["with"]["2 of 2"] == (0.25, 0.0)
    assert with_ensembles(two, store).ensembles == two.ensembles


def test_averaging_again_changes_nothing(results: Path) -> None:
    """The same plan is returned, so that nothing is written."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 4)
    found = with_ensembles(plan, store)

    assert with_ensembles(found, store) is found


def test_both_arms_of_a_contrast_are_averaged_each_by_its_metric(results: Path) -> None:
    """Pairs with a norm err nowhere, without it on image 1 or on images 1 and 2."""
    contrast = PAIR.but(against="without", against_metric=None)
    plan = plan_of(contrast)
    leave(plan, results, [erring()] * 4)
    scores = [erring(1), erring(1), erring(1, 2), erring(1, 2)]
    store = leave(plan, results, scores, arm="without")

    found = with_ensembles(plan, store)

    assert found.ensembles == {"with": {"2 of 2": (0.0, 0.0)}, "without": {"2 of 2": (0.25, 0.5)}}
    assert comparison_of(found, store).effects[0].by_seed == pytest.approx([-0.25, -0.5])


def test_a_plan_of_other_metrics_and_rates_not_chosen_average_nothing(results: Path) -> None:
    """There is nothing to look for yet."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 4)
    without_rates = plan.model_copy(update={"choices": {}})
    errors = plan_of(PAIR.but(against="without", metric=FinalError(), against_metric=None))

    assert with_ensembles(without_rates, store) is without_rates
    assert with_ensembles(errors, store) is errors


def test_a_second_look_has_groups_of_its_own(results: Path) -> None:
    """The verdict is of the planned seeds, here of one group; the second look has both."""
    plan = plan_of(seeds=3)
    look = SecondLook(at=PROVENANCE.at, seeds=(3,))
    plan = plan.model_copy(update={"second_looks": (look,)})
    store = leave(plan, results, [erring(0)] * 4)

    found = with_ensembles(plan, store)

    assert found.ensembles["with"]["2 of 2"] == (0.25, 0.25)
    assert comparison_of(found, store).effects[0].pairs == 1
    assert comparison_of(found, store, plan.seeds).effects[0].pairs == 2


def test_what_one_process_averaged_stays_when_another_writes_its_plan(results: Path) -> None:
    """A plan in memory from before has no numbers, and takes none away."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 4)
    store.write_plan(with_ensembles(plan, store))
    store.write_plan(plan)

    again = store.read_plan("averaged", "fashion_mini", smoke=False)

    assert again is not None
    assert again.ensembles == {"with": {"2 of 2": (0.25, 0.25), "1 of 2": (0.25, 0.25)}}


def test_scores_on_disk_are_as_a_worker_writes_them(results: Path) -> None:
    """Single precision and whole numbers, by these names."""
    store = leave(plan_of(), results, [erring(0)])
    (path,) = results.glob("runs/*/scores.safetensors")
    tensors = load_file(path)

    assert tensors["ten"].dtype == np.float32
    assert tensors["labels"].dtype == np.int64
    assert len(store.records()) == 1


def test_two_processes_that_averaged_different_things_keep_both(results: Path) -> None:
    """What is in the file is never replaced: neither by less nor by something else."""
    plan, store = plan_of(), Store(results)
    for ensembles in (
        {"with": {"2 of 2": (0.25, 0.5), "1 of 2": (0.3,)}},
        {"with": {"2 of 2": (0.25,)}},
    ):
        store.write_plan(plan.model_copy(update={"ensembles": ensembles}))

    again = store.read_plan("averaged", "fashion_mini", smoke=False)

    assert again is not None
    assert again.ensembles == {"with": {"2 of 2": (0.25, 0.5), "1 of 2": (0.3,)}}


def test_ensembles_of_other_groups_are_other_numbers(results: Path) -> None:
    """One of two: (1/4 + 0) / 2 and 0. One of four: (1/4 + 0 + 0 + 0) / 4."""
    larger = PAIR.but(
        metric=EnsembleError(networks=4, group=4), against_metric=EnsembleError(networks=1, group=4)
    )
    plan = plan_of(PAIR, larger)
    store = leave(plan, results, [erring(0), erring(), erring(), erring()])

    small, large = comparison_of(with_ensembles(plan, store), store).effects

    assert small.mean_against == pytest.approx(0.0625)
    assert large.mean_against == pytest.approx(0.0625)
    assert (small.pairs, large.pairs) == (2, 1)
    assert large.by_seed == pytest.approx([-0.0625])


@pytest.mark.parametrize("damage", ["gone", "cut", "not ours"])
def test_runs_whose_scores_are_needed_and_gone_are_trained_again(
    results: Path, damage: str
) -> None:
    """Else the plan would be incomplete, with nothing to do, for ever. The old record is kept."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 4)
    run = plan.run("with", 2)
    path = store.folder(run) / "scores.safetensors"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40] if damage == "cut" else b"not safetensors at all")
    shown = Console(file=StringIO(), width=200)

    assert without_scores(plan, store) == [run]
    train_again(shown, plan, store, dry=True)
    assert store.find(run) is not None
    train_again(shown, plan, store, dry=False)

    said = shown.file.getvalue()  # type: ignore[attr-defined]
    assert f"run {run.short} would be trained again: its scores are averaged, and are gone" in said
    assert f"run {run.short} is trained again" in said
    assert store.find(run) is Store(results).find(run) is None
    assert (store.folder(run) / "record-set-aside-1.json").exists()


def test_scores_of_what_is_averaged_already_are_needed_no_more(results: Path) -> None:
    """As in evidence that ships: the numbers are in the plan."""
    plan = plan_of()
    store = leave(plan, results, [erring(0)] * 4)
    found = with_ensembles(plan, store)
    for path in results.glob("runs/*/scores.safetensors"):
        path.unlink()

    assert without_scores(found, Store(results)) == []
    assert len(without_scores(plan, Store(results))) == 4
