"""Named streams of chance."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alexnet.random_streams import derive, stream_seed


def test_a_stream_has_the_same_seed_on_every_machine() -> None:
    """First eight bytes of sha256(b"3/init/conv1"), halved; from `printf ... | sha256sum`."""
    assert derive(3, "init", "conv1") == 0xA9A5_1C6A_9AA8_FDE7 >> 1


@given(st.integers(0, 2**31), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_seed_fits_every_generator(seed: int, names: list[str]) -> None:
    """PyTorch takes up to 64 bits, signed."""
    assert 0 <= derive(seed, *names) < 2**63


def test_different_names_give_different_streams() -> None:
    """Orders of two epochs, or of two seeds, have nothing in common."""
    seeds = sorted(derive(seed, "order", epoch) for seed in range(30) for epoch in range(30))

    assert all(one != other for one, other in pairwise(seeds))


def test_a_pinned_stream_follows_seed_0() -> None:
    """And the others stay with their own."""
    assert stream_seed(5, ("order",), "order", 1) == derive(0, "order", 1)
    assert stream_seed(5, ("order",), "crop", 1) == derive(5, "crop", 1)
