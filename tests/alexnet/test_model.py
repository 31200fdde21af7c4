"""The networks against FACTS and against what their configs say."""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from ablations.studies import STUDIES
from alexnet.config import ChannelMeans, Config, Normal, Pool, Precision, Tanh
from alexnet.layers import Convolution, DropoutLayer, LocalResponseNorm, fan_in
from alexnet.model import as_computed, build, layer_of
from alexnet.optim import optimizer_for
from alexnet.precision import arithmetic, weight_type
from alexnet.presets import PRESETS, alexnet_cifar, cifar_80sec, preset, tiny
from alexnet.training import give_dropout_its_chance, step, training_loss

FIGURE_1 = STUDIES["relu_vs_tanh"]
# What the arms of all studies promise is in test_studies.py.
EVERY_CONFIG = [
    *(pytest.param(make(), id=name) for name, make in PRESETS.items()),
    *(
        pytest.param(FIGURE_1.config(dataset, arm), id=f"{dataset}/{arm}")
        for dataset in FIGURE_1.bases
        for arm in FIGURE_1.arms
    ),
]
SMALL_CONFIGS = [
    pytest.param(make(), id=name) for name, make in PRESETS.items() if make().network.view <= 64
]


def test_the_80_second_network_has_its_145578_parameters() -> None:
    """Worked out in FACTS (d) from layers-80sec.cfg: 2432 + 25632 + 51264 + 65600 + 650."""
    sizes = {
        name: sum(p.numel() for p in module.parameters())
        for name, module in build(cifar_80sec(), 0).named_modules()
        if hasattr(module, "weight")
    }

    assert list(sizes.values()) == [2432, 25632, 51264, 65600, 650]
    assert sum(sizes.values()) == 145_578


def test_the_80_second_network_pools_32_16_8_4() -> None:
    """Every pooling rounds up, as cuda-convnet does."""
    images, sides = torch.zeros(1, 3, 32, 32), []
    for name, module in build(cifar_80sec(), 0).features.named_children():
        images = module(images)
        if name.endswith("pool"):
            sides.append(images.shape[-1])

    assert sides == [16, 8, 4]


def test_the_80_second_network_pools_before_its_first_activation() -> None:
    """conv1, max pool, ReLU; then convolution, ReLU, average pool."""
    names = [name for name, _ in build(cifar_80sec(), 0).features.named_children()]

    assert names == [
        "conv1", "conv1_pool", "conv1_act",
        "conv2", "conv2_act", "conv2_avg_pool",
        "conv3", "conv3_act", "conv3_avg_pool",
    ]  # fmt: skip


def test_alexnet_for_small_images_has_the_papers_eight_layers() -> None:
    """Five convolutions, three of them in two towers, two hidden layers and the classes."""
    network = build(alexnet_cifar(), 0)
    convolutions = [m for m in network.features if isinstance(m, torch.nn.Conv2d)]
    dense = [m for m in network.classifier if isinstance(m, torch.nn.Linear)]

    assert [conv.groups for conv in convolutions] == [1, 2, 1, 2, 2]
    assert len(dense) == 3
    assert sum(isinstance(m, LocalResponseNorm) for m in network.modules()) == 2
    assert sum(isinstance(m, DropoutLayer) for m in network.modules()) == 2
    assert network(torch.zeros(2, 3, 28, 28)).shape == (2, 10)


def gradients(
    config: Config, precision: Precision, rounded: bool = False
) -> tuple[float, dict[str, Tensor]]:
    """Return loss and gradients of a whole training step, from the start, on eight images of noise.

    In any precision from the same weights, images and masks, which were drawn in float32. Weights
    and pixels may be rounded to bfloat16 beforehand.
    """
    view, scale = config.network.view, 60.0
    if isinstance(config.inputs.normalise, ChannelMeans):
        scale = 1.0
    images = torch.randn(8, 3, view, view, generator=torch.Generator().manual_seed(0)) * scale
    network = build(config, 0)
    give_dropout_its_chance(network, config, 0, 1, precision)
    if rounded:
        images = images.bfloat16().float()
        network.load_state_dict({n: w.bfloat16().float() for n, w in network.state_dict().items()})
    network, images = network.to(weight_type(precision)), images.to(weight_type(precision))
    with arithmetic("cpu", precision):
        scores = network(images)
    loss = training_loss(scores, torch.arange(8) % config.network.classes)
    loss.backward()
    found = {}
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        found[name] = weights.grad.clone()
    optimizer_for(network, config.training.optimizer).step()
    assert all(weights.isfinite().all() for weights in network.parameters())
    return loss.item(), found


@pytest.mark.parametrize("config", SMALL_CONFIGS)
def test_float64_is_float32_but_for_rounding(config: Config) -> None:
    """To a millionth in the loss; of a gradient to 2^-8, the last digit of bfloat16.

    Where rounding decides a ReLU or a maximum, single units choose otherwise.
    """
    loss, single = gradients(config, "float32")
    exact_loss, exact = gradients(config, "float64")

    assert loss == pytest.approx(exact_loss, rel=1e-6)
    for name, gradient in exact.items():
        assert gradient.dtype == torch.float64
        error = (single[name] - gradient).norm() / gradient.norm()
        assert error < 2**-8, name


