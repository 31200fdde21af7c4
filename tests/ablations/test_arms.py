"""Changes that several studies make, against sizes and numbers worked out by hand."""

import math

import pytest
import torch

from ablations.arms import (
    NO_COLOUR_NOISE,
    NO_CROPS_OR_FLIPS,
    NO_DECAY,
    NO_DROPOUT,
    NO_NORM,
    POOL_2_2,
    TANH,
    Changes,
    biases_of_zero,
    half_on_one_gpu,
    no_communication,
    one_wide_tower,
    without_convolution,
)
from ablations.studies import STUDIES
from alexnet.config import Config, Network
from alexnet.model import build, layer_of, skeleton
from alexnet.presets import (
    alexnet_cifar,
    caffe_alexnet,
    no_communication_2012,
    one_gpu_2012,
    paper,
    source_2012,
    tiny,
)
from alexnet.schedules import factors


def sides(network: Network) -> dict[str, list[int]]:
    """Return the side of the maps after each module of the features, by its layer, from PyTorch."""
    images = torch.empty(1, 3, network.view, network.view, device="meta")
    found: dict[str, list[int]] = {}
    for name, module in skeleton(network).features.named_children():
        images = module(images)
        found.setdefault(name.split("_")[0], []).append(images.shape[-1])
    return found


def modules(network: Network) -> list[str]:
    """Return the names of the modules of the features, in order."""
    return [name for name, _ in skeleton(network).features.named_children()]


def parameters(network: Network) -> int:
    """Return how many weights and biases PyTorch would learn."""
    return sum(parameter.numel() for parameter in skeleton(network).parameters())


def test_removing_conv2_of_the_paper_leaves_27_13_and_6_pixels() -> None:
    """conv1 sees 224 and leaves 55: 1 + ceil((224 - 11) / 4) = 1 + 54.

    Its pooling of 3/2 leaves (55 - 3) / 2 + 1 = 27, the pooling that was conv2's (27 - 3) / 2 + 1
    = 13; conv3 to conv5 pad by 1 and keep 13; conv5's pooling leaves 6.
    """
    network = paper().but(**without_convolution("conv2")(paper())).network

    assert sides(network) == {
        "conv1": [55, 55, 55, 27, 27, 13],
        "conv3": [13, 13],
        "conv4": [13, 13],
        "conv5": [13, 13, 6],
    }
    assert modules(network)[:6] == [
        "conv1", "conv1_act", "conv1_norm", "conv1_pool",
        "conv1_norm_of_conv2", "conv1_pool_of_conv2",
    ]  # fmt: skip
    assert network.parts["norm_of_conv2"] == network.parts["norm"]
    assert network.parts["pool_of_conv2"] == network.parts["pool"]
    assert network.seen_by()["fc6"] == (256, 6)


def test_removing_conv2_of_the_paper_takes_its_weights_and_narrows_conv3s() -> None:
    """Of 60,965,224: conv2's 256 x 48 x 25 + 256 = 307,456 are gone.

    conv3 sees 96 maps for 256, so that 384 x (256 - 96) x 9 = 552,960 more are gone.
    """
    network = paper().but(**without_convolution("conv2")(paper())).network

    assert parameters(network) == 60_965_224 - 307_456 - 552_960


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        # conv3's 384 x 256 x 9 + 384, and conv4 sees 128 maps a tower for 192.
        ("conv3", 384 * 256 * 9 + 384 + 384 * (192 - 128) * 9),
        # conv4's 384 x 192 x 9 + 384; conv5 sees conv3's 384, as it saw conv4's.
        ("conv4", 384 * 192 * 9 + 384),
        # conv5's 256 x 192 x 9 + 256; fc6 sees 384 maps of 6 x 6 for 256: more, not fewer.
        ("conv5", 256 * 192 * 9 + 256 - 4096 * (384 - 256) * 36),
    ],
)
def test_removing_another_convolution_of_the_paper_loses_what_arithmetic_says(
    name: str, lost: int
) -> None:
    """And every map keeps its size: none of the three strides."""
    network = paper().but(**without_convolution(name)(paper())).network

    assert parameters(network) == 60_965_224 - lost
    assert name not in {layer.name for layer in network.layers}
    assert sides(network)["conv2"] == [27, 27, 27, 13]
    assert list(sides(network).values())[-1][-1] == 6
    assert skeleton(network)(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)


