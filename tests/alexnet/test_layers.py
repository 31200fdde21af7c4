"""Layers against answers worked by hand, NumPy and PyTorch's own."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional

from alexnet.config import (
    LRN,
    Conv,
    Dense,
    Dropout,
    Elu,
    Gelu,
    LeakyRelu,
    MapNorm,
    Maps,
    Normal,
    Pool,
    Relu,
    Silu,
    Tanh,
)
from alexnet.config.network import windows
from alexnet.layers import (
    Convolution,
    DropoutLayer,
    UnsharedConvolution,
    build_layer,
    build_part,
    dropout,
    fan_in,
)
from alexnet.norms import local_response_norm, map_response_norm
from alexnet.unshared import unshared_convolution

INIT = Normal(std=0.1)


def noise(*shape: int) -> Tensor:
    """Return normal numbers, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def filled(module: nn.Module) -> nn.Module:
    """Return a module with weights of some meaning."""
    for parameter in module.parameters():
        parameter.copy_(noise(*parameter.shape))
    return module


sizes = st.tuples(st.integers(1, 40), st.integers(1, 11), st.integers(1, 5), st.integers(0, 3))


@given(sizes, st.sampled_from(["floor", "ceil"]))
def test_windows_are_counted_as_pytorch_does(size, rounding) -> None:
    """Pooling of any side; convolutions round down there, and we append zeros to round up."""
    side, window, stride, padding = size
    found = windows(side, window, stride, padding, rounding)
    image = torch.zeros(1, 1, side, side)
    if padding == 0 and stride <= window and found >= 1 and (side >= window or rounding == "ceil"):
        pool = nn.MaxPool2d(window, stride, ceil_mode=rounding == "ceil")
        assert pool(image).shape[-1] == found
    if side + 2 * padding >= window:
        conv = Conv(name="c", maps=1, size=window, stride=stride, padding=padding,
                    rounding=rounding, init=INIT)  # fmt: skip
        assert build_layer(conv, Maps(1, side), 10)(image).shape[-1] == found


def test_a_convolution_of_2012_reads_zeros_beyond_the_right_and_lower_edge() -> None:
    """224 pixels by 11/4: three rows and columns of zeros make 55 windows, not 54."""
    conv = Conv(name="c", maps=2, size=11, stride=4, rounding="ceil", init=INIT)
    layer = filled(build_layer(conv, Maps(3, 224), 10))
    images = noise(1, 3, 224, 224)
    wider = torch.zeros(1, 3, 227, 227)
    wider[..., :224, :224] = images

    assert isinstance(layer, Convolution)
    expected = functional.conv2d(wider, layer.weight, layer.bias, stride=4)

    assert layer(images).shape == (1, 2, 55, 55)
    torch.testing.assert_close(layer(images), expected)


def test_a_convolution_that_fits_has_no_zeros_added() -> None:
    """227 pixels are 55 windows of 11/4 exactly."""
    for rounding in ("floor", "ceil"):
        conv = Conv(name="c", maps=2, size=11, stride=4, rounding=rounding, init=INIT)
        assert build_layer(conv, Maps(3, 227), 10).overhang == 0


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), (2, 1)])
def test_an_unshared_convolution_has_kernels_of_its_own_everywhere(
    stride: int, padding: int
) -> None:
    """Each place of the output is its own product, written out; biases are unshared too."""
    images = noise(2, 3, 7, 7).double()
    side = windows(7, 3, stride, padding, "floor")
    weight, bias = noise(side**2, 4, 27).double(), noise(4, side, side).double()
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    expected = np.empty((2, 4, side, side))
    for y, x in product(range(side), range(side)):
        patch = padded[:, :, y * stride : y * stride + 3, x * stride : x * stride + 3]
        expected[:, :, y, x] = patch.reshape(2, 27) @ weight[y * side + x].numpy().T
    expected += bias.numpy()

    ours = unshared_convolution(images, weight, bias, 3, stride, padding)

    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12)


