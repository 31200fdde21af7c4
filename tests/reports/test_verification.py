"""Whether a run that is trained again has come to the same, and what is kept of it."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from scipy import stats

from ablations.merged import MergedResults
from ablations.record import Record
from ablations.store import Store
from alexnet.config import Config, Custom, source
from alexnet.presets import tiny
from reports.commands.verify import _name as run_name
from reports.findings.headline import facts
from reports.findings.sections import sections
from reports.findings.verification import (
    FILE,
    Verified,
    keep,
    numbers,
    read_verified,
    summary,
    verify,
    where_and_when,
)
from reports.page.report import gather
from tests.builders import runs
from tests.builders.command_line import call
from tests.builders.own_parts import looked_for_in
from tests.builders.plans import filled, resealed
from tests.builders.records import FINGERPRINT, PROVENANCE, measures_of, record_of, run_of

ELSEWHERE = FINGERPRINT.but(processor="slide rule")


def trained(config: Config, seed: int, test: float, **changes: object) -> Record:
    """Return a record whose network errs by so much on test images, and a little less before."""
    measures = measures_of(test - 0.1, test - 0.01, test)
    record = record_of(run_of(config, seed), [0.5, round(test - 0.05, 6)], measures=measures)
    return record.model_copy(update=changes)


def store_of(results: Path, *records: Record) -> Store:
    """Return a store with these records."""
    store = Store(results)
    for record in records:
        store.add(record)
    return store


def test_equal_records_are_equal_whatever_their_clocks(results: Path, config: Config) -> None:
    """To the bit, on the same machine and on another."""
    recorded = trained(config, 0, 0.2)
    slow = tuple(epoch.but(seconds=99.0) for epoch in recorded.curve)

    here = verify(recorded, trained(config, 0, 0.2, curve=slow), Store(results))
    there = verify(recorded, trained(config, 0, 0.2, fingerprint=ELSEWHERE), Store(results))

    assert (here.outcome, here.differences, here.settings) == ("equal", (), ())
    assert (there.outcome, there.settings) == ("equal", ("processor slide rule for abacus",))


def test_runs_of_others_code_are_trained_again_for_who_trusts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out without a word; with it found in the current folder, as long as it is that code."""
    path, run = tmp_path / "theirs.py", runs.run_of(tiny())
    path.write_text("def theirs(x):\n    return x * x.sigmoid()\n")
    with looked_for_in(tmp_path):
        own = Custom(target="theirs:theirs")
        config = run.config.but(network={"parts": {"act": own}}, inputs={"colour": None})
        runs.outcome(run.but(config=config), tmp_path / "results", None)
    arguments = ("verify", "--results", tmp_path / "results", "--workers", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(source, "_FIRST", [])

    code, said = call(*arguments)
    assert code == 2
    assert "no run here can be trained again: they name theirs:theirs, code that whoever" in said
    assert "--trust runs it" in said
    code, said = call(*arguments, "--trust")
    assert code == 0, said
    assert "1 of 1 run came to the same when trained again: 1 to the bit" in said
    path.write_text("# edited\n" + path.read_text())
    code, said = call(*arguments, "--trust")
    assert code == 2
    assert "theirs.py has changed: its digest is" in said


def test_one_image_more_on_the_same_machine_is_different(results: Path, config: Config) -> None:
    """And the place is named, with both numbers."""
    recorded = trained(config, 0, 0.2)
    errors = (*recorded.curve[1].errors[:-1], recorded.curve[1].errors[-1] + 1)
    curve = (recorded.curve[0], recorded.curve[1].but(errors=errors))

    found = verify(recorded, trained(config, 0, 0.2, curve=curve), Store(results))

    assert found.outcome == "different"
    assert found.differences == (
        f"epoch 2: errors {errors[-1]} for {errors[-1] - 1}, the 10. of 10",
    )


SEEDS = (0.2, 0.22, 0.24, 0.21, 0.23)
"""Test errors of five other seeds, whose deviation is the root of 0.00025."""


def seeds_of(config: Config) -> list[Record]:
    """Return the records of five seeds after the first."""
    return [trained(config, seed, error) for seed, error in enumerate(SEEDS, 1)]


@pytest.mark.parametrize(
    ("test", "sampled", "outcome"),
    [
        (0.34, 1, "consistent"),
        (0.37, 1, "different"),
        (0.4, 6, "consistent"),
        (0.46, 6, "different"),
    ],
)
def test_elsewhere_two_runs_differ_as_two_seeds_do(
    results: Path, config: Config, test: float, sampled: int, outcome: str
) -> None:
    """Limits of a difference at 1 %, shared out among three numbers of every run, by SciPy."""
    recorded = trained(config, 0, 0.21)
    store = store_of(results, recorded, *seeds_of(config))

    found = verify(recorded, trained(config, 0, test, fingerprint=ELSEWHERE), store, sampled)

    assert found.outcome == outcome
    assert found.seeds == 5
    row = next(row for row in found.compared if row.name == "test error")
    assert (row.recorded, row.again) == (0.21, test)
    limit = stats.t(4).ppf(1 - 0.01 / 3 / sampled / 2) * (0.00025 * 2) ** 0.5
    assert row.lower == pytest.approx(0.21 - limit - 1 / 100)  # and one of its hundred images
    assert row.upper == pytest.approx(0.21 + limit + 1 / 100)


def test_an_unusual_seed_may_be_unusual_again(results: Path, config: Config) -> None:
    """It is held against what was recorded, and not against the others' mean."""
    recorded = trained(config, 0, 0.6)
    store = store_of(results, recorded, *seeds_of(config))

    again = verify(recorded, trained(config, 0, 0.61, fingerprint=ELSEWHERE), store)
    usual = verify(recorded, trained(config, 0, 0.22, fingerprint=ELSEWHERE), store)

    assert (again.outcome, usual.outcome) == ("consistent", "different")


def test_four_other_seeds_judge_nothing(results: Path, config: Config) -> None:
    """Their spread says too little."""
    recorded = trained(config, 0, 0.21)
    store = store_of(results, recorded, *seeds_of(config)[:4])

    found = verify(recorded, trained(config, 0, 0.9, fingerprint=ELSEWHERE), store)

    assert found.outcome == "not judged"
    assert not found.holds


def test_limits_are_drawn_from_the_same_question_alone(results: Path, config: Config) -> None:
    """Not from another rate, from tuning seeds, or from runs that ended otherwise."""
    slower = config.but(training={"optimizer": {"rate": 0.0001}})
    recorded = trained(config, 0, 0.21)
    diverged = record_of(run_of(config, 2), [0.9], status="diverged")
    strangers = trained(slower, 1, 0.2), trained(config, 1000, 0.2), diverged
    store = store_of(results, recorded, trained(config, 1, 0.2), *strangers)

    assert verify(recorded, trained(config, 0, 0.5), store).seeds == 1


def test_rounding_alone_is_consistent_elsewhere_and_different_here(
    results: Path, config: Config
) -> None:
    """Other code of one edition may sum in another order; the same may not."""
    recorded = trained(config, 0, 0.2)
    assert recorded.measures is not None
    assert recorded.measures.test is not None
    rounded = recorded.measures.but(test={"loss": 1.0 + 1e-9})
    again = trained(config, 0, 0.2, measures=rounded)
    other = PROVENANCE.but(commit="def")

    here = verify(recorded, again, Store(results))
    there = verify(recorded, again.model_copy(update={"provenance": other}), Store(results))

    assert here.outcome == "different"
    assert (there.outcome, there.settings) == ("consistent", ("code of def for abc",))
    assert there.rounding == pytest.approx(1e-9, rel=1e-6)
    assert there.differences == ("measured afterwards: test loss 1.000000001 for 1.0",)


def test_code_with_changes_may_be_any_code(results: Path, config: Config) -> None:
    """So that nothing is called the same code that only has the same commit."""
    dirty = PROVENANCE.but(clean=False)
    recorded = trained(config, 0, 0.2, provenance=dirty)

    found = verify(recorded, trained(config, 0, 0.2, provenance=dirty), Store(results))

    assert found.settings == ("code that may be other, which is no commit's",)


def test_a_file_with_other_content_is_named(results: Path, config: Config) -> None:
    """Such as weights, whose digest stays in a record that ships without them."""
    recorded = trained(config, 0, 0.2, files={"weights.safetensors": "a", "gone": "b"})
    again = trained(config, 0, 0.2, files={"weights.safetensors": "c"})

    found = verify(recorded, again, Store(results))

    assert found.differences == ("weights.safetensors has other content",)
    assert found.outcome == "different"


def test_what_was_not_measured_then_is_not_compared(results: Path, config: Config) -> None:
    """A record of before ten views were measured is not contradicted by one with them."""
    recorded = trained(config, 0, 0.2)
    assert recorded.measures is not None
    old = recorded.model_copy(
        update={"measures": recorded.measures.but(valid_ten=None, test_ten=None)}
    )

    assert verify(old, recorded, Store(results)).outcome == "equal"
    assert verify(recorded, old, Store(results)).outcome == "different"


def diverged(config: Config, seed: int, *errors: float) -> Record:
    """Return a record of elsewhere whose training diverged after these epochs."""
    record = record_of(run_of(config, seed), list(errors), status="diverged")
    return record.model_copy(update={"fingerprint": ELSEWHERE})


def test_a_run_that_alone_diverges_is_different(results: Path, config: Config) -> None:
    """On another machine too, if no other seed does: no spread of finished runs speaks of it."""
    recorded = trained(config, 0, 0.2)
    store = store_of(results, recorded, *seeds_of(config))

    found = verify(recorded, diverged(config, 0, 0.5), store)

    assert found.outcome == "different"
    assert found.differences[0] == "it diverged, and had finished"
    assert found.compared == ()

    other_way = verify(diverged(config, 0, 0.5), recorded, store)
    assert other_way.outcome == "different"

    store.add(diverged(config, 6, 0.5))  # now one of six does
    assert verify(recorded, diverged(config, 0, 0.5), store).outcome == "not judged"


def test_few_seeds_do_not_say_how_a_run_ends(results: Path, config: Config) -> None:
    """Whether one of four more would have diverged is not known."""
    recorded = trained(config, 0, 0.2)
    store = store_of(results, recorded, *seeds_of(config)[:4])

    assert verify(recorded, diverged(config, 0, 0.5), store).outcome == "not judged"


def test_a_run_that_diverges_again_is_consistent(results: Path, config: Config) -> None:
    """Elsewhere after other epochs; on the same machine after the same ones alone."""
    recorded = diverged(config, 0, 0.9, 0.8)
    again = diverged(config, 0, 0.9)
    other = recorded.model_copy(update={"fingerprint": FINGERPRINT})
    store = store_of(results, *seeds_of(config))

    assert verify(other, again, store).outcome == "consistent"
    assert verify(recorded, again, store).outcome == "different"


def test_a_run_that_never_reaches_its_threshold_ended_otherwise(
    results: Path, config: Config
) -> None:
    """Where all other seeds do, and this one had; how long they took says nothing of it."""
    until = config.but(training={"until": {"training_error": 0.25}})

    def run_to(seed: int, *errors: float) -> Record:
        measures = measures_of(0.1, 0.1, 0.1)
        return record_of(run_of(until, seed), list(errors), measures=measures)

    recorded = run_to(0, 0.5, 0.1)
    again = run_to(0, 0.5, 0.4).model_copy(update={"fingerprint": ELSEWHERE})
    store = store_of(results, *(run_to(seed, 0.5, 0.1) for seed in range(1, 6)))

    assert verify(recorded, again, store).outcome == "different"
    assert verify(recorded, again, Store(results / "empty")).outcome == "not judged"


def test_a_run_to_a_threshold_is_held_by_its_time(config: Config) -> None:
    """Its error there is the threshold's, whatever came before; here it passes 25 % at 1.25."""
    until = config.but(training={"until": {"training_error": 0.25}})

    found = numbers(record_of(run_of(until), [0.5, 0.1], measures=measures_of(0.1, 0.1, 0.1)))

    # The window's error falls from 50 % at 0.5 to 10 % at 1.5 by 4 points a tenth.
    assert found["epochs to the threshold"].value == pytest.approx(0.5 + 25 / 40)
    assert "training error" not in found


def kept(results: Path, config: Config, *errors: float) -> list[Verified]:
    """Return what is kept in a folder of runs of which one was trained again, once an error."""
    recorded = trained(config, 0, 0.21)
    store = store_of(results, recorded)
    for error in errors:
        keep(results, verify(recorded, trained(config, 0, error), store))
    return read_verified(Store(results))[0]


def test_what_was_verified_is_kept_and_told(results: Path, config: Config) -> None:
    """The latest of a machine, with what is wrong as a problem."""
    (found,) = kept(results, config, 0.21, 0.3)

    assert found.outcome == "different"
    assert summary([found]) == "0 of 1 run came to the same when trained again: 1 different"
    assert where_and_when([found]) == "on abacus, PyTorch 2.9.9, 2026-01-02"
    (problem,) = read_verified(Store(results))[1]
    assert problem.startswith(f"run {found.run[:12]} came to something else when it was trained")
    assert len(json.loads((results / FILE).read_text())["verified"]) == 1


def test_the_latest_of_each_machine_counts(results: Path, config: Config) -> None:
    """Whichever folder is named first; what differs on one machine is not hidden by another."""
    recorded = trained(config, 0, 0.21)
    later = PROVENANCE.but(at="2026-05-05T00:00:00Z")
    folders = results / "a", results / "b"
    for folder in folders:
        store_of(folder, recorded)
    differs = trained(config, 0, 0.3, provenance=later)
    keep(folders[0], verify(recorded, differs, Store(folders[0])))
    keep(folders[1], verify(recorded, recorded, Store(folders[1])))

    for order in (folders, folders[::-1]):
        found, problems = read_verified(MergedResults(order))
        assert [one.outcome for one in found] == ["different"]
        assert len(problems) == 1

    last = PROVENANCE.but(at="2026-06-06T00:00:00Z")
    elsewhere = trained(config, 0, 0.21, provenance=last, fingerprint=ELSEWHERE)
    keep(folders[0], verify(recorded, elsewhere, Store(folders[0])))
    found, problems = read_verified(Store(folders[0]))
    assert ([one.outcome for one in found], len(problems)) == (["equal"], 1)


def test_nothing_is_said_of_a_record_that_was_replaced(results: Path, config: Config) -> None:
    """What was verified is the record, not the run's name."""
    assert len(kept(results, config, 0.21)) == 1
    later = PROVENANCE.but(at="2026-01-03T00:00:00Z")
    Store(results).add(trained(config, 0, 0.21, provenance=later))

    assert read_verified(Store(results))[0] == []


def test_an_edited_file_is_named_and_set_aside(results: Path, config: Config) -> None:
    """It says nothing; the next to verify begins anew."""
    kept(results, config, 0.3)
    path = results / FILE
    path.write_text(path.read_text().replace('"different"', '"equal"'))

    found, problems = read_verified(Store(results))
    assert found == []
    assert problems == [f"{path} was edited after it was written; it is kept and treated as absent"]

    assert [one.outcome for one in kept(results, config, 0.21)] == ["equal"]
    assert (results / "verified-set-aside-1.json").exists()


def test_the_front_page_says_what_was_verified(results: Path) -> None:
    """Among its facts, which are no part of the report's digest; what differs is a problem."""
    plan, _ = filled(results, 3, [0.9, 0.6, 0.2], [0.5, 0.2])
    recorded = [Store(results).find(plan.run("tanh", seed)) for seed in range(2)]
    before = gather(Store(results)).document
    for record in recorded:
        assert record is not None
        again = record if record is recorded[0] else record.model_copy(update={"curve": ()})
        keep(results, verify(record, again, Store(results)))

    store = Store(results)
    report = gather(store)

    said = {fact.name: fact.text for fact in report.facts}
    assert said["verified"] == (
        "1 of 2 runs came to the same when trained again: 1 to the bit, 1 different; "
        "on abacus, PyTorch 2.9.9, 2026-01-02"
    )
    assert "0 epochs, for 3" in report.problems[-1]
    assert report.document["digest"] == before["digest"]
    assert "verified" not in {fact.name for fact in facts(sections(store))}


@pytest.fixture(scope="module")
def smoked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder after one smoke ablation."""
    results = tmp_path_factory.mktemp("verify") / "results"
    assert call("ablate", "--study", "relu_vs_tanh", "--smoke", "--results", results)[0] == 0
    return results


def test_runs_are_trained_again_to_the_same_bits(smoked: Path) -> None:
    """Two networks by default; the store has nothing new but what was verified."""
    before = sorted(path for path in smoked.rglob("*"))

    code, output = call("verify", "--results", smoked, "--workers", "2")

    assert code == 0
    assert output.count("to the bit") == 3
    assert "verified 2 of 2 runs came to the same when trained again: 2 to the bit" in output
    new = {path.name for path in smoked.rglob("*") if path not in before}
    assert new <= {FILE, f".{FILE}.lock"}


def test_a_forged_record_is_found_out(smoked: Path, tmp_path: Path) -> None:
    """Whoever writes it, digest and all: it does not come to that when it is trained.

    Five other seeds finished, so that it is found out on another machine, too.
    """
    store = Store(shutil.copytree(smoked, tmp_path / "forged"))
    record = next(record for record in store.records() if record.run.sees_test)
    for seed in range(500, 505):
        store.add(record.model_copy(update={"run": record.run.but(seed=seed)}))
    path = store.folder(record.run) / "record.json"
    forged = json.loads(path.read_bytes()) | {"status": "diverged", "measures": None}
    path.write_bytes(resealed(forged))

    code, output = call("verify", "--results", store.path, "--run", record.run.short)

    assert code == 3
    assert re.search(rf"DIFFERENT {record.run.short} \S*relu_vs_tanh\S*, \w+, seed 0: ", output)
    assert "it finished, and had diverged" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--run", "zzzz"], "no run that can be trained here has an id that begins with 'zzzz'"),
        (["--run", "a"], "'a' does not name one run; give more digits of its id"),
        (["--run", "abcd", "--sample", "2"], "--run names runs and --sample draws them"),
        (["--device", "gpu"], "'gpu' is not a device"),
    ],
)
def test_what_cannot_be_verified_is_refused(smoked: Path, options: list[str], message: str) -> None:
    """In a sentence, with exit code 2."""
    code, output = call("verify", "--results", smoked, *options)

    assert (code, message in output) == (2, True)


def test_runs_whose_images_are_not_here_are_left_out(results: Path, config: Config) -> None:
    """Counted, with the reason; where that is all, nothing can be trained."""
    store_of(results, trained(config, 0, 0.2), trained(config, 1, 0.2))

    code, output = call("verify", "--results", results)

    assert code == 2
    assert "no run here can be trained again: there is no dataset 'made_up'" in output


def test_a_run_is_called_by_a_plan_of_its_own_images(results: Path) -> None:
    """Arms of one config stand in plans of other images, too."""
    plan, _ = filled(results, 1, [0.9], [0.5])
    run = plan.run("relu", 0)
    others = plan.definition.but(dataset={"name": "others", "digest": "f" * 64})
    elsewhere = plan.model_copy(update={"definition": others})

    assert run_name(run, [elsewhere, plan]) == "relu_vs_tanh@fashion_mini, ReLU, seed 0"
    assert run_name(run, [elsewhere]) == "of no plan here"


def test_a_dry_run_of_the_evidence_trains_nothing(tmp_path: Path, monkeypatch) -> None:
    """Where there are no results, what ships is verified: the cheapest whose images are here."""
    monkeypatch.chdir(tmp_path)

    code, output = call("verify", "--dry-run", "--data-dir", tmp_path)

    assert code == 0
    assert "relu_vs_tanh@fashion_mini, ReLU, seed" in output
    assert "nothing was written and nothing trained" in output
