"""Blocks of work shared out to threads that each work alone, and wait for each other once.

PyTorch shares out every operation, and its threads wait for each other after each. Where work is
many small operations and other processes want the cores too, that wait is most of the time: one
thread that has lost its core keeps all others waiting, once an operation.
"""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor

Blocks = Sequence[tuple[Tensor, ...]]


def share_out(work: Callable[[Blocks], None], blocks: Blocks) -> None:
    """Do work on all blocks; on a CPU with several threads, on runs of them at the same time.

    Args:
        work: Of blocks, each independent of the others; it changes tensors in place.
        blocks: Tensors on one device.
    """
    on_cpu = bool(blocks) and blocks[0][0].device.type == "cpu"
    most = torch.get_num_threads()
    threads = min(most, len(blocks)) if on_cpu else 1
    if threads <= 1:
        work(blocks)
        return
    inferring = torch.is_inference_mode_enabled()

    def alone(part: Blocks) -> None:
        # What a thread may do to tensors is its own setting.
        with torch.inference_mode(inferring), torch.no_grad():
            work(part)

    # Runs of neighbours: each thread stays in its own part of the memory.
    ends = [len(blocks) * number // threads for number in range(threads + 1)]
    parts = [blocks[start:end] for start, end in itertools.pairwise(ends)]
    list(_threads(os.getpid(), most).map(alone, parts))  # an error in one is raised here


@lru_cache(maxsize=1)
def _threads(process: int, count: int) -> ThreadPoolExecutor:
    """Return threads of this process that each compute alone; a fork has none of its parent's."""
    before = torch.get_num_threads()
    threads = ThreadPoolExecutor(count, "blocks", initializer=_compute_alone)
    started = threading.Barrier(count)
    list(threads.map(lambda _: started.wait(), range(count)))
    torch.set_num_threads(before)  # what a thread sets for itself, those to come are given
    return threads


def _compute_alone() -> None:
    torch.get_num_threads()  # a thread takes over the setting of all when it first looks
    torch.set_num_threads(1)