def test_an_unshared_convolution_of_no_images_is_empty() -> None:
    """As PyTorch's own layers have it."""
    layer = UnsharedConvolution(
        Conv(name="c", maps=4, size=3, padding=1, weights="unshared", init=INIT), Maps(3, 6)
    )

    assert layer(noise(0, 3, 6, 6)).shape == (0, 4, 6, 6)


def test_unshared_weights_that_are_equal_everywhere_are_a_convolution() -> None:
    """Which PyTorch has."""
    layer = build_layer(
        Conv(name="c", maps=4, size=3, padding=1, weights="unshared", init=INIT), Maps(3, 6), 10
    )
    kernels, biases = noise(4, 3, 3, 3), noise(4)
    with torch.no_grad():
        layer.weight.copy_(kernels.flatten(1).expand(36, -1, -1))
        layer.bias.copy_(biases[:, None, None].expand(-1, 6, 6))
    images = noise(2, 3, 6, 6)

    torch.testing.assert_close(layer(images), functional.conv2d(images, kernels, biases, padding=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 1, 1), (3, 2, 0), (2, 3, 1)])
def test_an_unshared_convolution_has_the_bits_of_one_with_unfold(
    size: int, stride: int, padding: int, layout: torch.memory_format, dtype: torch.dtype
) -> None:
    """PyTorch's own unfold and its gradients; images that are not square as well."""

    def learned(convolve) -> list[Tensor]:
        down, across = (windows(side, size, stride, padding, "floor") for side in (8, 6))
        images = noise(5, 4, 8, 6).to(dtype).contiguous(memory_format=layout).requires_grad_()
        weight = noise(down * across, 3, 4 * size**2).to(dtype).requires_grad_()
        bias = noise(3, down, across).to(dtype).requires_grad_()
        out = convolve(images, weight, bias, size, stride, padding)
        out.backward(noise(*out.shape).to(dtype))
        return [out, images.grad, weight.grad, bias.grad]

    def with_unfold(images, weight, bias, size, stride, padding) -> Tensor:
        patches = functional.unfold(images, size, padding=padding, stride=stride)
        out = patches.permute(2, 0, 1) @ weight.transpose(1, 2)
        return out.permute(1, 2, 0).reshape(len(images), *bias.shape) + bias

    for ours, expected in zip(learned(unshared_convolution), learned(with_unfold), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=0)


def test_towers_of_fully_connected_layers_do_not_meet() -> None:
    """Two towers are two layers of half the size side by side."""
    layer = filled(build_layer(Dense(name="fc", units=6, groups=2, init=INIT), Maps(2, 2), 10))
    seen = noise(5, 8)
    halves = [
        functional.linear(seen[:, 4 * tower : 4 * tower + 4], layer.weight[tower])
        for tower in (0, 1)
    ]

    torch.testing.assert_close(layer(seen), torch.cat(halves, 1) + layer.bias)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (Conv(name="c", maps=6, size=5, groups=2, init=INIT), 3 * 25),
        (Conv(name="c", maps=6, size=5, weights="unshared", init=INIT), 6 * 25),
        (Dense(name="d", units=4, init=INIT), 6 * 49),
        (Dense(name="d", units=4, groups=2, init=INIT), 3 * 49),
    ],
)
def test_the_inputs_of_a_unit_are_counted(layer, inputs: int) -> None:
    """Six maps of 7 pixels; a tower sees half of them."""
    assert fan_in(build_layer(layer, Maps(6, 7), 10)) == inputs


def test_pooling_rounds_up_and_averages_inside_the_image() -> None:
    """4 pixels by 3/2 make two windows; the second is columns 2 and 3 alone.

    Rows 0..3 of 0..15: the means of the four windows are 5, 6.5, 11 and 12.5, the last over
    2 x 2 pixels (10, 11, 14, 15).
    """
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    pool = build_part(Pool(kind="avg_pool", size=3, stride=2, rounding="ceil"))

    assert pool(image).flatten().tolist() == [5.0, 6.5, 11.0, 12.5]


