"""Trains every kind of network by several ranks, and says by how much it differs from one process.

    python -m tests.proofs.data_parallel             # the networks of 2012 for 32 pixels, and ours
    python -m tests.proofs.data_parallel --reduced   # those of seconds

Twenty updates in float64, the last batch of each pass shared out unevenly, or with nothing for
some. Weights, velocities, running statistics and losses may differ by 1e-12, and by 1e-9 where a
network amplifies rounding; what is left out on purpose has to differ by more. Exit code 1 if not.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import torch

from alexnet.config import Adam, BatchNorm, Config
from alexnet.presets import preset
from tests.builders.ranks import Case, apart, trained, trained_by_ranks

UPDATES = 20
RANKS = (2, 3)
CLOSE, AMPLIFIED = 1e-12, 1e-9


class Proof(NamedTuple):
    """A network, and how much its ranks may differ from one process."""

    name: str
    case: Case
    limit: float = CLOSE


def proofs(reduced: bool) -> Iterator[Proof]:
    """Yield what is to be shown."""
    batch_norm = {"network": {"parts": {"norm": BatchNorm()}}}
    adam = {"training": {"optimizer": Adam(rate=0.001)}}
    tiny, small = preset("tiny"), preset("alexnet_cifar")
    yield Proof("tiny, uneven", case(tiny, 32, 10))
    yield Proof("tiny, some have none", case(tiny, 32, 1))
    yield Proof("tiny, batch norm", case(tiny.but(**batch_norm), 32, 1), AMPLIFIED)
    yield Proof("tiny, Adam", case(tiny.but(**adam), 32, 1), AMPLIFIED)
    if not reduced:
        yield Proof("alexnet_cifar", case(small, 128, 88))
        yield Proof("alexnet_cifar, batch norm", case(small.but(**batch_norm), 32, 1), AMPLIFIED)
        yield Proof("alexnet_cifar, Adam", case(small.but(**adam), 32, 1), AMPLIFIED)
        unshared = preset("cifar_conv_local_11pct")
        yield Proof("cifar_conv_local_11pct", case(unshared, 32, 1))
        yield Proof("cifar_18pct", case(preset("cifar_18pct"), 32, 1))


def case(config: Config, batch: int, last: int) -> Case:
    """Return twenty updates in passes of five batches, the last one with fewer images."""
    images = 4 * batch + last
    training = {"batch": batch, "images": images, "epochs": UPDATES // 5, "until": None,
                "schedule": {"kind": "constant"}, "bias_schedule": None}  # fmt: skip
    return Case(config.but(training=training))


def main() -> int:
    """Print a line for each network and number of ranks; return 1 if one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reduced", action="store_true", help="networks of seconds alone")
    every = list(proofs(parser.parse_args().reduced))
    torch.set_num_threads(1)
    wrong = [
        ("without shared dropout", every[0].case._replace(left_out="dropout")),
        ("without shared batch norm", every[2].case._replace(left_out="batch norm")),
    ]
    alone = [trained(proof.case) for proof in every]
    cases = [proof.case for proof in every] + [one for _, one in wrong]
    bad = False
    for count, found in trained_by_ranks(RANKS, cases).items():
        for proof, one, several in zip(every, alone, found, strict=False):
            differs = apart(one, several[0])
            same = all(apart(several[0], other) == 0 for other in several)
            is_bad = differs > proof.limit or not same
            bad |= is_bad
            print(f"{proof.name:28} {count} ranks: {differs:.1e} of {proof.limit:.0e}, "
                  f"ranks {'equal' if same else 'DIFFER'}{'  BAD' if is_bad else ''}")  # fmt: skip
        for (name, _), several, of in zip(wrong, found[len(every) :], (0, 2), strict=True):
            differs = apart(alone[of], several[0])
            is_bad = differs < 1e-6
            bad |= is_bad
            print(f"{name:28} {count} ranks: {differs:.1e}{'  NOT NOTICED' if is_bad else ''}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
