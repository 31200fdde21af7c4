"""GPUs that are not there, as nvidia-smi would list them."""

import os
from pathlib import Path

import pytest

from alexnet.gpus import VISIBLE

A100 = "NVIDIA A100-SXM4-40GB"


def pretend_gpus(
    monkeypatch: pytest.MonkeyPatch, folder: Path, lines: str, slices: str = "", code: int = 0
) -> None:
    """Put an nvidia-smi that prints this before any other, and no variable that hides GPUs."""
    script = folder / "nvidia-smi"
    script.write_text(
        f"#!/bin/sh\ncase \"$1\" in\n-L) cat <<'END'\n{slices}\nEND\n;;\n"
        f"*) cat <<'END'\n{lines}\nEND\n;;\nesac\nexit {code}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def line(name: str, model: str = A100, free: int = 39_000, mig: str = "Disabled") -> str:
    """Return a line of nvidia-smi about a GPU of 40,536 MiB."""
    return f"{name}, {model}, 40536, {free}, {mig}"
