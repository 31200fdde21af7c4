"""Which GPU a worker gets, and which GPU gets none any more, because all fails there."""

import time
from collections.abc import Sequence

from alexnet.gpus import Gpu

MOST_FAILED = 2
"""Jobs that a GPU has failed at, one after another and nothing between them, for it to be left out:
one alone may be the job's own fault."""


class Devices:
    """The GPUs of some workers; with none, they train on the CPU."""

    def __init__(self, gpus: Sequence[Gpu], workers: int) -> None:
        """Let so many workers share some GPUs, as evenly as it goes."""
        self._gpus = list(gpus)
        self._each = -(-workers // len(gpus)) if gpus else 0
        self._failed_at: dict[Gpu, set[str]] = {}  # names of jobs, since a job was last finished
        self._last: dict[Gpu, float] = {}  # when it last failed

    def choose(self, in_use: Sequence[Gpu | None], at_first: Gpu | None = None) -> Gpu | None:
        """Return the GPU for one more worker; None where none has room for it.

        Args:
            in_use: The GPUs of the workers that there are.
            at_first: That which is taken if it has room.
        """
        able = [gpu for gpu in self._gpus if in_use.count(gpu) < self._each]
        return at_first if at_first in able else min(able, key=in_use.count, default=None)

    def failed(self, gpu: Gpu, job: str, since: float) -> bool:
        """Note that a worker's device has failed at a job; return whether the GPU is left out now.

        Where several workers share a GPU and all fail at once, that is one failure: of workers
        that were started before the last one, no other counts.

        Args:
            gpu: The device.
            job: The name of what the worker was at.
            since: When the worker was started, `time.monotonic`.
        """
        if since < self._last.get(gpu, float("-inf")):
            return False
        self._last[gpu] = time.monotonic()
        jobs = self._failed_at.setdefault(gpu, set())
        jobs.add(job)
        return len(jobs) >= MOST_FAILED and self.leave_out(gpu)

    def leave_out(self, gpu: Gpu) -> bool:
        """Give this GPU to no worker any more; return whether it was not so before."""
        was_there = gpu in self._gpus
        self._gpus = [one for one in self._gpus if one != gpu]
        return was_there

    def works(self, gpu: Gpu | None) -> None:
        """Note that a job was finished on a GPU: what failed there was not its fault."""
        if gpu is not None:
            self._failed_at.pop(gpu, None)
