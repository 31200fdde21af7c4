"""All studies at once: listed, explained, run in step, and every arm for a few updates."""

import io
import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import pytest
from rich.console import Console

from ablations import studies
from ablations.registration import shown_on
from ablations.run import TUNING_SEEDS
from ablations.store import Store
from ablations.studies import GROUPS, STUDIES
from ablations.study import Contrast, FinalError
from alexnet.cost import cost_of
from alexnet.data.manifest import default_data_dir
from alexnet.data.stored import read_manifest
from alexnet.data.synthetic import GENERATED
from alexnet.presets import preset, tiny
from reports.commands import estimate
from reports.commands import studies as studies_list
from reports.commands.ablate import all_studies
from reports.commands.ablate.question import introduce
from reports.commands.console import say
from reports.commands.studies import catalogue
from reports.commands.studies.explanation import explain
from reports.evidence import EVIDENCE
from reports.findings.records import comparison_of
from tests.builders.command_line import call
from tests.builders.made_up_studies import ONE, SEEDS, TWO, printed
from tests.builders.plans import HELPS, filled, of_errors, with_measures
from tests.builders.records import measures_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two small studies that share an arm be all that there are."""
    monkeypatch.setattr(all_studies, "STUDIES", MappingProxyType({"norm": TWO, "pairs": ONE}))


def test_the_list_has_every_study_once_with_what_was_found() -> None:
    """In its group, on a line; the evidence that ships is what was found."""
    code, output = call("studies", "--results", "nowhere")

    assert code == 0
    for name, study in STUDIES.items():
        assert output.count(f" {name} {study.asks} ") == 1, name
    for title in GROUPS:
        assert title.upper() in output
    assert "same way 3.54 times, cifar10_jpeg" in output
    assert "-1.4 points" in output


def test_a_study_of_readings_is_listed_by_how_many_are_complete(results: Path) -> None:
    """A reading counts with all its seeds; the largest ratio is said, of a bound as one."""
    for seeds, said in (
        (2, "0 of 1 reading: at least 16.0 times"),
        (3, "1 of 1 reading: at least 16.0 times"),
    ):
        plan, _ = filled(results, seeds, tanh=[0.6, 0.3, 0.3], relu=[0.4, 0.0])
        shown = plan.model_copy(update={"about": plan.about.but(shows="readings")})
        (results / "plans" / f"{plan.name}.json").write_text(shown.to_json())

        assert said in printed(catalogue, [Store(results)])


def test_a_study_is_listed_by_the_contrast_that_the_papers_number_is_of(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the largest effect: batch normalisation may do more than what the claim is about."""
    of_training = HELPS.but(metric=FinalError(part="train"))
    claimed = Contrast(arm="with", against="without", claim="C13", paper=-0.014)
    plan = of_errors(of_training, claimed, seeds=7)
    without = [measures_of(0.5, 0.2, 0.21 + seed / 1000) for seed in range(7)]
    alike = {"with": [measures_of(0.1, 0.2, 0.2)] * 7, "without": without}
    store = with_measures(plan, results, alike)
    store.write_plan(plan)
    response_norm = STUDIES["response_norm"]
    study = response_norm.model_copy(
        update={"name": "norm", "contrasts": (of_training, claimed), "claim": "C13"}
    )
    monkeypatch.setattr(studies_list, "GROUPS", {"Made up": (study,)})
    monkeypatch.setattr(studies_list, "STUDIES", {"norm": study})

    listed = printed(catalogue, [store])

    assert re.search(r"-1\.4 points +open -1\.30 points, fashion_mini", listed), listed


def test_what_all_studies_plan_is_what_the_list_counts() -> None:
    """On the practice images, which do not show everything."""
    manifest = read_manifest("fashion_mini", default_data_dir())
    shown = list(all_studies.shown(manifest, Console(quiet=True)))

    arms = estimate.shared(STUDIES.values(), "fashion_mini").arms
    assert arms == sum(len(study.arms) for study in shown)


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize(
    ("name", "arm"),
    [
        ("one_removed", "no colour noise"),
        ("code_vs_paper", "colour noise by the root"),
        ("dropout", None),
    ],
)
def test_what_images_cannot_show_is_left_out_and_said(
    name: str, arm: str | None, smoke: bool
) -> None:
    """Grey ones have no colour noise, whether the question is the paper's or ours."""
    manifest = read_manifest("fashion_mini", default_data_dir())
    study = shown_on(STUDIES[name], manifest)

    said = re.sub(" +", " ", printed(introduce, study, manifest, smoke=smoke))

    assert arm not in study.arms
    assert (arm in study.left_out) is (arm is not None)
    if arm is None:
        assert "left out" not in said
    else:
        assert f"left out {arm}, which needs colour images" in said