def test_overlapping_max_pooling() -> None:
    """Windows of 3 by steps of 2 share a row and a column: 10, 11 (cut), 14, 15."""
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    pool = build_part(Pool(kind="max_pool", size=3, stride=2, rounding="ceil"))

    assert pool(image).flatten().tolist() == [10.0, 11.0, 14.0, 15.0]


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
@given(side=st.integers(2, 14), size=st.integers(1, 4), stride=st.integers(1, 3))
def test_pooling_rounded_up_is_its_definition(kind: str, side: int, size: int, stride: int) -> None:
    """Every window that starts inside the image, cut at its edge, by NumPy."""
    assume(stride <= size and windows(side, size, stride, 0, "ceil") >= 1)
    image = noise(1, 1, side, side).double()
    starts = [y * stride for y in range(windows(side, size, stride, 0, "ceil"))]
    function = np.max if kind == "max_pool" else np.mean
    cut = image[0, 0].numpy()
    expected = [[function(cut[y : y + size, x : x + size]) for x in starts] for y in starts]

    pool = build_part(Pool(kind=kind, size=size, stride=stride, rounding="ceil"))  # type: ignore[arg-type]

    np.testing.assert_allclose(pool(image)[0, 0].numpy(), expected, rtol=1e-5)


def by_tanh(x: float) -> float:
    """Return Hendrycks and Gimpel's approximation, as they print it."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Relu(), [0.0, 0.0, 3.0]),
        (Tanh(), [np.tanh(-1.5), 0.0, np.tanh(3.0)]),
        (Tanh(outer=1.7159, inner=2 / 3), [1.7159 * np.tanh(-1), 0.0, 1.7159 * np.tanh(2)]),
        (LeakyRelu(slope=0.1), [-0.15, 0.0, 3.0]),
        (Elu(), [np.exp(-1.5) - 1, 0.0, 3.0]),
        (Elu(alpha=0.5), [0.5 * (np.exp(-1.5) - 1), 0.0, 3.0]),
        (Gelu(), [-1.5 * norm.cdf(-1.5), 0.0, 3 * norm.cdf(3)]),
        (Gelu(formula="tanh"), [by_tanh(-1.5), 0.0, by_tanh(3)]),
        (Silu(), [-1.5 / (1 + np.exp(1.5)), 0.0, 3 / (1 + np.exp(-3))]),
    ],
)
def test_activations(part, expected: list[float]) -> None:
    """Of -1.5, 0 and 3."""
    given = torch.tensor([-1.5, 0.0, 3.0])

    assert build_part(part)(given).tolist() == pytest.approx(expected)


def test_dropout_scales_where_it_says() -> None:
    """The paper leaves kept units alone while training; PyTorch doubles them."""
    units, keep = torch.tensor([1.0, 2.0]), torch.tensor([True, False])

    assert dropout(units, keep, 0.5, "test").tolist() == [1.0, 0.0]
    assert dropout(units, keep, 0.5, "training").tolist() == [2.0, 0.0]


@pytest.mark.parametrize(("scale", "factor"), [("test", 0.75), ("training", 1.0)])
def test_dropout_at_test_agrees_with_its_mean_in_training(scale: str, factor: float) -> None:
    """A quarter dropped: the paper multiplies by 0.75 at test, PyTorch by nothing."""
    layer = DropoutLayer(Dropout(rate=0.25, scale=scale))  # type: ignore[arg-type]
    layer.stream = torch.Generator().manual_seed(0)
    ones = torch.ones(200_000)

    tested = layer.eval()(ones)
    trained = layer.train()(ones)

    assert tested.unique().tolist() == [factor]
    assert trained.mean().item() == pytest.approx(factor, abs=5e-3)


def test_norms_pass_their_settings_on() -> None:
    """The modules are the functions with the config's numbers."""
    images = noise(1, 4, 5, 5) * 50
    lrn = LRN(size=3, alpha=1e-3, beta=0.5, k=1.5, groups=2)
    map_norm = MapNorm(size=3, alpha=1e-3, beta=0.5, k=1.5)

    assert torch.equal(
        build_part(lrn)(images), local_response_norm(images, 3, 1e-3, 0.5, 1.5, groups=2)
    )
    assert torch.equal(build_part(map_norm)(images), map_response_norm(images, 3, 1e-3, 0.5, 1.5))
