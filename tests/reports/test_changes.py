"""What became of verdicts and numbers between two reports, and how often noise is called so."""

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from ablations.plan import Plan
from ablations.store import Store
from reports.cli import main
from reports.findings.changes import Change, changes, compared, lines
from reports.page.document import to_json
from reports.page.report import gather
from tests.builders.plans import HELPS, chosen, filled, of_errors, plan_of, with_measures
from tests.builders.records import measures_of, record_of

ROOT = Path(__file__).parents[2]
NORM = "norm@fashion_mini"
CONTRAST, WITH, WITHOUT = (
    "with against without", "with, top-1 test error", "without, top-1 test error",
)  # fmt: skip
SHOWN = HELPS.but(judged=False)
"""With too few seeds for a verdict."""
CLEAR = [0.21, 0.22, 0.23, 0.24, 0.25, 0.26]
"""Errors in per cent that no float spoils, one a seed."""


def reported(
    results: Path, arms: dict[str, Sequence[float]], plan: Plan | None = None
) -> dict[str, Any]:
    """Return the report on a folder in which arms erred so, seed by seed, on the test images."""
    plan = plan or of_errors(HELPS)
    measures = {arm: [measures_of(0.1, 0.2, e) for e in errors] for arm, errors in arms.items()}
    store = with_measures(plan, results, measures)
    store.write_plan(plan)
    return gather(store).document


def told(rows: Sequence[Change]) -> list[tuple[str, str, str, str]]:
    """Return the rows but for the claims that are counted on the built network."""
    return [(r.kind, r.study, r.what, r.text) for r in rows if r.what != "counted"]


def test_an_arm_that_got_worse_moves_its_verdict(tmp_path: Path) -> None:
    """20 % against 21 to 26 % was the same way (p 2/64); then both are alike: no effect.

    The effect and the arm change by 1 to 6 points, all one way: 2 of the 64 patterns of signs
    are as extreme. Holm would call that 3 x 2/64, and nothing changed.
    """
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    after = reported(tmp_path / "b", {"with": CLEAR, "without": CLEAR})

    assert told(changes(before, after)) == [
        ("moved", NORM, CONTRAST, "same way -> no effect"),
        ("beyond", NORM, CONTRAST, "-3.50 -> +0.00 points, beyond noise (p 0.031)"),
        ("beyond", NORM, WITH, "20.00 % -> 23.50 %, beyond noise (p 0.031)"),
        ("same", NORM, WITHOUT, ""),
    ]


def test_what_goes_up_and_down_alike_is_noise(tmp_path: Path) -> None:
    """A tenth of a point more and less by turns: their sum is 0, which no pattern is below."""
    turns = [error + (-1) ** seed / 1000 for seed, error in enumerate(CLEAR)]
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    after = reported(tmp_path / "b", {"with": [0.2] * 6, "without": turns})

    assert told(changes(before, after)) == [
        ("within", NORM, CONTRAST, "-3.50 -> -3.50 points, within noise (p 1)"),
        ("within", NORM, WITHOUT, "23.50 % -> 23.50 %, within noise (p 1)"),
        ("same", NORM, WITH, ""),
    ]


def test_both_arms_may_move_while_their_difference_stays(tmp_path: Path) -> None:
    """All runs err by half a point more, a tenth more and less by turns: 0.6, 0.4, 0.6..."""
    worse = {
        arm: [error + 0.005 + (-1) ** seed / 1000 for seed, error in enumerate(errors)]
        for arm, errors in {"with": [0.2] * 6, "without": CLEAR}.items()
    }
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})

    rows = changes(before, reported(tmp_path / "b", worse))

    assert told(rows) == [
        ("beyond", NORM, WITH, "20.00 % -> 20.50 %, beyond noise (p 0.031)"),
        ("beyond", NORM, WITHOUT, "23.50 % -> 24.00 %, beyond noise (p 0.031)"),
        ("same", NORM, CONTRAST, ""),
    ]
    # The same half point, of seeds that deviate by a tenth of one and by two points.
    assert rows[0].size > rows[1].size