@pytest.mark.parametrize("config", EVERY_CONFIG)
class TestEveryConfig:
    """What any network that can be trained here must do."""

    def test_a_training_step_runs_on_the_meta_device(self, config: Config) -> None:
        """Where most operations refuse a tensor left behind on the CPU, as a GPU would."""
        network = build(config, 0).to("meta")
        optimizer = optimizer_for(network, config.training.optimizer)
        view = config.network.view
        images = torch.empty(4, 3, view, view, device="meta")
        labels = torch.empty(4, dtype=torch.int64, device="meta")

        loss, errors = step(network, optimizer, images, labels, "float32")

        assert loss.device.type == errors.device.type == "meta"

    def test_bfloat16_is_float32_but_for_rounding(self, config: Config) -> None:
        """Every parameter learns, and its gradient is off by little more than rounding makes it.

        How much that is, the network itself says: in float32, with no more than its weights
        and images rounded to bfloat16, ReLU and max pooling choose otherwise here and there,
        and conv1's gradient on noise moves by a sixth. Arithmetic in bfloat16 rounds at every
        layer, so it may move four times as far, or by 2^-6, four units of the type's precision.
        """
        loss, exact = gradients(config, "float32")
        _, rounded = gradients(config, "float32", rounded=True)
        other_loss, other = gradients(config, "bfloat16")

        assert other_loss == pytest.approx(loss, rel=0.01)
        for name, gradient in exact.items():
            size = gradient.norm()
            assert size > 0, name
            error = (other[name] - gradient).norm() / size
            assert error < 4 * (rounded[name] - gradient).norm() / size + 2**-6, name

    def test_initial_weights_have_the_deviations_and_biases_of_the_config(
        self, config: Config
    ) -> None:
        """Within five standard errors of a deviation: 1/sqrt(2 n); half of that if uniform."""
        network = build(config, 0)
        for layer in config.network.layers:
            module = layer_of(network, layer.name)
            weight, bias = module.get_parameter("weight"), module.get_parameter("bias")
            tolerance = 5 / (2 * weight.numel()) ** 0.5
            if isinstance(layer.init, Normal):
                assert weight.std().item() == pytest.approx(layer.init.std, rel=tolerance)
                assert bias.unique().tolist() == pytest.approx([layer.init.bias])
            else:
                bound = fan_in(module) ** -0.5
                assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=tolerance)
                assert weight.abs().max() <= bound
                assert bias.abs().max() <= bound
                assert bias.std() > bound / 4


def test_pytorchs_initial_weights_are_pytorchs() -> None:
    """The same bounds as torch.nn gives layers of those sizes."""
    network = build(preset("torchvision"), 0)
    theirs = torchvision.models.alexnet(weights=None)
    pairs = zip(network.parameters(), theirs.parameters(), strict=True)

    for ours, other in pairs:
        assert ours.shape == other.shape
        assert ours.abs().max().item() == pytest.approx(other.abs().max().item(), rel=0.1)


def test_arms_of_one_seed_start_from_the_same_weights() -> None:
    """The activation has no say in them."""
    relu = build(cifar_80sec(), 3).state_dict()
    tanh = build(cifar_80sec().but(network={"parts": {"act": Tanh()}}), 3).state_dict()

    assert all(torch.equal(relu[name], tanh[name]) for name in relu)


def test_seeds_start_from_different_weights() -> None:
    """Unless the stream is pinned."""
    one, other = (build(tiny(), seed).features.conv1.weight for seed in (0, 1))
    pinned = build(tiny().but(pinned=("init",)), 1).features.conv1.weight

    assert not torch.equal(one, other)
    assert torch.equal(one, pinned)


def test_a_part_set_to_none_is_absent() -> None:
    """And the weights of every layer stay what they were."""
    without = build(tiny().but(network={"parts": {"norm": None}}), 0)

    assert not any(isinstance(m, LocalResponseNorm) for m in without.modules())
    assert without.state_dict().keys() == build(tiny(), 0).state_dict().keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_relu_after_max_pooling_is_relu_before_it_bit_by_bit(dtype: torch.dtype) -> None:
    """Output and gradients, where windows are positive, negative, or have equal numbers."""
    config = preset("cifar_conv_local_13pct")
    ours, listed = build(config, 0).features[:3], nn.Sequential(*build(config, 0).features[:3])
    assert [type(module) for module in listed] == [Convolution, nn.ReLU, nn.MaxPool2d]
    assert [name for name, _ in as_computed(ours)] == ["conv1", "conv1_pool", "conv1_act"]
    stream = torch.Generator().manual_seed(0)
    images = (60 * torch.randn(16, 3, 24, 24, generator=stream)).round()

    results = []
    for stage in (ours, listed):
        nn.init.constant_(stage[0].bias, -0.1)  # or hardly any window would be all negative
        stage.to(dtype)
        seen = images.to(dtype, memory_format=torch.channels_last).requires_grad_()
        out = stage(seen)
        (out * torch.arange(1, 17).to(dtype)[:, None, None, None]).sum().backward()
        results.append([out, seen.grad, *(values.grad for values in stage.parameters())])

    assert 0.1 < (results[0][0] == 0).float().mean() < 0.9
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize(
    "parts",
    [
        {"act": Tanh()},  # saturated numbers are equal, and the first of them takes the gradient
        {"pool": Pool(kind="avg_pool", size=3, stride=2, rounding="ceil")},
    ],
)
def test_nothing_else_changes_places(parts: dict[str, object]) -> None:
    """A network is computed in the order of its config."""
    config = preset("cifar_conv_local_13pct").but(network={"parts": parts})

    names = [name for name, _ in as_computed(build(config, 0).features)]

    assert names[:3] == ["conv1", "conv1_act", "conv1_pool"]


def test_a_view_too_small_for_the_layers_is_refused() -> None:
    """With its size, before anything is trained."""
    with pytest.raises(
        ValueError, match="conv1's pool: a window of 3 x 3 does not fit the 2 x 2 pixels"
    ):
        build(cifar_80sec().but(network={"view": 2, "parts": {"pool": {"rounding": "floor"}}}), 0)
