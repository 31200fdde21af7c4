"""How many processor cores this process may use."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, where none is named


def cores(groups: Path = CGROUPS, mine: Path = Path("/proc/self/cgroup")) -> int:
    """Return the cores that this process may use: those it may run on, and no more than its quota.

    A container has a share of the cores it sees; a process for each that it sees would wait.

    Args:
        groups: Where the system mounts its control groups.
        mine: Which of them this process is in.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = min(_quotas(groups, mine), default=float("inf"))
    return max(1, min(count or 1, int(quota)) if quota < float("inf") else count or 1)


def _quotas(groups: Path, mine: Path) -> list[float]:
    """Return how many cores' time each group around this process may take."""
    try:
        lines = mine.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        _, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if not kinds:  # version 2 has one hierarchy
            found += [_of_file(folder / "cpu.max") for folder in _upwards(groups, path)]
        elif "cpu" in kinds.split(","):
            for root in (groups / kinds, groups / "cpu"):
                found += [_of_version_1(folder) for folder in _upwards(root, path)]
    return [quota for quota in found if quota is not None]


def _upwards(root: Path, path: str) -> list[Path]:
    """Return the folder of a group and of those around it; in a container, some are not there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [root.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _of_file(path: Path) -> float | None:
    try:
        quota, *period = path.read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period[0] if period else PERIOD)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _of_version_1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
