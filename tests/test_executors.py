"""How worker processes are given memory."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablations.executors import memory_variables

CHOICE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GLIBC = tuple(map(int, re.findall(r"\d+", platform.libc_ver()[1])[:2]))
FILL = """
held = [bytes([1]) * 2**20 for _ in range(64)]
print(next(line for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")))
"""


def large_pages(variables: dict[str, str]) -> int:
    """Return how many kB of 64 MiB a new process has in large pages."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    said = subprocess.run(
        [sys.executable, "-c", FILL], env=environment | variables, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    return int(said.split()[1])


@pytest.mark.skipif(
    not CHOICE.exists() or "[madvise]" not in CHOICE.read_text() or GLIBC < (2, 35),
    reason="the system does not leave the choice of large pages to glibc",
)
def test_memory_is_in_large_pages_unless_a_person_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the system counts them: most of it; none without, and none where that is asked for."""
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    ours = memory_variables()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    theirs = memory_variables()

    assert large_pages(ours) > 2**15
    assert large_pages({"GLIBC_TUNABLES": ""}) == 0
    assert large_pages(theirs) == 0