def test_ten_seeds_are_not_said_to_be_three() -> None:
    """Ensembles have as many everywhere, and are shown."""
    for name in ("fashion_mini", "fashion_mnist"):
        assert STUDIES["ensembles"].seeds_on(name) == 10
        assert "seeds" not in " ".join(STUDIES["ensembles"].bases[name].left_open)
        assert "3 seeds" in " ".join(STUDIES["one_removed"].bases[name].left_open)


@pytest.mark.parametrize(("width", "lines"), [(60, 2), (100, 2), (200, 1)])
def test_a_narrow_terminal_gets_what_is_known_below_the_question(width: int, lines: int) -> None:
    """No line is wider than it is, and no word is broken."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)

    catalogue(console, [Store(EVIDENCE)])

    assert isinstance(console.file, io.StringIO)
    listed = console.file.getvalue()
    row = re.search(r"^  dropout .*\n(.*)$", listed, re.M)
    assert row is not None
    assert row[1].startswith(" " * 20) is (lines == 2)
    table = listed.split("\n\n", 1)[1].split("\n\nOn ")[0]
    assert max(map(len, table.splitlines())) <= width
    assert {"one_removed", "response_norm_cifar", "overlapping_pooling"} <= set(table.split())


def test_a_demonstration_is_listed_as_shown(results: Path) -> None:
    """Three seeds without a verdict are not a null result."""
    two = (HELPS, HELPS.but(metric=FinalError(part="train")))
    plan = of_errors(*two, seeds=7)
    shown = plan.model_copy(update={"definition": plan.definition.but(judged=False)})
    alike = [measures_of(0.1, 0.2, 0.2)] * 7
    store = with_measures(shown, results, {"with": alike, "without": alike})
    store.write_plan(shown)
    study = STUDIES["activations"].model_copy(update={"name": "norm", "contrasts": two})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies_list, "GROUPS", {"Made up": (study,)})
        patch.setattr(studies_list, "STUDIES", {"norm": study})
        listed = printed(catalogue, [store])

    assert " shown, fashion_mini " in listed
    assert "none decided" not in listed


@pytest.mark.parametrize("asked_for", ["with", "without"])
def test_what_another_study_has_answered_is_listed(results: Path, asked_for: str) -> None:
    """By its name, with the sign of the study that has no runs, whichever arm has the idea.

    Of a claim that nobody has asked, nothing is said.
    """
    lacks = {"arm": "without", "against": "with", "direction": "higher"}
    asked = HELPS.but(claim="C20", **({} if asked_for == "with" else lacks))
    plan = of_errors(asked, seeds=8)
    better = [measures_of(0.1, 0.2, 0.200 + seed / 1000) for seed in range(8)]
    worse = [measures_of(0.1, 0.3, 0.300 + seed / 500) for seed in range(8)]
    store = with_measures(plan, results, {"with": better, "without": worse})
    store.write_plan(plan)

    listed = printed(catalogue, [store]).splitlines()
    rows = {line.split()[0]: line for line in listed if line.strip()}

    assert " open -10.35 points, norm " in rows["pca_colour"]
    assert " not run " in rows["augmentation"]
    assert "found           norm, fashion_mini: open: " in printed(explain, "pca_colour", [store])
    assert "found           nothing yet" in printed(explain, "augmentation", [store])


def test_listing_loads_no_pytorch() -> None:
    """It should be there at once."""
    code = (
        "import sys; from pathlib import Path; from rich.console import Console; "
        "from ablations.store import Store; from reports.commands.studies import catalogue; "
        "from reports.commands.studies.explanation import explain; "
        "catalogue(Console(), [Store(Path('nowhere'))]); "
        "explain(Console(), 'dropout', [Store(Path('nowhere'))]); sys.exit('torch' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_explained_on_a_screen(name: str) -> None:
    """What the paper says and leaves open, what we chose, what could depend on, what was found."""
    from click.testing import CliRunner

    from reports.cli import main

    result = CliRunner().invoke(main, ["studies", "--name", name, "--results", "nowhere"])
    output = result.output

    assert result.exit_code == 0, output
    for label in ("the paper says", "it leaves open", "we chose", "could depend on", "arms"):
        assert f"\n{label}" in output, label
    assert len(output.splitlines()) <= 58
    assert max(map(len, output.splitlines())) <= 100
    assert f"invoke ablate --study {name}" in output


def test_what_many_contrasts_came_to_is_a_line_a_verdict() -> None:
    """And what they share is said once: nine of `one_removed`, by the evidence that ships."""
    screen = printed(explain, "one_removed", [Store(EVIDENCE)])

    found = " ".join(screen.split())
    assert "cifar10: same way: no crops or flips +0.75 points; tanh against ReLU" in found
    assert "found cifar10: open: LRN's constant alone; 2/2 pooling; no colour noise;" in found
    assert "cifar10: other way: no dropout -2.27 points" in found
    assert screen.count("no crops or flips: higher expected") == 1
    assert "32: 80sec, raw, released: relu; 80sec, raw, released: tanh; 19pct" in printed(
        explain, "six_times", [Store(EVIDENCE)]
    )


def test_a_long_label_is_apart_from_what_it_labels() -> None:
    """An arm's name is as long as whoever wrote it likes."""
    assert printed(say, "no crops or flips", "seed 0") == "no crops or flips seed 0\n"
    assert printed(say, "tanh", "seed 0") == f"{'tanh':<16}seed 0\n"


