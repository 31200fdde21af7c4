"""The running training error and the time it takes to fall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.learning_curve import Curve, Epoch, running_curve, time_to
from tests.builders.records import epochs_of


def test_the_window_slides_by_a_tenth() -> None:
    """Two epochs of 10 images, one error in each tenth of the first and none in the second.

    The window of one epoch loses one error with each tenth: 10/10 at 0.5, 9/10 at 0.6, ...
    """
    epochs = [
        Epoch(number=1, errors=(1,) * 10, images=(1,) * 10, loss=1.0, seconds=1.0),
        Epoch(number=2, errors=(0,) * 10, images=(1,) * 10, loss=1.0, seconds=1.0),
    ]

    curve = running_curve(epochs)

    assert curve.epochs.tolist() == pytest.approx([0.5 + i / 10 for i in range(11)])
    assert curve.errors.tolist() == pytest.approx([1 - i / 10 for i in range(11)])


def test_the_time_is_interpolated() -> None:
    """From 0.3 at 0.6 to 0.2 at 0.7: 0.25 is half way."""
    curve = Curve(np.array([0.5, 0.6, 0.7]), np.array([0.5, 0.3, 0.2]))

    assert time_to(0.25, curve) == pytest.approx(0.65)


def test_a_threshold_met_from_the_start_is_met_at_the_first_point() -> None:
    """Nothing earlier was measured."""
    assert time_to(0.25, running_curve(epochs_of([0.2]))) == 0.5


def test_a_threshold_never_met_has_no_time() -> None:
    """Not the last epoch."""
    assert time_to(0.25, running_curve(epochs_of([0.5, 0.4]))) is None
    assert time_to(0.25, running_curve([])) is None


@given(
    st.lists(st.lists(st.integers(0, 7), min_size=10, max_size=10), min_size=1, max_size=5),
    st.lists(st.integers(7, 9), min_size=10, max_size=10),
)
def test_whole_epochs_lie_on_the_curve(errors: list[list[int]], images: list[int]) -> None:
    """Whatever the tenths hold, the point at k + 1/2 is the error of epoch k + 1 as a whole."""
    epochs = [
        Epoch(number=i + 1, errors=tuple(row), images=tuple(images), loss=1.0, seconds=1.0)
        for i, row in enumerate(errors)
    ]
    curve = running_curve(epochs)

    assert curve.errors[::10].tolist() == pytest.approx([epoch.error for epoch in epochs])
    assert curve.epochs[::10].tolist() == pytest.approx([i + 0.5 for i in range(len(epochs))])
