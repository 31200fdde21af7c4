"""Several devices for each run: what is refused, how threads are divided, what is said."""

from pathlib import Path

import pytest

from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from reports.analysis.caveats import made_by
from reports.commands.ablate.request import Request
from reports.findings.record_differences import fingerprints_apart
from tests.builders.command_line import call
from tests.builders.records import FINGERPRINT, record_of
from tests.builders.runs import run_of


def asked(results: Path, devices: int) -> Request:
    """Return a request for so many devices."""
    return Request(
        study="relu_vs_tanh", dataset=None, seeds=None, workers=None, device="cpu",
        precision="auto", smoke=False, dry_run=False, results=results,
        data_dir=default_data_dir(), devices=devices,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--devices", "129"],
            "129 devices are more than the 128 images of a batch; use --devices",
        ),
        (
            ["--devices", "2", "--device", "cuda:1"],
            "cuda:1 is one device, and each run was to have",
        ),
        (["--devices", "0"], "0 is not in the range"),
        (
            ["--study", "all", "--smoke", "--devices", "33"],
            "33 devices are more than the 32 images",
        ),
    ],
)
def test_devices_that_cannot_be_are_refused(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, before any process starts."""
    study = [] if "--study" in options else ["--study", "relu_vs_tanh"]
    code, output = call("ablate", *study, *options, "--results", tmp_path / "results")

    assert code == 2
    assert said in " ".join(output.split())
    assert "Traceback" not in output


@pytest.mark.parametrize(("threads", "devices", "each"), [(8, 2, 4), (8, 3, 2), (1, 2, 1)])
def test_devices_divide_the_threads_of_a_run(
    threads: int, devices: int, each: int, tmp_path: Path
) -> None:
    """And have one at least."""
    assert asked(tmp_path, devices).threads_each(threads) == each


def test_who_reads_records_is_told_how_many_devices_made_them() -> None:
    """In the words of what was reused, and of what two records differ in."""
    record = record_of(run_of(tiny()), [0.5])
    several = record.model_copy(update={"fingerprint": FINGERPRINT.but(devices=2)})

    assert "2 devices a run" in made_by([several])[0]
    assert "device" not in made_by([record])[0].replace(FINGERPRINT.device, "")
    assert fingerprints_apart(FINGERPRINT, several.fingerprint) == ["devices 2 for 1"]