def test_a_study_that_is_not_there_is_refused_with_the_nearest() -> None:
    """In a sentence, exit code 2."""
    code, output = call("studies", "--name", "dropot")

    assert (code, "did you mean dropout?" in output) == (2, True)


def test_time_is_work_over_pace() -> None:
    """Two arms, four seeds and two rates of two tuning seeds each: 16 runs of two passes."""
    config = TWO.bases[GENERATED].config
    assert len(TUNING_SEEDS) == 2
    study = TWO.model_copy(update={"bases": {"cifar10": TWO.bases[GENERATED]}})
    work = 16 * 2 * 45_000 * cost_of(config.network).multiply_adds
    pace = estimate.Speed(((config, float(work)),), "here")

    took = estimate.seconds(study, "cifar10", pace)

    cores = max(1, estimate.cores())
    assert took == pytest.approx(estimate.AROUND * estimate.BACKWARD / cores)


def test_the_pace_is_that_of_the_network_with_the_same_layers() -> None:
    """Others only where there is none."""
    one, other = tiny(), preset("cifar_80sec")
    pace = estimate.Speed(((one, 1.0), (other, 2.0)), "here")

    assert pace.of(one.but(training={"epochs": 7})) == 1.0
    assert pace.of(preset("paper")) == 2.0


def test_shared_arms_are_counted_once() -> None:
    """`pairs` trains what `norm` trains anyway."""
    both = [
        study.model_copy(update={"bases": {"cifar10": study.bases[GENERATED]}})
        for study in (TWO, ONE)
    ]

    assert estimate.shared(both, "cifar10") == estimate.Shared(3, 2, {"pairs": "norm"})
    more = both[1].model_copy(update={"seeds": SEEDS + 1})  # one seed of it is trained by no other
    assert estimate.shared((both[0], more), "cifar10") == estimate.Shared(3, 2, {})


@pytest.mark.usefixtures("few")
def test_all_studies_run_in_step_and_share_what_they_can(tmp_path: Path) -> None:
    """Eight tuning runs, then four seeds of two arms; the third arm costs nothing."""
    code, output = call(
        "ablate", "--study", "all", "--dataset", GENERATED, "--results", tmp_path, "--precision",
        "float32", "--workers", "1",
    )  # fmt: skip
    store = Store(tmp_path)
    plans = {plan.definition.study: plan for plan in store.plans()}
    order = sorted(store.records(), key=lambda r: (tmp_path / "runs" / r.run.short / "record.json")
                   .stat().st_mtime_ns)  # fmt: skip
    compared = [record.run.seed for record in order if record.run.sees_test]

    assert code == 0, output
    assert plans.keys() == {"norm", "pairs"}
    assert len(order) == 2 * 2 * 2 + SEEDS * 2
    assert compared == sorted(compared)  # seed by seed
    assert all(
        comparison_of(plan, store).done == comparison_of(plan, store).planned
        for plan in plans.values()
    )
    assert plans["pairs"].ensembles["as it is"].keys() == {"2 of 2", "1 of 2"}
    assert len(plans["pairs"].ensembles["as it is"]["2 of 2"]) == 2
    again = call("ablate", "--study", "all", "--dataset", GENERATED, "--results", tmp_path)
    assert again[0] == 0
    assert len(Store(tmp_path).records()) == len(order)
    # Forgotten, and planned anew: its runs are here all the same.
    (tmp_path / "plans" / f"{plans['pairs'].name}.json").unlink()
    asked = call(
        "ablate", "--study", "all", "--dataset", GENERATED, "--results", tmp_path, "--dry-run",
        "--precision", "float32",
    )  # fmt: skip
    assert f"{3 * SEEDS} runs to compare" in asked[1]
    assert f"{3 * SEEDS} runs are here" in asked[1]


@pytest.mark.usefixtures("few")
def test_a_dry_run_of_all_writes_nothing(tmp_path: Path) -> None:
    """It says how many arms there are, and how many trainings."""
    code, output = call(
        "ablate", "--study", "all", "--dataset", GENERATED, "--dry-run", "--results", tmp_path
    )

    assert code == 0
    assert "3 arms, 2 different trainings" in output
    assert f"weights of {2 * SEEDS} runs" in output
    assert list(tmp_path.iterdir()) == []


def test_no_study_is_called_all() -> None:
    """Or it could not be asked for."""
    assert "all" not in studies.STUDIES