def test_half_a_study_is_not_comparable_yet_but_its_runs_are(tmp_path: Path) -> None:
    """Three of six seeds, of equal records: the verdict waits, and no number has changed."""
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    after = reported(tmp_path / "b", {"with": [0.2] * 3, "without": CLEAR[:3]})
    waits = "same way -> incomplete (6 of 6 -> 3 of 6 seeds), not comparable yet"

    assert told(changes(before, after)) == [
        ("not yet", NORM, CONTRAST, waits),
        ("same", NORM, CONTRAST, ""),
        ("same", NORM, WITH, ""),
        ("same", NORM, WITHOUT, ""),
    ]


def test_what_was_not_run_is_not_comparable_yet(tmp_path: Path) -> None:
    """One arm alone makes no pair; the other arm is compared all the same."""
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    after = reported(tmp_path / "b", {"without": CLEAR})
    waits = "same way -> not run (6 of 6 -> 0 of 6 seeds), not comparable yet"

    assert told(changes(before, after)) == [
        ("not yet", NORM, CONTRAST, waits),
        ("same", NORM, WITHOUT, ""),
    ]


def of(plan: Plan, **fields: object) -> Plan:
    """Return a plan whose definition has other fields."""
    return plan.model_copy(update={"definition": plan.definition.model_copy(update=fields)})


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"edition": 2, "smoke": False, "seeds": (0, 1)}, "edition is 1, then 2"),
        ({"seeds": tuple(range(7))}, "seeds is [0, 1, 2, 3, 4, 5], then [0, 1, 2, 3, 4, 5, 6]"),
        ({"contrasts": (HELPS.but(margin=0.01),)}, "contrasts[0].margin is 0.005, then 0.01"),
        ({"threads": 64}, None),
    ],
)  # fmt: skip
def test_another_question_is_named_and_not_compared(
    fields: dict[str, object], what: str | None, tmp_path: Path
) -> None:
    """By the first field that differs, editions first; threads are the machine's."""
    plan = of_errors(HELPS)
    arms = {"with": [0.2] * 6, "without": CLEAR}
    before = reported(tmp_path / "a", arms, plan)
    after = reported(tmp_path / "b", arms, of(plan, **fields))

    rows = changes(before, after)

    asked = [("other question", NORM, "", f"not the same question: {what}")]
    same = [("same", NORM, name, "") for name in (CONTRAST, WITH, WITHOUT)]
    assert told(rows) == (same if what is None else asked)
    assert compared(rows) == (what is None)


