"""Work shared out to threads: the same bits as in one, whoever calls and however."""

import os
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from alexnet.norms import BLOCK, local_response_norm
from alexnet.threads import Blocks, share_out

SETTINGS = {"size": 5, "alpha": 2e-5, "beta": 0.75, "k": 2.0, "groups": 2}


@pytest.fixture(autouse=True)
def threads_given_back() -> Iterator[None]:
    """Leave PyTorch as many threads as it had."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def large(dtype: torch.dtype) -> Tensor:
    """Return activations of several blocks, an odd number of rows at the end."""
    chance = torch.Generator().manual_seed(0)
    images = 30 * torch.randn(3, 96, 61, 61, generator=chance)
    assert images.numel() > 3 * BLOCK
    return images.contiguous(memory_format=torch.channels_last).to(dtype)


def both_ways(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what response normalisation gives, and the gradient that it passes on."""
    images = images.clone().requires_grad_()
    normed = local_response_norm(images, **SETTINGS)
    normed.backward(torch.ones_like(normed))
    assert images.grad is not None
    return normed.detach(), images.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_response_norm_is_the_same_bits_in_any_number_of_threads(dtype, threads: int) -> None:
    """Blocks are independent of each other; eight threads have some without any."""
    images = large(dtype)
    torch.set_num_threads(1)
    alone = both_ways(images)
    torch.set_num_threads(threads)

    shared = both_ways(images)

    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


def test_it_may_be_asked_where_nothing_is_recorded() -> None:
    """Evaluation is in inference mode, which is a thread's own setting."""
    images = large(torch.float32)
    torch.set_num_threads(2)
    with torch.inference_mode():
        inferred = local_response_norm(images.clone(), **SETTINGS)
    with torch.no_grad():
        unrecorded = local_response_norm(images, **SETTINGS)

    assert torch.equal(inferred, unrecorded)


def pieces(count: int) -> Blocks:
    """Return so many blocks of zeros."""
    return [(torch.zeros(4),) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 7])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_block_is_worked_on_once(count: int, threads: int) -> None:
    """Each thread has a run of neighbours, computes alone, and records nothing."""
    torch.set_num_threads(threads)
    blocks, seen = pieces(count), list[tuple[int, int, bool]]()

    def work(part: Blocks) -> None:
        seen.append((len(part), torch.get_num_threads(), torch.is_grad_enabled()))
        for (block,) in part:
            block.add_(1)

    share_out(work, blocks)

    assert all(torch.equal(block, torch.ones(4)) for (block,) in blocks)
    assert sum(length for length, _, _ in seen) == count
    if threads > 1 < count:
        assert len(seen) == min(threads, count)
        assert {(alone, grad) for _, alone, grad in seen} == {(1, False)}
    assert torch.get_num_threads() == threads


def test_threads_to_come_compute_as_before() -> None:
    """The setting of one thread is not that of all: a new one still has three."""
    torch.set_num_threads(3)
    share_out(lambda part: None, pieces(3))
    seen: list[int] = []

    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()

    assert seen == [3]


def test_an_error_in_a_thread_is_raised_where_it_was_asked() -> None:
    """And the next call works."""
    torch.set_num_threads(2)

    def fail(part: Blocks) -> None:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        share_out(fail, pieces(2))
    share_out(lambda part: None, pieces(2))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """Those of its parent do not run there; waiting for them would never end."""
    torch.set_num_threads(2)
    share_out(lambda part: None, pieces(2))
    child = os.fork()
    if child == 0:
        names: list[str] = []
        share_out(lambda part: names.append(threading.current_thread().name), pieces(2))
        os._exit(0 if len(names) == 2 else 1)

    def still_runs() -> bool:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
        return not done

    waiting = threading.Event()
    ends = iter(range(300))
    while still_runs():
        assert next(ends, None) is not None, "the child never ended"
        waiting.wait(0.1)
