"""Several commands on one folder: which of them a command is, and what it says of the others."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablations.drivers import joined
from ablations.queue import DriverShard
from ablations.store import Store
from ablations.workers.protocol import Finished, Progressed
from reports.commands.ablate.folder import opened_for_writing, say_how_it_would_be_shared
from reports.commands.ablate.request import Request
from reports.commands.progress import StudyProgress
from tests.builders.command_line import call
from tests.builders.plans import chosen, plan_of
from tests.builders.records import FINGERPRINT, epochs_of, record_of

SHORT = ("ablate", "--study", "relu_vs_tanh", "--smoke", "--workers", "1")


@pytest.mark.parametrize(
    ("variables", "number", "of"),
    [
        ({}, 1, 1),
        ({"ID": "3", "MIN": "0", "COUNT": "4", "STEP": "1"}, 4, 4),
        ({"ID": "5", "MIN": "1", "COUNT": "4", "STEP": "2"}, 3, 4),
        ({"ID": "17", "MIN": "1", "COUNT": "3"}, 2, 3),  # --array=1,8,17 has no step of its own
    ],
)
def test_a_slurm_array_says_which_shard_a_task_is(
    variables: dict[str, str], number: int, of: int
) -> None:
    """Whatever number its tasks begin with, and whatever step they have."""
    told = {f"SLURM_ARRAY_TASK_{name}": value for name, value in variables.items()}
    assert DriverShard.of_slurm(told) == DriverShard(number, of)


def test_an_array_is_said_and_a_shard_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the variables of SLURM as by hand."""
    for name, value in (("ID", "x"), ("MIN", "1"), ("COUNT", "4")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    code, output = call(*SHORT, "--results", tmp_path)
    assert code == 2
    assert "SLURM_ARRAY_TASK_ID=x" in output
    assert "is of no array; say with --shard 2/4 which this is" in output
    for text in ("5/4", "0/4", "x/y"):
        code, output = call(*SHORT, "--results", tmp_path, "--shard", text)
        assert (code, f"'{text}' is not a shard; write which of how many" in output) == (2, True)


def request_of(**changes: Any) -> Request:
    """Return a request for a study."""
    nothing = dict.fromkeys(("dataset", "seeds", "workers"))
    return Request(
        study="dropout", precision="auto", smoke=False, device="cpu", dry_run=False,
        results=Path("unused"), data_dir=Path("unused"), **nothing, **changes,
    )  # fmt: skip


def opened(store: Store, **changes: Any) -> str:
    """Return what is said when a folder is opened for writing."""
    file = io.StringIO()
    console = Console(file=file, width=300, force_terminal=False)
    with opened_for_writing(console, store, request_of(**changes)):
        return file.getvalue()


def test_who_comes_later_is_told_who_is_there_and_how_runs_are_shared_out(tmp_path: Path) -> None:
    """A line each; alone, and with the locks of the system, nothing."""
    store = Store(tmp_path)
    assert opened(store) == ""
    with joined(tmp_path, "relu_vs_tanh", None):
        said = opened(store, shard=DriverShard(2, 4))
        assert re.search(r"shared +process \d+ on .* \(relu_vs_tanh\) is at work here too\n", said)
        assert re.search(r"shard +2 of 4: where it starts; it trains what is missing\n", said)
    for locks in ("lease", "auto"):
        said = opened(store, locks=locks)
        assert re.search(r"leases +runs are shared out by leases, and one whose owner gives", said)


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    """With the locks that are asked for, else those that were chosen for the folder."""

    def said(folder: Path, **changes: Any) -> str:
        file = io.StringIO()
        console = Console(file=file, width=300, force_terminal=False)
        say_how_it_would_be_shared(console, Store(folder), request_of(**changes))
        return file.getvalue()

    chosen_before, empty = tmp_path / "chosen", tmp_path / "empty"
    opened(Store(chosen_before), locks="lease")
    with joined(chosen_before, "relu_vs_tanh", None):
        before = sorted(chosen_before.rglob("*"))
        told = said(chosen_before, shard=DriverShard(2, 4))
        assert told == opened(Store(chosen_before), shard=DriverShard(2, 4))
        assert sorted(chosen_before.rglob("*")) == before
    assert len(told.splitlines()) == 3
    assert said(empty) == ""
    assert re.search(r"^leases +runs are shared out by leases", said(empty, locks="lease"))
    assert not empty.exists()


def test_a_person_is_told_of_runs_that_start_over_and_of_locks_that_do_not_reach(
    tmp_path: Path,
) -> None:
    """One line each, once a run."""
    plan, store = chosen(plan_of()), Store(tmp_path)
    file = io.StringIO()
    console = Console(file=file, width=300, force_terminal=False)
    run = plan.run("relu", 0)
    with StudyProgress(console, [plan], store, {plan.name: plan.seeds}) as progress:
        for epoch in epochs_of([0.5, 0.4]):
            progress.show(Progressed(run, epoch, "AMD EPYC 9354"))
        store.add(record_of(run, [0.5, 0.4]))
        progress.show(Finished(run, "process 12 on node7 since 03:04"))

    told = file.getvalue()
    assert told.count(f"starts over     run {run.short}: its checkpoint is of AMD EPYC 9354") == 1
    assert told.count(f"run {run.short} was also trained by process 12 on node7 since 03:04") == 1
    assert told.count("give each --locks lease") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"processor": "AMD EPYC 9354", "capability": "AVX512"}, "AMD EPYC 9354"),
        ({"device": "NVIDIA A100"}, "NVIDIA A100"),
        ({"capability": "AVX2"}, "AVX2"),
        ({"threads": 4, "torch": "2.15.0"}, "4 threads, torch 2.15.0"),
        ({"variables": ("MKL_CBWR=AVX2",)}, "other settings in the environment"),
    ],
)
def test_what_a_checkpoint_is_of_is_named_by_what_differs(
    changes: dict[str, object], said: str
) -> None:
    """Nothing more: who reads it looks for another machine."""
    assert FINGERPRINT.difference(FINGERPRINT.but(**changes)) == said