def test_removing_the_last_convolution_keeps_its_pooling_under_its_own_name() -> None:
    """No pooling follows conv4, so that conv5's needs no second name."""
    network = paper().but(**without_convolution("conv5")(paper())).network

    assert modules(network)[-3:] == ["conv4", "conv4_act", "conv4_pool"]
    assert network.parts.keys() == paper().network.parts.keys()


def test_removing_conv3_leaves_nothing_of_it() -> None:
    """An activation is all that followed it."""
    network = paper().but(**without_convolution("conv3")(paper())).network

    assert modules(network) == [name for name in modules(paper().network) if "conv3" not in name]


def test_removing_conv2_on_small_images() -> None:
    """conv1 sees 28 and leaves (28 + 4 - 5) // 2 + 1 = 14; poolings 3/2 leave 7 and 3, rounded up.

    1 + ceil(11 / 2) = 7, 1 + ceil(4 / 2) = 3, 1 + ceil(0 / 2) = 1.
    """
    network = alexnet_cifar().but(**without_convolution("conv2")(alexnet_cifar())).network

    assert sides(network) == {
        "conv1": [14, 14, 14, 7, 7, 3],
        "conv3": [3, 3],
        "conv4": [3, 3],
        "conv5": [3, 3, 1],
    }


def test_removing_each_convolution_of_small_images_keeps_poolings_and_norms() -> None:
    """Three of one and two of the other, wherever they come to stand."""
    for name in ("conv2", "conv3", "conv4", "conv5"):
        network = alexnet_cifar().but(**without_convolution(name)(alexnet_cifar())).network
        kinds = [part.kind for conv in network.convolutions for _, part in network.after(conv)]

        assert kinds.count("max_pool") == 3
        assert kinds.count("lrn") == 2
        assert kinds.count("relu") == 4
        assert build(alexnet_cifar().but(network=network.model_dump()), 0)(
            torch.zeros(2, 3, 28, 28)
        ).shape == (2, 10)


def test_a_norm_that_the_base_leaves_out_stays_left_out_after_a_removal() -> None:
    """Under its second name too."""
    base = paper().but(**NO_NORM)
    network = base.but(**without_convolution("conv2")(base)).network

    assert not any("norm" in name for name in modules(network))
    assert sides(network)["conv1"] == [55, 55, 27, 13]


def test_half_on_one_gpu_is_the_codes_own_network_of_one_gpu() -> None:
    """48, 128, 192, 192 and 256 maps, none of them in towers (#145-half)."""
    config = source_2012().but(**half_on_one_gpu(source_2012()))
    network = config.network

    assert [conv.maps for conv in network.convolutions] == [48, 128, 192, 192, 256]
    assert {layer.groups for layer in network.layers} == {1}
    assert network == one_gpu_2012().network
    assert config.training == source_2012().training
    assert config.inputs == source_2012().inputs


def test_half_of_the_paper_has_the_weights_that_arithmetic_says() -> None:
    """Of the convolutions 48 x 363 + 48, 128 x 48 x 25 + 128, 192 x 128 x 9 + 192 and so on.

    192 x 192 x 9 + 192 and 256 x 192 x 9 + 256; fully connected layers keep all of the paper's,
    37,752,832 + 16,781,312 + 4,097,000.
    """
    network = paper().but(**half_on_one_gpu(paper())).network
    convolutions = 17_472 + 153_728 + 221_376 + 331_968 + 442_624

    assert parameters(network) == convolutions + 37_752_832 + 16_781_312 + 4_097_000
    assert network.parts["norm"].groups == 1
    assert sides(network) == sides(paper().network)


def test_towers_that_never_meet_are_those_of_the_code() -> None:
    """320 maps in conv2 and 8192 units in fc6, everything in two groups but conv1 and fc8."""
    config = source_2012().but(**no_communication(source_2012()))
    network = config.network

    assert network == no_communication_2012().network
    assert config.training == source_2012().training
    assert [layer.groups for layer in network.layers] == [1, 2, 2, 2, 2, 2, 2, 1]


