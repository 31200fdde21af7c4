"""Where a step's time goes: every module is in the table, and bad names are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from alexnet.model import as_computed, build
from alexnet.presets import tiny

EXPLAIN = Path(__file__).parents[1] / "benchmarks" / "explain.py"


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    call = [sys.executable, str(EXPLAIN), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_every_part_of_a_step_is_in_the_table() -> None:
    """A row a module, before and after them what else a step does, and products of layers alone."""
    done = explain("tiny", "--rounds", "1", "--precision", "float32")

    assert done.returncode == 0, done.stderr
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if line.startswith("│")
    ]
    rows = {name: numbers for name, *numbers in cells}
    network = build(tiny(), 0)
    modules = [*as_computed(network.features), *network.classifier.named_children()]
    named = [name for name, _ in modules]
    layers = {name for name, module in modules if hasattr(module, "weight")}
    flatten = len(list(network.features.children()))
    assert list(rows) == [
        "a batch of images", *named[:flatten], "flatten", *named[flatten:], "loss",
        "weight update", "a step",
    ]  # fmt: skip
    assert {name for name, numbers in rows.items() if numbers[4]} == {*layers, "a step"}
    whole = rows.pop("a step")
    assert float(whole[2]) == pytest.approx(
        sum(float(numbers[2]) for numbers in rows.values()), abs=0.01 * len(rows)
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("papr", "did you mean paper?"),
        ("relu_vs_tanh@cifar10/sigmoid", "has no arm 'sigmoid'; it has "),
        ("relu_vs_tanh@svhn/relu", "has no dataset 'svhn'; it has "),
    ],
)
def test_what_is_not_there_is_refused(name: str, said: str) -> None:
    """In a sentence, with what there is."""
    done = explain(name)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
