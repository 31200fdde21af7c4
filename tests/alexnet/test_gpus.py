"""GPUs that are made up, found as those of a machine would be, without PyTorch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alexnet import cuda_driver
from alexnet import gpus as found_by
from alexnet.gpus import MIB, VISIBLE, Gpu, built_for_cuda, selected, visible_gpus
from tests.builders.gpus import A100, line, pretend_gpus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="makes up programs for a shell")

UUIDS = ("GPU-1a00", "GPU-1b00", "GPU-2c00")
HERE = [Gpu(uuid, A100) for uuid in UUIDS]
LISTED = "\n".join(map(line, UUIDS))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("0,1,2", ["0", "1", "2"]),
        ("2", ["2"]),
        (" 1 , 0", ["1", "0"]),
        ("0,-1,1", ["0"]),  # what follows an invalid one is invisible
        ("0,3,1", ["0"]),
        ("0,0", []),  # and everything, if one is named twice
        ("GPU-1b00,GPU-2", ["GPU-1b00", "GPU-2c00"]),  # beginnings do, if they are of one alone
        ("GPU-1,GPU-2", []),
        ("GPU-2,GPU-1,GPU-1a", ["GPU-2c00"]),
        ("GPU-2,1", ["GPU-2c00"]),
        ("1,GPU-2", ["1"]),
        ("MIG-GPU-1a00/1/0,MIG-77", ["MIG-GPU-1a00/1/0", "MIG-77"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("²", []),
    ],
)
def test_what_the_variable_leaves_visible(given: str, names: list[str]) -> None:
    """As CUDA's documentation says; a scheduler sets it."""
    assert [gpu.name for gpu in selected(given, HERE)] == names


NAMES = st.sampled_from(["0", "1", "2", "3", "-1", "x", "", *UUIDS, "GPU-1", "GPU-2", "GPU-"])


@given(names=st.lists(NAMES, max_size=4))
def test_the_variable_is_read_as_pytorch_reads_it(names: list[str]) -> None:
    """Which has a reading of its own, for when it counts GPUs without starting CUDA."""
    text = ",".join(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VISIBLE, text)
        theirs = torch.cuda._parse_visible_devices()
        if theirs and isinstance(theirs[0], str):
            theirs = torch.cuda._transform_uuid_to_ordinals(theirs, list(UUIDS))
    expected = []
    for number in theirs:  # of numbers PyTorch asks only later whether they are there
        if number >= len(UUIDS):
            break
        expected.append(number)

    ours = [gpu.name for gpu in selected(text, HERE)]

    assert [int(name) if name.isdigit() else UUIDS.index(name) for name in ours] == expected


def test_gpus_are_those_that_nvidia_smi_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By UUID, which means the same whatever order CUDA has; one that is lost is not among them."""
    lost = "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost. Reboot."
    no_memory = f"GPU-2c00, {A100}, [N/A], [Unknown Error], [N/A]"
    pretend_gpus(monkeypatch, tmp_path, f"{line('GPU-1a00')}\n{lost}\n{no_memory}", code=15)

    assert visible_gpus() == (
        Gpu("GPU-1a00", A100, 40_536 * MIB, 39_000 * MIB),
        Gpu("GPU-2c00", A100, None, None),
    )


def test_the_variable_chooses_among_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of cards that are not alike, a number says not which one in nvidia-smi's order it is."""
    pretend_gpus(monkeypatch, tmp_path, f"{line('GPU-1a00')}\n{line('GPU-2c00', 'Tesla T4')}")
    monkeypatch.setenv(VISIBLE, "1,0,7")

    unknown = visible_gpus()
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    known = visible_gpus()

    assert unknown == (Gpu("1"), Gpu("0"))
    assert [(gpu.name, gpu.model) for gpu in known] == [("1", "Tesla T4"), ("0", A100)]


def test_slices_take_the_place_of_the_gpu_that_is_cut(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CUDA would show a process the first slice alone."""
    slices = (
        f"GPU 0: {A100} (UUID: GPU-1a00)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4)\n"
        "  MIG 1g.5gb      Device  1: (UUID: MIG-e5f6)\n"
        f"GPU 1: {A100} (UUID: GPU-2c00)"
    )
    pretend_gpus(
        monkeypatch, tmp_path, f"{line('GPU-1a00', mig='Enabled')}\n{line('GPU-2c00')}", slices
    )

    assert [(gpu.name, gpu.model) for gpu in visible_gpus()] == [
        ("MIG-c6d4", "MIG 3g.20gb"), ("MIG-e5f6", "MIG 1g.5gb"), ("GPU-2c00", A100),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "NVIDIA-SMI has failed because it couldn't communicate."])
def test_a_driver_that_does_not_answer_leaves_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    """And nobody waits for one that hangs."""
    pretend_gpus(monkeypatch, tmp_path, text, code=9)

    assert visible_gpus() == ()

    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(found_by, "PATIENCE", 0.2)
    monkeypatch.setattr(cuda_driver, "__file__", os.devnull)
    assert visible_gpus() == ()


DRIVER = """
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
int cuInit(unsigned flags) { return getenv("NO_GPU") ? 100 : 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, device ? "NVIDIA A100-SXM4-40GB MIG 1g.5gb" : "Tesla T4", length); return 0; }
int cuDeviceGetUuid_v2(char *uuid, int device) {
    for (int i = 0; i < 16; i++) uuid[i] = 16 * device + i; return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)16 << 30; return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs cc")
def test_without_nvidia_smi_the_driver_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its own functions, in a process of its own: here a library that has them."""
    library = tmp_path / cuda_driver.LIBRARY
    source = tmp_path / "driver.c"
    source.write_text(DRIVER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(found_by, "ELSEWHERE", ())
    monkeypatch.delenv(VISIBLE, raising=False)

    there = visible_gpus()
    monkeypatch.setenv("NO_GPU", "1")
    gone = visible_gpus()

    assert there == (
        Gpu("GPU-00010203-0405-0607-0809-0a0b0c0d0e0f", "Tesla T4", 2**34),
        Gpu("MIG-10111213-1415-1617-1819-1a1b1c1d1e1f", f"{A100} MIG 1g.5gb", 2**34),
    )
    assert gone == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cuda: Optional[str] = '13.0'", True),
        ("cuda: Optional[str] = None", False),
        ("cuda = '12.4'", True),
        ("hip: Optional[str] = '6.2'", False),
    ],
)
def test_whether_pytorch_was_built_for_cuda_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, expected: bool
) -> None:
    """From a file that every build of it has; the package itself is not loaded."""
    assert built_for_cuda() is (torch.version.cuda is not None)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "torch" / "version.py").write_text(f"debug = False\n{line}\n")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(tmp_path)

    assert built_for_cuda() is expected
