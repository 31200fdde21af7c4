"""One run by several ranks: the same run as by one process, but for the order of sums."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from alexnet.config import Adam, AreaCrops, BatchNorm, Config, Custom, MapNorm, Plateau, Until
from alexnet.custom import CustomError
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset
from alexnet.layers import DropoutLayer
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.parallel import Share, SharedBatchNorm, SharedDropout, share_out
from alexnet.presets import tiny
from alexnet.training import step
from tests.builders.own_parts import PARTS as OWN_PARTS
from tests.builders.ranks import Case, Trained, apart, trained, trained_by_ranks

UNEVEN, EMPTY, FEW = 330, 321, 65
"""Images of an epoch: the last batch of 32 has 10, of which 3 ranks get 3, 3 and 4; or 1."""
RANKS = (2, 3)


def case(images: int, **changes: object) -> Case:
    """Return 22 updates of the tiny network."""
    return Case(tiny().but(training={"images": images}).but(**changes))


NORMED = {"network": {"parts": {"norm": BatchNorm()}}}
UNSHARED = {
    "convolutions": {"conv2": {"weights": "unshared", "groups": 1}},
    "parts": {"norm": MapNorm(size=3, alpha=0.1, beta=0.75, k=1)},
}
CASES = {
    "tiny, uneven": case(UNEVEN),
    "tiny, empty": case(EMPTY),
    "batch norm, uneven": case(UNEVEN, **NORMED),
    "batch norm, empty": case(EMPTY, **NORMED),
    "adam": case(UNEVEN, training={"optimizer": Adam(rate=0.001)}),
    "unshared, norms in maps, empty": case(EMPTY, network=UNSHARED),
    "towers to the end, dropout that scales while training": case(
        EMPTY,
        network={
            "parts": {"dropout": {"scale": "training"}},
            "classifier": {"fc3": {"groups": 2}},
        },
    ),
    "plateau": case(FEW, training={"schedule": Plateau(patience=1, improvement=1.0), "epochs": 4}),
    "until": case(EMPTY, training={"until": Until(training_error=0.895), "epochs": 4}),
}
WRONG = {"dropout": "tiny, uneven", "batch norm": "batch norm, uneven"}
"""What is left out, in which case."""
BFLOAT16 = Case(tiny().but(training={"images": FEW}, **NORMED), "bfloat16")


@pytest.fixture(scope="module")
def by_ranks() -> dict[int, dict[str, list[Trained]]]:
    """Return what every case comes to on each of two and of three ranks; processes are few."""
    every = {
        **CASES,
        **{f"without {part}": CASES[of]._replace(left_out=part) for part, of in WRONG.items()},
        "bfloat16": BFLOAT16,
        "again": CASES["batch norm, empty"],
    }
    found = trained_by_ranks(RANKS, list(every.values()))
    return {count: dict(zip(every, cases, strict=True)) for count, cases in found.items()}


@pytest.fixture(scope="module")
def alone() -> dict[str, Trained]:
    """Return what every case comes to in one process."""
    return {name: trained(one) for name, one in CASES.items()}


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", CASES)
def test_ranks_train_what_one_process_trains(
    name: str,
    ranks: int,
    alone: dict[str, Trained],
    by_ranks: dict[int, dict[str, list[Trained]]],
) -> None:
    """Weights, velocities, running statistics and losses to 1e-12 in float64; counts exactly.

    To 1e-9 where rounding is amplified: by a division by small deviations, or roots of moments.
    """
    one, several = alone[name], by_ranks[ranks][name]

    limit = 1e-9 if name.startswith(("batch norm", "adam")) else 1e-12
    assert apart(one, several[0]) < limit
    for epoch, same in zip(one.curve, several[0].curve, strict=True):
        assert (epoch.errors, epoch.images) == (same.errors, same.images)
        assert epoch.valid_error == same.valid_error
    for other in several:  # or they would part for ever
        assert all(torch.equal(a, several[0].state[n]) for n, a in other.state.items())
        assert [e.errors for e in other.curve] == [e.errors for e in several[0].curve]


def test_decisions_fell_in_these_runs(alone: dict[str, Trained]) -> None:
    """A run that ended early, and rates that dropped: else they would prove nothing."""
    dropped, ended = alone["plateau"], alone["until"]
    plain = CASES["plateau"].config.but(training={"schedule": {"kind": "constant"}})

    assert len(ended.curve) < 4
    assert apart(dropped, trained(Case(plain))) > 1e-6


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("part", WRONG)
def test_what_is_not_shared_is_noticed(
    part: str,
    ranks: int,
    alone: dict[str, Trained],
    by_ranks: dict[int, dict[str, list[Trained]]],
) -> None:
    """By far more than any limit above."""
    assert apart(alone[WRONG[part]], by_ranks[ranks][f"without {part}"][0]) > 1e-6


@pytest.mark.parametrize("ranks", RANKS)
def test_the_same_ranks_give_the_same_bits(
    ranks: int, by_ranks: dict[int, dict[str, list[Trained]]]
) -> None:
    """Sums are made in the same order every time."""
    first, again = (by_ranks[ranks][name][0] for name in ("batch norm, empty", "again"))

    assert all(torch.equal(tensor, again.state[name]) for name, tensor in first.state.items())


def test_bfloat16_is_summed_in_float32(by_ranks: dict[int, dict[str, list[Trained]]]) -> None:
    """Losses differ by what rounding makes of them: 2^-9 of an activation."""
    one, two = trained(BFLOAT16), by_ranks[2]["bfloat16"][0]

    assert two.curve[-1].loss == pytest.approx(one.curve[-1].loss, rel=0.02)
    assert {tensor.dtype for tensor in two.state.values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize("count", [1, 2, 3, 32, 127])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_row_is_one_rank_s(count: int, ranks: int) -> None:
    """In order, and as even as can be."""
    parts = [range(count)[Share(rank, ranks).rows(count)] for rank in range(ranks)]

    assert [row for part in parts for row in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("crops", [True, AreaCrops()])
def test_rows_of_a_batch_are_made_as_in_the_whole(images: Dataset, crops: object) -> None:
    """Same crops, flips, colour and labels, whoever makes them; of a last batch of 2, one is empty.

    200 images in batches of 33: the last one has two.
    """
    config = tiny().but(training={"batch": 33}, inputs={"random_crops": crops})
    whole = list(training_batches(images, config, 4, 2))
    shares = [
        list(training_batches(images, config, 4, 2, rows=Share(rank, 3).rows)) for rank in range(3)
    ]

    for (views, labels), *parts in zip(whole, *shares, strict=True):
        assert torch.equal(torch.cat([part for part, _ in parts]), views)
        assert torch.equal(torch.cat([part for _, part in parts]), labels)
    assert [len(parts[-1][1]) for parts in shares] == [0, 1, 1]


def test_layers_keep_their_names_and_what_they_hold() -> None:
    """Streams of chance and files of weights know them by these."""
    config = tiny().but(network={"parts": {"norm": BatchNorm(momentum=0.3, epsilon=0.01)}})
    network = build(config, 0)
    network.features.get_buffer("conv1_norm.running_mean").fill_(7.0)
    before = network.state_dict()
    names = [name for name, _ in network.named_modules()]

    share_out(network, config, "float32", Share(0, 2))

    norm = network.features.get_submodule("conv1_norm")
    assert isinstance(norm, SharedBatchNorm)
    assert (norm.momentum, norm.eps) == (0.3, 0.01)
    assert isinstance(network.classifier.get_submodule("fc3_dropout"), SharedDropout)
    assert [name for name, _ in network.named_modules()] == names
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


def test_alone_nothing_is_put_in_a_place() -> None:
    """One device computes as before, to the bit."""
    network = build(tiny().but(network={"parts": {"norm": BatchNorm()}}), 0)
    kinds = [type(module) for module in network.modules()]

    share_out(network, tiny(), "float32", Share())

    assert [type(module) for module in network.modules()] == kinds
    assert {DropoutLayer, nn.BatchNorm2d} <= set(kinds)


def test_one_value_of_a_channel_cannot_be_normalised() -> None:
    """As PyTorch's own refuses it."""
    share = Share(0, 2)
    share.batch = 1
    norm = SharedBatchNorm(nn.BatchNorm2d(3, affine=False), share)

    with pytest.raises(ValueError, match="one value of each channel"):
        norm(torch.empty(0, 3, 1, 1))


