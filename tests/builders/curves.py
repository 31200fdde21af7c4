"""Curves and measures of runs that nobody trained."""

from collections.abc import Sequence

import numpy as np

from alexnet.learning_curve import Epoch
from tests.builders.records import measures_of

SEEN = measures_of(train=0.02, valid=0.21, test=0.25)


def with_losses(
    losses: Sequence[Sequence[float]], images: Sequence[int] = (100,) * 10
) -> tuple[Epoch, ...]:
    """Return epochs with these losses by tenths, each tenth of so many images."""
    return tuple(
        Epoch(
            number=number,
            errors=(0,) * 10,
            images=tuple(images),
            loss=float(np.average(tenths, weights=images)),
            losses=tuple(tenths),
            seconds=1.0,
        )
        for number, tenths in enumerate(losses, start=1)
    )


def falling(*losses: float) -> tuple[Epoch, ...]:
    """Return epochs of one loss each."""
    return with_losses([[loss] * 10 for loss in losses])
