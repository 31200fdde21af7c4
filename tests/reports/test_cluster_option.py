"""What `ablate --cluster` refuses, in a sentence, before anything is planned or trained."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tests.builders.command_line import call

STUDY = ("ablate", "--study", "relu_vs_tanh", "--smoke")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--cluster", "slurm"), "'slurm' is no cluster; write ray for the one that this machine"),
        (("--cluster", "ray:"), "'ray:' is no cluster"),
        (("--cluster", "ray", "--device", "cuda:1"), "'cuda:1' names one; use --device cuda"),
        (("--cluster", "ray", "--gpus", "0"), "--gpus names GPUs of this machine"),
        (("--cluster", "ray", "--devices", "2"), "a cluster trains each run on one device"),
        (("--cluster", "ray", "--tower-devices", "cpu,cpu"), "trains each run on one device"),
        (("--cluster", "ray", "--study", "all"), "the smoke of all studies is of one machine"),
    ],
)
def test_what_is_no_cluster_is_refused(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """With what can be asked for."""
    code, said = call(*STUDY, *options, "--results", tmp_path / "results")

    assert code == 2
    assert says in said
    assert not (tmp_path / "results").exists()


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run is lost by that, since none has begun."""
    find = importlib.util.find_spec

    def without_ray(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "ray" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_ray)

    code, said = call(*STUDY, "--cluster", "ray", "--results", tmp_path)

    assert code == 2
    assert "pip install 'alexnet-ablations[cluster]'" in said