def own(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **fields: object) -> Config:
    """Return the tiny network with a part of one's own in place of ReLU."""
    (folder / "mine.py").write_text(OWN_PARTS + MIXING)
    monkeypatch.syspath_prepend(folder)
    part = Custom(target=f"mine:{name}", **fields)  # type: ignore[arg-type]
    return tiny().but(network={"parts": {"act": part}})


MIXING = """

class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0, keepdim=True) if len(x) else x
"""


@pytest.mark.parametrize("name", ["Centred", "Moving"])
def test_a_part_that_needs_the_whole_batch_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes a mean over images, and one that remembers what it has seen."""
    config = own(name, tmp_path, monkeypatch)
    config = config.but(network={"classifier": {"fc3": {"then": ()}}})  # `Moving` is of maps
    network = build(config, 0)

    with pytest.raises(CustomError, match=rf"mine:{name} \(conv1_act\) uses several images .* one"):
        share_out(network, config, "float32", Share(1, 2))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_part_that_sees_one_image_at_a_time_is_shared_out(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that learns."""
    for name, fields in (
        ("PRelu", {"parameters_per_map": 1}),
        ("Squareplus", {"kwargs": {"b": 1.0}}),
    ):
        config = own(name, tmp_path, monkeypatch, **fields)
        network = build(config, 0, precision)
        share_out(network, config, precision, Share(0, 2))

        assert isinstance(network.classifier.get_submodule("fc3_dropout"), SharedDropout)


def test_a_step_of_a_rank_stays_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device, where most operations refuse what was left on the CPU, as a GPU would.

    Sums are looked at, and not made: nothing of `torch.distributed` is there.
    """
    seen: list[str] = []

    def look(share: Share, values: Tensor) -> Tensor:
        assert values.is_contiguous()
        seen.append(values.device.type)
        return values

    monkeypatch.setattr(Share, "sum", look)
    share = Share(1, 3)
    share.batch = 10
    for norm in (BatchNorm(), MapNorm(size=3, alpha=0.1, beta=0.75, k=1)):
        config = tiny().but(network={"parts": {"norm": norm}})
        network = build(config, 0).to("meta")
        optimizer = optimizer_for(network, config.training.optimizer)
        share_out(network, config, "float32", share)
        for rows in (3, 0):
            views = torch.empty(rows, 3, 12, 12, device="meta")
            labels = torch.empty(rows, dtype=torch.int64, device="meta")
            share.batch = 10 if rows else 1
            loss, errors = step(network, optimizer, views, labels, "float32", share=share)
            assert loss.device.type == errors.device.type == "meta"

    assert set(seen) == {"meta"}
    assert len(seen) == 2 * (2 + 2 + 1) + 2  # a norm's mean and variance both ways; gradients