def test_towers_that_never_meet_do_not_see_each_other() -> None:
    """What the second half of conv1 is does not reach the first half of the last hidden layer."""
    config = alexnet_cifar().but(**no_communication(alexnet_cifar()))
    network = build(config, 3).eval()
    images = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0)) * 50
    before = network.hidden(images)
    with torch.no_grad():
        layer_of(network, "conv1").weight[16:] *= -1
    after = network.hidden(images)

    assert torch.equal(before[:, :256], after[:, :256])
    assert not torch.equal(before[:, 256:], after[:, 256:])


def test_one_wide_tower_of_the_paper_has_62378344_parameters() -> None:
    """The count that is often given for AlexNet, which is of no network of 2012.

    34,944 + 614,656 + 885,120 + 1,327,488 + 884,992 in the convolutions, that is 96 x 363 + 96,
    256 x 96 x 25 + 256, 384 x 256 x 9 + 384, 384 x 384 x 9 + 384, 256 x 384 x 9 + 256; then
    4096 x 9216 + 4096, 4096 x 4096 + 4096 and 1000 x 4096 + 1000.
    """
    network = paper().but(**one_wide_tower(paper())).network

    assert parameters(network) == 62_378_344
    assert parameters(paper().network) == 60_965_224
    assert network.parts["norm"].groups == 1
    assert network.parts["norm"] == paper().network.parts["norm"].but(groups=1)


def test_a_wide_tower_without_a_norm_has_none() -> None:
    """There is no window to widen."""
    base = paper().but(**NO_NORM)

    for change in (one_wide_tower, half_on_one_gpu):
        assert base.but(**change(base)).network.parts["norm"] is None


def test_pooling_2_2_leaves_maps_as_large_as_3_2() -> None:
    """55 // 2 = 27, 27 // 2 = 13, 13 // 2 = 6, as the paper's pooling leaves."""
    network = paper().but(**POOL_2_2).network
    pooled = [side[-1] for name, side in sides(network).items() if name in ("conv1", "conv2")]

    assert sides(network)["conv1"][0] == 55
    assert [*pooled, sides(network)["conv5"][-1]] == [27, 13, 6]
    assert sides(network) == sides(paper().network)
    assert not any(
        module.kernel_size > module.stride
        for module in skeleton(network).modules()
        if isinstance(module, torch.nn.MaxPool2d)
    )


def test_pooling_2_2_of_small_images_leaves_no_place_of_the_last_map_out() -> None:
    """What follows conv5 reads all nine places, as with 3/2; with 2/2 on a map of 3, four."""
    study, base = STUDIES["overlapping_pooling"], alexnet_cifar()

    def places(config: Config) -> int:
        network = build(config, 0)
        seen = torch.rand(64, 64, 3, 3, generator=torch.Generator().manual_seed(0))
        seen.requires_grad_()
        after = [
            module
            for name, module in network.features.named_children()
            if name.startswith("conv5") and name.endswith("pool")
        ]
        after[0](seen).sum().backward()
        return int((seen.grad.abs().sum((0, 1)) > 0).sum())

    equal = study.config("cifar10", "2/2, equal maps")
    assert places(base) == places(equal) == 9
    assert places(base.but(**POOL_2_2)) == 4
    assert sides(equal.network) == sides(base.network)
    assert study.config("imagenet", "2/2, equal maps") == study.bases["imagenet"].config.but(
        **POOL_2_2
    )


def test_the_codes_ends_come_where_the_codes_did() -> None:
    """Biases fall with the first drop of the weights; the rest between the second and the third.

    Drops after 26, 32 and 35 of 36 epochs: 32 + 3 x (67 - 51) / 27 = 33.8, with 72 34.3.
    """
    study = STUDIES["code_vs_paper"]
    base = study.bases["cifar10"].config.training
    biases, frozen, noise = (
        study.config("cifar10", arm)
        for arm in (
            "biases at twice the rate, lowered once",
            "conv1 frozen near the end",
            "colour noise off near the end",
        )
    )

    for epoch, weights, of_biases in ((0, 1, 2), (25, 1, 2), (26, 0.1, 0.2), (35, 0.001, 0.2)):
        rates = factors(biases.training, [None] * epoch, epoch * 100, 100)
        doubled = rates.biases * biases.training.optimizer.bias_rate
        assert (rates.weights, doubled) == pytest.approx((weights, of_biases))
    assert base.schedule.after == (26, 32, 35)
    assert [rate.after for rate in frozen.training.layer_rates] == [33, 34]
    assert noise.inputs.colour.last_epoch == 33


