"""How many cores a process may use: affinity, and quotas of both versions of control groups."""

import os
from pathlib import Path

import pytest

from alexnet.cores import cores

SEEN = 64


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have 64 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(SEEN)), raising=False)


def groups(tmp_path: Path, mine: str, **files: str) -> tuple[Path, Path]:
    """Write control groups as the kernel shows them; return their root and this process's."""
    for name, content in files.items():
        path = tmp_path / "cgroup" / name.replace("__", "/").replace("cpu_max", "cpu.max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (tmp_path / "cgroup").mkdir(exist_ok=True)
    (tmp_path / "mine").write_text(mine + "\n")
    return tmp_path / "cgroup", tmp_path / "mine"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", SEEN),
        ("9900000 100000", SEEN), ("250000", 2), ("", SEEN), ("x y", SEEN), ("1 0", SEEN),
    ],
)  # fmt: skip
def test_a_quota_of_version_2(tmp_path: Path, content: str, expected: int) -> None:
    """Microseconds in a period, as `docker run --cpus` sets them; at least one core."""
    assert cores(*groups(tmp_path, "0::/job", job__cpu_max=content)) == expected


def test_the_smallest_quota_around_counts(tmp_path: Path) -> None:
    """As Kubernetes and SLURM set it on a group further out."""
    found = groups(
        tmp_path, "0::/pod/container", pod__cpu_max="300000 100000",
        pod__container__cpu_max="max 100000",
    )  # fmt: skip
    assert cores(*found) == 3


def test_in_a_container_the_group_is_the_root(tmp_path: Path) -> None:
    """Its path is that outside, where nothing can be seen, or `/..`."""
    assert cores(*groups(tmp_path, "0::/../job", cpu_max="200000 100000")) == 2


@pytest.mark.parametrize("quota", [("-1", SEEN), ("500000", 5)])
def test_a_quota_of_version_1(tmp_path: Path, quota: tuple[str, int]) -> None:
    """Quota and period in files of their own; -1 is none."""
    root, mine = groups(tmp_path, "4:cpu,cpuacct:/job\n3:memory:/job")
    folder = root / "cpu,cpuacct" / "job"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(quota[0])
    (folder / "cpu.cfs_period_us").write_text("100000")

    assert cores(root, mine) == quota[1]


def test_without_control_groups_the_affinity_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `taskset`, and on other systems."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)

    assert cores(tmp_path / "none", tmp_path / "none") == 2
