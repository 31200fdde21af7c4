"""What fits on a node, and which nodes may train: worked out by hand."""

import pytest

from ablations.workers.nodes import Installed, Need, Node, difference, installed, need_of

VERSIONS = {"alexnet-ablations": "0.1.0", "python": "3.11.7", "torch": "2.14.1+cu130"}
HERE = Installed(VERSIONS, "0123456789ab")


def node(cpus: float, gpus: float = 0.0) -> Node:
    """Return a node that offers something."""
    return Node("id", "10.0.0.7", cpus, gpus)


def test_a_node_is_read_from_what_ray_says() -> None:
    """One without GPUs names none; a head may offer no cores either."""
    about = {
        "NodeID": "ab12", "NodeManagerAddress": "10.0.0.7", "Alive": True,
        "Resources": {"CPU": 8.0, "GPU": 2.0, "memory": 1e9},
    }  # fmt: skip

    assert Node.of(about) == Node("ab12", "10.0.0.7", 8.0, 2.0)
    assert Node.of(about | {"Resources": {"memory": 1e9}}) == Node("ab12", "10.0.0.7", 0.0, 0.0)


@pytest.mark.parametrize(
    ("need", "there", "room"),
    [
        (Need(1, 0), node(8), 8),
        (Need(3, 0), node(8), 2),
        (Need(1, 0), node(0), 0),
        (Need(1, 1), node(8, 2), 2),
        (Need(8, 1), node(8, 2), 1),
        (Need(1, 1), node(8), 0),
        (Need(1, 1 / 3), node(8, 1), 3),
        (Need(1, 1 / 10), node(16, 1), 10),
    ],
)
def test_room_is_what_both_cores_and_gpus_allow(need: Need, there: Node, room: int) -> None:
    """Thirds of a GPU are three."""
    assert need.room(there) == room


@pytest.mark.parametrize(
    ("there", "threads", "gpus", "need", "chosen"),
    [
        ([node(8), node(4)], 1, 0.0, Need(1, 0.0), 1),
        # All cores: of the smallest node, so that all train with the same number.
        ([node(8), node(4), node(0)], None, 0.0, Need(4, 0.0), 4),
        ([node(64, 8)], None, 1.0, Need(8, 1.0), 8),
        ([node(64, 8)], None, 0.5, Need(4, 0.5), 4),
        ([node(64, 8), node(2)], None, 1.0, Need(8, 1.0), 8),
        # Registered on a larger machine: as many threads, on what there is.
        ([node(8)], 64, 0.0, Need(8, 0.0), 64),
        ([node(8, 4)], 6, 1.0, Need(2, 1.0), 6),
        ([], 2, 0.0, Need(2, 0.0), 2),
    ],
)
def test_threads_are_the_plans_or_a_share_of_the_smallest_node(
    there: list[Node], threads: int | None, gpus: float, need: Need, chosen: int
) -> None:
    """And never more cores are asked for than a node has: no worker would find room."""
    assert need_of(there, threads, gpus) == (need, chosen)


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (HERE, None),
        (Installed(VERSIONS | {"torch": "2.14.1+cpu"}, HERE.code), None),
        (Installed(VERSIONS | {"python": "3.11.9"}, HERE.code), None),
        (
            Installed(VERSIONS | {"torch": "2.9.0"}, HERE.code),
            "node 10.0.0.7 has torch 2.9.0, and here is torch 2.14.1; install the same on every "
            "node and here",
        ),
        (
            Installed(VERSIONS | {"python": "3.12.1"}, HERE.code),
            "node 10.0.0.7 has python 3.12, and here is python 3.11; install the same on every "
            "node and here",
        ),
        (
            Installed(VERSIONS, "ba9876543210"),
            "node 10.0.0.7 has alexnet-ablations 0.1.0 (code ba9876543210), and here is "
            "alexnet-ablations 0.1.0 (code 0123456789ab); install the same on every node and here",
        ),
    ],
)  # fmt: skip
def test_a_node_with_other_code_is_told_from_one_that_may_train(
    there: Installed, says: str | None
) -> None:
    """The sentence names both; which accelerator PyTorch was built for may differ."""
    assert difference(HERE, there, "10.0.0.7") == says


def test_this_machine_may_train_with_itself() -> None:
    """And its code has a digest."""
    assert difference(installed(), installed(), "here") is None
    assert len(installed().code) == 12
