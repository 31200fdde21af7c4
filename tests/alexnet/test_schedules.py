"""How rates move, against numbers of the sources and PyTorch's own schedulers."""

import pytest
import torch

from alexnet.config import (
    Constant,
    Drops,
    Exponential,
    LayerRate,
    Plateau,
    Steps,
    Training,
)
from alexnet.learning_curve import Epoch
from alexnet.presets import preset
from alexnet.schedules import factor, factors, plateaus


def done(*valid_errors: float | None) -> list[Epoch]:
    """Return epochs that ended with these errors on held-out images."""
    return [
        Epoch(number=n, errors=(1,) * 10, images=(2,) * 10, loss=1.0, seconds=1, valid_error=error)
        for n, error in enumerate(valid_errors, start=1)
    ]


def epochs(count: int) -> list[Epoch]:
    """Return so many epochs."""
    return done(*[None] * count)


def test_the_rate_drops_after_the_epochs_named() -> None:
    """After 8 and 10: the eighth epoch still has the full rate."""
    schedule = Drops(after=(8, 10))

    found = [factor(schedule, epochs(n), 0, 1) for n in (0, 7, 8, 9, 10)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_caffe_drops_by_updates_within_an_epoch() -> None:
    """Every 100,000: the hundred-thousandth update, counted from 0, is the first at a tenth."""
    schedule = preset("caffe_alexnet").training.schedule
    assert schedule == Steps(updates=100_000)

    found = [factor(schedule, epochs(19), n, 450_450) for n in (0, 99_999, 100_000, 200_000)]
    assert found == pytest.approx([1, 1, 0.1, 0.01])


def test_cuda_convnet2s_rates_are_those_of_its_file() -> None:
    """0.01, 0.0015874, 0.00025198, 0.00004 from a quarter to the next; biases 0.02, 0.002."""
    training = preset("one_tower_2014").training
    assert training.optimizer.bias_rate == 2
    each = 10_009

    rates = [factors(training, epochs(n), n * each, each) for n in (0, 22, 23, 44, 45, 67, 68, 89)]

    weights, biases = [0.01 * f.weights for f in rates], [0.02 * f.biases for f in rates]
    quarters = [0.01, 0.0015874, 0.00025198, 0.00004]
    expected = [quarters[i] for i in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert weights == pytest.approx(expected, rel=1e-4)
    assert biases == pytest.approx([0.02] * 4 + [0.002] * 4)


def test_the_exponential_moves_within_an_epoch() -> None:
    """At 25 % of 90 epochs, in the middle of the 23rd."""
    schedule = Exponential(fall=250, steps=4)
    before, after = (factor(schedule, epochs(22), n, 9000) for n in (2249, 2250))

    assert (before, after) == pytest.approx((1, 250 ** (-1 / 3)))


ERRORS = {
    "falls, then flat": ([0.5, 0.4, 0.3] + [0.3] * 50, 5),
    "up and down": ([0.5 + 0.01 * (-1) ** n for n in range(60)], 5),
    "a tenth of a point in ten epochs is no progress": ([0.5 - 0.0001 * n for n in range(60)], 5),
    "slow progress counts from the best": ([0.5 - 0.0004 * n for n in range(60)], 0),
}


@pytest.mark.parametrize(("errors", "count"), ERRORS.values(), ids=ERRORS)
def test_a_plateau_is_pytorchs(errors: list[float], count: int) -> None:
    """ReduceLROnPlateau waits for one epoch more than its patience; thresholds are absolute."""
    schedule = Plateau(patience=10, improvement=0.001, drops=99)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.1, patience=9, threshold=0.001, threshold_mode="abs", eps=0
    )
    expected = []
    for error in errors:
        theirs.step(error)
        expected.append(optimizer.param_groups[0]["lr"])

    ours = [factor(schedule, done(*errors[: n + 1]), 0, 1) for n in range(len(errors))]

    assert ours == pytest.approx(expected)
    assert len(plateaus(schedule, errors)) == count


def test_the_paper_drops_three_times_and_no_more() -> None:
    """90 epochs at one error: after 11, 21 and 31."""
    schedule = preset("paper").training.schedule
    assert isinstance(schedule, Plateau)

    assert plateaus(schedule, [0.6] * 90) == [11, 21, 31]


def test_a_plateau_needs_errors_on_held_out_images() -> None:
    """Or it would drop on nothing."""
    with pytest.raises(ValueError, match=r"epoch 2 .* without measuring"):
        factor(Plateau(), done(0.5, None), 0, 1)


def test_the_whole_schedule_of_the_2012_code() -> None:
    """Weights, biases and conv1 at the epochs of its logs: 23, 51, 67, 72, 78."""
    training = preset("source_2012").training
    assert training.epochs == 92

    def rates(after: int) -> tuple[float, float, float]:
        found = factors(training, epochs(after), 0, 1)
        conv1 = found.weights
        for layer, of, share in found.layers:
            conv1 *= share if (layer, of) == ("conv1", "weights") else 1
        return 0.01 * found.weights, 0.02 * found.biases, 0.01 * conv1

    assert rates(22) == pytest.approx((1e-2, 0.02, 1e-2))
    assert rates(23) == pytest.approx((1e-3, 0.002, 1e-3))
    assert rates(51) == pytest.approx((1e-4, 0.002, 1e-4))
    assert rates(67) == pytest.approx((1e-4, 0.002, 1e-5))
    assert rates(72) == pytest.approx((1e-4, 0.002, 0))
    assert rates(78) == pytest.approx((1e-5, 0.002, 0))


def test_biases_follow_the_weights_unless_they_have_a_schedule() -> None:
    """Constant while the weights' rate drops, as in the 13 % network's snapshots."""
    training: Training = preset("cifar_conv_local_13pct").training
    together = training.but(bias_schedule=None)

    assert training.bias_schedule == Constant()
    assert factors(training, epochs(130), 0, 1)[:2] == pytest.approx((0.01, 1))
    assert factors(together, epochs(130), 0, 1)[:2] == pytest.approx((0.01, 0.01))


def test_single_layers_start_when_they_say() -> None:
    """After 2 epochs, biases alone."""
    rate = LayerRate(layer="fc4", of="biases", after=2, factor=0.5)
    training = preset("tiny").training.but(layer_rates=(rate,))

    assert factors(training, epochs(1), 0, 1).layers == ()
    assert factors(training, epochs(2), 0, 1).layers == (("fc4", "biases", 0.5),)
