"""The GPUs that this process may use, found without PyTorch, which would take seconds and memory.

Each is named as CUDA_VISIBLE_DEVICES names it, so that a process for which that is set sees this
one alone, as ``cuda``. What PyTorch puts on "the current device" is then right without further
thought.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from alexnet import cuda_driver

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
MIB = 2**20
PATIENCE = 30.0
"""Seconds that the driver may take to answer: of a machine with eight GPUs that sleep, many."""
ELSEWHERE = (
    "/usr/lib/wsl/lib/nvidia-smi",
    r"C:\Windows\System32\nvidia-smi.exe",
    r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
)
"""Where nvidia-smi is where it is in no folder of the path."""


class Gpu(NamedTuple):
    """A GPU, or a slice of one."""

    name: str  # as CUDA_VISIBLE_DEVICES takes it: a number, GPU-... or MIG-...
    model: str = ""  # empty if not known
    total: int | None = None  # bytes; None if not known
    free: int | None = None  # bytes, when it was looked for; None if not known

    @property
    def label(self) -> str:
        """What a person is shown: its model too, if it is known."""
        return f"{self.name} ({self.model})" if self.model else self.name


def visible_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use; a number of `--gpus` is a place in this.

    They are those that CUDA_VISIBLE_DEVICES names, in its order, else all, in that of nvidia-smi.
    Where there is no nvidia-smi, the CUDA driver itself is asked.
    """
    given = os.environ.get(VISIBLE)
    if given is not None and not _names(given):
        return ()
    here = _by_nvidia_smi()
    if here is None:  # the driver has heeded the variable
        return _by_driver()
    return _every(here) if given is None else selected(given, [gpu for gpu, _ in here])


def together(gpus: Sequence[Gpu], devices: int) -> tuple[Gpu, ...]:
    """Return GPUs in groups of so many, which a process sees together; what is left over is not.

    A group is called as CUDA_VISIBLE_DEVICES names its GPUs, and has of each the memory of the
    smallest.

    >>> together([Gpu("0"), Gpu("1"), Gpu("2")], 2)
    (Gpu(name='0,1', model='', total=None, free=None),)
    """
    if devices == 1:
        return tuple(gpus)
    groups = (gpus[at : at + devices] for at in range(0, len(gpus) - devices + 1, devices))
    return tuple(
        Gpu(
            ",".join(gpu.name for gpu in group),
            " and ".join(dict.fromkeys(gpu.model for gpu in group if gpu.model)),
            _least(gpu.total for gpu in group),
            _least(gpu.free for gpu in group),
        )
        for group in groups
    )


def _least(sizes: Iterable[int | None]) -> int | None:
    every = list(sizes)
    known = [size for size in every if size is not None]
    return min(known) if known and len(known) == len(every) else None


def built_for_cuda() -> bool:
    """Return whether the PyTorch that is installed can use a GPU at all, without loading it."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return False
    try:
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


def selected(given: str, here: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Return the GPUs that a value of CUDA_VISIBLE_DEVICES leaves visible, as CUDA reads it.

    What follows an invalid name is invisible, and so is everything if one is named twice. Slices
    (MIG) are taken as they are named: what is known of them is not told with the GPUs.

    Args:
        given: Numbers, or beginnings of UUIDs.
        here: All GPUs, named by their UUIDs.
    """
    alike = len({gpu.model for gpu in here}) <= 1
    in_order = alike or os.environ.get(ORDER) == "PCI_BUS_ID"  # else CUDA's is the fastest first
    names, found = _names(given), list[Gpu]()
    if len({*names}) < len(names):
        return ()
    for name in names:
        if name.startswith("MIG-"):
            found.append(Gpu(name))
        elif name.startswith("GPU-"):
            matching = [gpu for gpu in here if gpu.name.startswith(name)]
            if len(matching) != 1:
                break
            found += matching
        elif int(name) < len(here):
            found.append(here[int(name)]._replace(name=name) if in_order else Gpu(name))
        else:
            break
    return tuple(found) if len({gpu.name for gpu in found}) == len(found) else ()


def _names(given: str) -> list[str]:
    """Return the names in a value up to the first that is none; all of the kind of the first."""
    found: list[str] = []
    for text in given.split(","):
        name = text.strip()
        kind = "number" if re.fullmatch(r"[0-9]{1,9}", name) else name[:4]
        first = kind if not found else ("number" if found[0].isdigit() else found[0][:4])
        if kind not in ("number", "GPU-", "MIG-") or kind != first:
            break
        found.append(str(int(name)) if kind == "number" else name)
    return found


def _every(here: Sequence[tuple[Gpu, bool]]) -> tuple[Gpu, ...]:
    """Return all GPUs, in place of each that is cut into slices these."""
    slices = _slices() if any(sliced for _, sliced in here) else {}
    found: list[Gpu] = []
    for gpu, sliced in here:
        found += [Gpu(name, model) for name, model in slices.get(gpu.name, ())] if sliced else [gpu]
    return tuple(found)


def _by_nvidia_smi() -> list[tuple[Gpu, bool]] | None:
    """Return all GPUs by UUID and whether each is cut into slices; None without nvidia-smi.

    What it says of the others counts also where one has fallen off the bus, so that it fails.
    """
    fields = "uuid,name,memory.total,memory.free,mig.mode.current"
    said = _nvidia_smi(f"--query-gpu={fields}", "--format=csv,noheader,nounits")
    if said is None:
        return None
    found = []
    for line in said.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 5 and parts[0].startswith("GPU-"):
            uuid, model, total, free, mig = parts
            found.append((Gpu(uuid, model, _bytes(total), _bytes(free)), mig == "Enabled"))
    return found


def _bytes(mebibytes: str) -> int | None:
    return int(mebibytes) * MIB if mebibytes.isdigit() else None


def _slices() -> dict[str, list[tuple[str, str]]]:
    """Return the names and models of the slices of each GPU, by its UUID."""
    found: dict[str, list[tuple[str, str]]] = {}
    gpu = ""
    for line in (_nvidia_smi("-L") or "").splitlines():
        uuid = re.search(r"\(UUID: ((GPU|MIG)-[^)\s]+)\)", line)
        if uuid is None:
            continue
        if uuid[2] == "GPU":
            gpu = uuid[1]
        else:
            found.setdefault(gpu, []).append((uuid[1], " ".join(line.split()[:2])))
    return found


def _nvidia_smi(*arguments: str) -> str | None:
    """Return what nvidia-smi prints; None if there is none, or it does not answer."""
    places = (shutil.which("nvidia-smi"), *(path for path in ELSEWHERE if Path(path).is_file()))
    program = next(filter(None, places), None)
    return None if program is None else _said((program, *arguments))


def _by_driver() -> tuple[Gpu, ...]:
    if sys.platform == "darwin":
        return ()
    said = _said((sys.executable, "-I", "-S", cuda_driver.__file__)) or ""
    lines = (line.split("\t") for line in said.splitlines())
    return tuple(Gpu(name, model, int(total)) for name, model, total in lines)


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