def test_where_the_rate_never_drops_biases_cannot_drop_once() -> None:
    """A sentence; what ends late ends at the same part of the whole: 36 x 67 / 92 = 26.2."""
    study = STUDIES["code_vs_paper"]
    constant = study.bases["cifar10"].config.but(training={"schedule": {"kind": "constant"}})

    with pytest.raises(ValueError, match="rates that follow 'constant' have no first drop"):
        study.arms["biases at twice the rate, lowered once"].config(constant)
    noise = study.arms["colour noise off near the end"].config(constant).inputs.colour
    assert noise.last_epoch == 26


def test_what_the_code_starts_from_is_the_network_of_the_other_studies() -> None:
    """Whose conv3 to conv5 start as the code's do, so it is trained once."""
    study = STUDIES["code_vs_paper"]

    assert study.config("cifar10", "deviations of 0.03 in conv3 to conv5") == alexnet_cifar()


def test_caffes_normalisation_is_caffes() -> None:
    """Over all maps, not within towers: what its preset has."""
    norm = STUDIES["response_norm"].config("imagenet", "Caffe's").network.parts["norm"]

    assert norm == caffe_alexnet().network.parts["norm"]


def test_biases_of_zero_start_at_zero_and_weights_as_before() -> None:
    """In the built network, layer by layer; five of the eight start at 1 otherwise."""
    base = alexnet_cifar()
    with_ones, zeros = build(base, 5), build(base.but(**biases_of_zero(base)), 5)
    names = [layer.name for layer in base.network.layers]
    started = [layer_of(with_ones, name).bias.mean().item() for name in names]

    assert started == [0, 1, 0, 1, 1, 1, 1, 0]
    for name in names:
        assert not layer_of(zeros, name).bias.any()
        assert torch.equal(layer_of(zeros, name).weight, layer_of(with_ones, name).weight)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (TANH, {"network.parts.act"}),
        (NO_NORM, {"network.parts.norm"}),
        (NO_DROPOUT, {"network.parts.dropout"}),
        (NO_CROPS_OR_FLIPS, {"inputs.random_crops", "inputs.flips"}),
        (NO_COLOUR_NOISE, {"inputs.colour"}),
        (NO_DECAY, {"training.optimizer.weight_decay"}),
        (POOL_2_2, {"network.parts.pool"}),
    ],
)
@pytest.mark.parametrize("base", [paper(), alexnet_cifar(), tiny()], ids=["paper", "cifar", "tiny"])
def test_an_idea_is_removed_and_nothing_else(
    base: Config, changes: Changes, fields: set[str]
) -> None:
    """Every other field of the config is as it was."""
    without = base.but(**changes)
    left = {section: base.model_dump()[section] for section in ("network", "inputs", "training")}
    for field in fields:
        *path, last = field.split(".")
        inner, changed = left, without.model_dump()
        for key in path:
            inner, changed = inner[key], changed[key]
        assert inner[last] != changed[last], field
        inner[last] = changed[last]

    assert left == {section: without.model_dump()[section] for section in left}


def test_nothing_decays_without_decay() -> None:
    """In no layer, also where the base names them one by one."""
    for base in (paper(), tiny()):
        optimizer = base.but(**NO_DECAY).training.optimizer

        assert {optimizer.decay_of(layer.name) for layer in base.network.layers} == {0.0}


def test_tanh_is_pytorchs_own() -> None:
    """Of slope 1 and height 1, section 3.1."""
    network = build(tiny().but(**TANH), 0)
    act = network.features.get_submodule("conv1_act")

    assert float(act(torch.tensor(0.5))) == pytest.approx(math.tanh(0.5))
    assert not any(isinstance(module, torch.nn.ReLU) for module in network.modules())


def test_the_first_convolution_cannot_be_removed_into_the_last() -> None:
    """Nothing comes before it: a sentence says so, instead of conv5 getting a second pooling."""
    ungrouped = paper().but(**one_wide_tower(paper()))

    with pytest.raises(ValueError, match="conv1"):
        ungrouped.but(**without_convolution("conv1")(ungrouped))
