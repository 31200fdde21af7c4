"""This machine and this installation, as far as records tell of them; imports no PyTorch."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from alexnet.config import Frozen, added_field
from alexnet.text import shown

SOURCES = ("alexnet", "ablations", "reports")
"""Of the checkout; a study of one's own may lie beside them. The evidence within is no code."""
PACKAGES = ("torch", "torchvision", "numpy", "pydantic")


CHANGE_BITS = frozenset(
    (
        "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS",
        "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TORCH_MKLDNN_MATMUL_MIN_DIM",
        "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "OPENBLAS_CORETYPE",
        "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG",
        "CUBLASLT_WORKSPACE_SIZE", "TORCH_BLAS_PREFER_CUBLASLT", "TORCH_CUDNN_V8_API_DISABLED",
        "NCCL_ALGO", "NCCL_PROTO",
    )
)  # fmt: skip
"""Variables by which libraries take other instructions, types or ways to compute."""
OURS = "CUBLAS_WORKSPACE_CONFIG=:4096:8"
"""What every worker has on a GPU."""


class Fingerprint(Frozen):
    """What bit-identical results need to have in common."""

    device: str  # cpu, or the name of the accelerator
    processor: str
    capability: str  # the instruction set or compute capability in use
    threads: int
    torch: str
    # settings of the libraries that compute, as a person has set them in the environment:
    variables: tuple[str, ...] = added_field(())
    devices: int = added_field(1)  # that trained a run together, each with so many threads
    tower_devices: int = added_field(1)  # 2: a tower of the network on each

    @property
    def hardware(self) -> str:
        """What computed, by its name: the processor, or the accelerator."""
        return self.processor if self.device == "cpu" else self.device

    def difference(self, other: "Fingerprint") -> str:
        """Return in words what another has that this has not."""
        mine, theirs = dict(self), dict(other)
        if mine["device"] == theirs["device"] and mine["processor"] != theirs["processor"]:
            return other.processor
        words = {"capability": "{}", "threads": "{} threads", "torch": "torch {}"}
        different = [name for name, value in theirs.items() if value != mine[name]]
        if "device" in different:
            return other.hardware
        return ", ".join(
            words.get(name, "other settings in the environment").format(theirs[name])
            for name in different
        )


class Provenance(Frozen):
    """Where a plan or record comes from; no user, path or environment."""

    at: datetime
    versions: dict[str, str]
    commit: str | None  # of this project, if it runs from a checkout
    clean: bool | None  # whether the checkout had no changes
    command: str  # that a person can paste


def provenance(command: str) -> Provenance:
    """Return the provenance of what is being made now."""
    commit, clean = checkout()
    return Provenance(
        at=datetime.now(UTC),  # to the microsecond: a run is older than a plan, or not
        versions=versions(),
        commit=commit,
        clean=clean,
        command=command,
    )


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {
        package: metadata.version(package) for package in PACKAGES
    }


@cache
def checkout() -> tuple[str | None, bool | None]:
    """Return the commit this code was checked out at and whether it is unchanged since."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None, None

    def git(*arguments: str) -> str:
        return subprocess.run(
            ("git", "-C", str(root), *arguments), capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD"), not git(
            "status", "--porcelain", "--", *SOURCES, ":(exclude)reports/evidence"
        )
    except (OSError, subprocess.CalledProcessError):
        return None, None


def variables() -> tuple[str, ...]:
    """Return the settings in the environment that can change bits, as ``NAME=value``, by name."""
    return tuple(
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name in CHANGE_BITS and f"{name}={value}" != OURS
    )


def processor() -> str:
    """Return the name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return shown(line.split(":", 1)[1].strip())
    return shown(platform.processor() or platform.machine())