def test_studies_of_one_report_alone_are_listed(tmp_path: Path) -> None:
    """On either side; no number is compared."""
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    filled(tmp_path / "b", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    rows = changes(before, gather(Store(tmp_path / "b")).document)

    assert told(rows) == [
        ("only before", NORM, "", ""),
        ("only after", "relu_vs_tanh@fashion_mini", "", ""),
    ]
    short = "no study in common; no verdicts moved, no numbers changed beyond noise"
    assert lines(rows)[-1] == ("in short", short)


def test_other_rates_are_other_runs_and_compared_by_welch(tmp_path: Path) -> None:
    """Both arms at another rate: SciPy's p-values of three tests, and Holm by hand."""
    plan = of_errors(HELPS)
    faster = {arm: choice.but(rate=0.003) for arm, choice in plan.choices.items()}
    then = {"with": [0.20, 0.21, 0.19, 0.2, 0.2, 0.2], "without": CLEAR}
    now = {"with": [0.26, 0.28, 0.27, 0.26, 0.27, 0.27], "without": [e + 0.001 for e in CLEAR]}
    before = reported(tmp_path / "a", then, plan)
    after = reported(tmp_path / "b", now, plan.model_copy(update={"choices": faster}))

    rows = {row.what: row for row in changes(before, after) if row.p is not None}

    sides = {
        CONTRAST: [np.subtract(one["with"], one["without"]) for one in (then, now)],
        WITH: [then["with"], now["with"]],
        WITHOUT: [then["without"], now["without"]],
    }
    oracle = {what: stats.ttest_ind(*side, equal_var=False).pvalue for what, side in sides.items()}
    assert sorted(oracle, key=lambda what: oracle[what]) == [WITH, CONTRAST, WITHOUT]
    assert rows[WITH].p == pytest.approx(3 * oracle[WITH])
    assert rows[CONTRAST].p == pytest.approx(2 * oracle[CONTRAST])
    assert rows[WITHOUT].p == pytest.approx(oracle[WITHOUT])
    assert {what: row.kind for what, row in rows.items()} == {
        WITH: "beyond", CONTRAST: "beyond", WITHOUT: "within",
    }  # fmt: skip


def test_two_kinds_of_test_share_the_chance_of_a_false_alarm(tmp_path: Path) -> None:
    """One arm at another rate: its own test doubles, as does the other's by flips of six seeds."""
    plan = of_errors(HELPS)
    faster = plan.choices | {"with": plan.choices["with"].but(rate=0.003)}
    spread = [0.20, 0.21, 0.19, 0.2, 0.2, 0.2]
    worse = [error + seed / 1000 for seed, error in enumerate(CLEAR, start=1)]
    before = reported(tmp_path / "a", {"with": spread, "without": CLEAR}, plan)
    after = reported(
        tmp_path / "b",
        {"with": [e + 0.1 for e in spread], "without": worse},
        plan.model_copy(update={"choices": faster}),
    )

    rows = {row.what: row for row in changes(before, after) if row.p is not None}

    assert rows[WITHOUT].p == pytest.approx(2 * 2 / 64)  # shifts of 1, 2, ... 6 tenths of a point
    same = stats.ttest_ind(spread, [e + 0.1 for e in spread], equal_var=False).pvalue
    assert rows[WITH].p == pytest.approx(2 * 2 * same)


def test_two_seeds_that_agree_tell_nothing(tmp_path: Path) -> None:
    """Without any spread there is no noise to be beyond of, however large the difference."""
    plan = of_errors(SHOWN, seeds=2)
    before = reported(tmp_path / "a", {"with": [0.2] * 2, "without": [0.25] * 2}, plan)
    after = reported(tmp_path / "b", {"with": [0.2] * 2, "without": [0.35] * 2}, plan)
    cannot = "too few seeds or too little spread to tell"

    assert told(changes(before, after))[:2] == [
        ("too few", NORM, CONTRAST, f"-5.00 -> -15.00 points, {cannot}"),
        ("too few", NORM, WITHOUT, f"25.00 % -> 35.00 %, {cannot}"),
    ]


def test_three_seeds_can_show_what_is_large(tmp_path: Path) -> None:
    """No pattern of three signs is rarer than 1 in 4, but 25 % against 60 % is no noise."""
    plan = of_errors(SHOWN, seeds=3)
    before = reported(tmp_path / "a", {"with": [0.2] * 3, "without": CLEAR[:3]}, plan)
    after = reported(tmp_path / "b", {"with": [0.2] * 3, "without": [0.59, 0.6, 0.62]}, plan)

    rows = [row for row in changes(before, after) if row.kind == "beyond"]

    assert [row.what for row in rows] == [CONTRAST, WITHOUT]


def test_times_that_were_not_reached_are_compared_by_verdict_alone(tmp_path: Path) -> None:
    """Tanh no longer gets there; ReLU, faster than before by a whole epoch, does.

    Then its horizon of 16 epochs over 1.0: at least 16 times.
    """
    contents = []
    for name, tanh in (("a", [0.6, 0.3, 0.1]), ("b", [0.5] * 16)):
        filled(tmp_path / name, 3, tanh=tanh, relu=[0.4, 0.0])
        contents.append(gather(Store(tmp_path / name)).document)
    bound = "not reached in every run, so compared by verdict alone"

    rows = [row[2:] for row in told(changes(*contents)) if row[0] == "bound"]

    assert rows == [
        ("ReLU against tanh", f"2.00 -> at least 16.0 times; {bound}"),
        ("tanh, epochs to 20 % training error", f"3 of 3 -> 0 of 3 runs; {bound}"),
    ]


def test_times_are_compared_as_ratios(tmp_path: Path) -> None:
    """Seven seeds; ReLU takes 1.0 epochs to 20 %, then 2.0, an epoch at 40 % more: half as fast.

    Tanh takes 2.0 epochs in the three odd seeds and 1.5 in the others, so that speed-ups deviate.
    """
    contents = []
    for name, relu in (("a", [0.4, 0.0]), ("b", [0.4, 0.4, 0.0])):
        plan, store = chosen(plan_of(seeds=7)), Store(tmp_path / name)
        for seed in range(7):
            tanh = [0.6, 0.3, 0.1] if seed % 2 else [0.6, 0.2, 0.1]
            store.add(record_of(plan.run("tanh", seed), tanh))
            store.add(record_of(plan.run("relu", seed), relu))
        store.write_plan(plan)
        contents.append(gather(store).document)

    rows = {row.what: row.text for row in changes(*contents)}

    geometric = math.exp((3 * math.log(2.0) + 4 * math.log(1.5)) / 7)
    shown = f"{geometric:.2f} -> {geometric / 2:.2f} times, beyond noise (p 0.016)"
    assert rows["ReLU against tanh"] == shown


def test_a_count_that_differs_is_a_change_without_noise(tmp_path: Path) -> None:
    """Of the built network: 60 million parameters, as printed, and then not."""
    before = reported(tmp_path / "a", {"with": [0.2] * 6, "without": CLEAR})
    after = copy.deepcopy(before)
    (row,) = [row for row in after["ledger"] if row["claim"]["id"] == "C04"]
    row["own"][0]["verdict"] = "misprint"

    (moved,) = [row for row in changes(before, after) if row.kind == "moved"]

    assert moved.study == "C04"
    assert "as printed, " in moved.text.split(" -> ")[0]
    assert "misprint, " in moved.text.split(" -> ")[1]


def test_the_largest_change_comes_first(tmp_path: Path) -> None:
    """With: by 4 to 9 points; without: by 1 to 6 tenths of one. Their spreads differ by less."""
    before = reported(tmp_path / "a", {"with": CLEAR, "without": [e + 0.1 for e in CLEAR]})
    after = {
        "with": [e - 0.03 - n / 100 for n, e in enumerate(CLEAR, start=1)],
        "without": [e + 0.1 + n / 1000 for n, e in enumerate(CLEAR, start=1)],
    }

    rows = [r for r in changes(before, reported(tmp_path / "b", after)) if r.kind == "beyond"]

    assert [row.what for row in rows][-1] == WITHOUT
    assert rows[0].size > rows[1].size > rows[2].size


# How often


@pytest.mark.parametrize(("seeds", "faster"), [(6, False), (10, False), (3, False), (10, True)])
def test_equal_runs_are_seldom_called_changed(seeds: int, faster: bool, tmp_path: Path) -> None:
    """400 pairs of reports of one truth, each with a contrast and two arms, paired or not.

    Before and after share half of the variance of a seed. The chance that any of the three is
    called beyond noise is at most 5 %: of 400, more than 35 once in a thousand times.
    """
    plan = of_errors(SHOWN, seeds=seeds)
    errors = {"with": np.linspace(0.2, 0.3, seeds), "without": np.linspace(0.3, 0.2, seeds)}
    before = reported(tmp_path / "a", {arm: list(map(float, e)) for arm, e in errors.items()}, plan)
    after = copy.deepcopy(before)
    if faster:  # then runs have other ids
        for run in after["studies"][NORM]["runs"]["with"]:
            run["id"] = "f" * 12
    rng, alarms = np.random.default_rng(seeds), 0
    for _ in range(400):
        shared = rng.normal(size=(2, seeds))
        for content in (before, after):
            values = 0.3 + 0.01 * (shared + rng.normal(size=(2, seeds)))
            fill(content["studies"][NORM], *values)
        alarms += any(row.kind == "beyond" for row in changes(before, after))

    assert alarms <= stats.binom.ppf(0.999, 400, 0.05) == 35


def fill(study: dict[str, Any], with_: Sequence[float], without: Sequence[float]) -> None:
    """Write other errors into a report, and the effect that they make."""
    for arm, values in (("with", with_), ("without", without)):
        for run, value in zip(study["runs"][arm], values, strict=True):
            run["value"] = float(value)
    (effect,) = study["comparison"]["effects"]
    effect["by_seed"] = [float(a - b) for a, b in zip(with_, without, strict=True)]


def test_a_real_change_is_found(tmp_path: Path) -> None:
    """By three standard deviations of a run, with ten seeds: missed in fewer than 5 of 100."""
    plan = of_errors(HELPS, seeds=10)
    arms = {"with": [0.2 + seed / 100 for seed in range(10)], "without": [0.3] * 10}
    before = reported(tmp_path / "a", arms, plan)
    after, rng, found = copy.deepcopy(before), np.random.default_rng(1), 0
    for _ in range(100):
        for content, shift in ((before, 0.0), (after, 0.03)):
            values = 0.3 + 0.01 * rng.normal(size=(2, 10))
            fill(content["studies"][NORM], values[0] + shift, values[1])
        found += any(r.kind == "beyond" and r.what == WITH for r in changes(before, after))

    assert found > 95


# The command


def run(*arguments: str | Path) -> tuple[int, str]:
    """Return exit code and output of the command, as a shell meets them."""
    result = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two results folders, in the second of which the norm no longer helps."""
    reported(tmp_path / "old", {"with": [0.2] * 6, "without": CLEAR})
    reported(tmp_path / "new", {"with": CLEAR, "without": CLEAR})
    return tmp_path / "old", tmp_path / "new"


def test_the_command_prints_short_aligned_lines(folders: tuple[Path, Path]) -> None:
    """Verdict, numbers, and all in short; three claims are counted on the network."""
    code, output = run(*folders)
    shown = output.splitlines()

    assert code == 0
    assert shown[0].startswith(f"before          {folders[0]}, digest ")
    assert shown[0].endswith("; 12 runs with torch 2.9.9 on abacus, beads")
    assert shown[2:] == [
        "verdict moved   norm@fashion_mini  with against without: same way -> no effect",
        "changed         norm@fashion_mini  with against without: -3.50 -> +0.00 points, beyond "
        "noise (p 0.031)",
        "changed         norm@fashion_mini  with, top-1 test error: 20.00 % -> 23.50 %, beyond "
        "noise (p 0.031)",
        "the same        4 numbers",
        "in short        1 verdict moved, 2 numbers changed beyond noise",
    ]


def test_folders_and_files_are_compared_in_any_mix(folders: tuple[Path, Path]) -> None:
    """A results folder, the file of its report, and the folder that the file lies in."""
    old, new = folders
    file = old / "report" / "report.json"
    file.parent.mkdir()
    file.write_text(to_json(gather(Store(old)).document))

    outputs = [run(place, new)[1].splitlines()[2:] for place in (old, file, file.parent)]

    assert outputs[0] == outputs[1] == outputs[2]
    code, output = run("--before", file, "--after", old, "--fail-on-change")
    digest = json.loads(file.read_text())["digest"][:12]
    assert code == 0
    assert f"the same        one report, digest {digest}" in output


def test_a_change_fails_where_it_is_asked_to(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Code 3; and 2 where nothing could be compared, which must not pass for no change."""
    old, new = folders
    filled(tmp_path / "other", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    assert run(old, new, "--fail-on-change")[0] == 3
    assert run(old, tmp_path / "other")[0] == 0
    code, output = run(old, tmp_path / "other", "--fail-on-change")
    assert code == 2
    assert "nothing could be compared" in output


def test_noise_does_not_fail(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A tenth of a point more and less by turns."""
    turns = [error + (-1) ** seed / 1000 for seed, error in enumerate(CLEAR)]
    reported(tmp_path / "later", {"with": [0.2] * 6, "without": turns})

    code, output = run(folders[0], tmp_path / "later", "--fail-on-change")

    assert code == 0
    assert "within noise    2 differences, the largest in norm@fashion_mini" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "two reports are compared"),
        (["old"], "two reports are compared"),
        (["old", "new", "old"], "two reports are compared"),
        (["old", "--after", "new"], "two reports are compared"),
        (["old", "nowhere"], "there is no results folder or report nowhere"),
        (["old", "empty"], "no study has been run in empty"),
        (["old", "note.txt"], "note.txt is not a report; `invoke report` writes report.json"),
        (["--before", "old", "--before", "note.txt", "--after", "new"], "note.txt is a file"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    arguments: list[str],
    message: str,
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 2, with the value and the way out."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("note.txt").write_text("not JSON")

    code, output = run(*arguments)

    assert code == 2
    assert message in " ".join(output.split())


def test_invoke_passes_both_sides_and_the_code_on(folders: tuple[Path, Path]) -> None:
    """Options alone, since invoke would take a bare word for another task."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["invoke", "compare", "--before", folders[0], "--after", folders[1]]
    done = subprocess.run(
        [*command, "--fail-on-change"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert "same way -> no effect" in done.stdout
