"""Where a training step's time goes: ``invoke bench --explain`` prints it layer by layer.

Beside each layer with weights stands what its matrix products cost alone: output and both
gradients, of the same sizes and in the same arithmetic. A convolution copies its patches besides,
and where it takes less time than its products, its kernel is better than the products' own.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import click
import torch
from rich.console import Console
from rich.table import Table
from steps import CORES, as_workers_do, batch
from torch import Tensor, nn

from ablations.studies import StudyError, find_study
from alexnet.config import Config, Conv, Dense, Precision
from alexnet.config.network import Maps
from alexnet.data import synthetic
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset, Images
from alexnet.model import AlexNet, as_computed, build
from alexnet.optim import optimizer_for
from alexnet.precision import arithmetic, image_type
from alexnet.presets import PresetError, preset
from alexnet.training import training_loss

Value = TypeVar("Value")

WIDTH = 96  # columns of the table


class Part(NamedTuple):
    """A part of a step, and the least seconds that it took."""

    name: str
    forward: float
    backward: float
    products: float | None = None  # its matrix products alone, forward and backward

    @property
    def seconds(self) -> float:
        """Return the seconds of both directions."""
        return self.forward + self.backward


def parts_of(config: Config, precision: Precision, rounds: int) -> list[Part]:
    """Return the parts of a training step in their order, the shortest of several rounds each."""
    config = config.but(training={"optimizer": {"rate": 1e-5}})
    network = build(config, 0, precision)
    optimizer = optimizer_for(network, config.training.optimizer)
    images, labels = batch(config.network.view, config.network.classes, config.training.batch)
    images = images.to(image_type(precision))
    modules = list(_modules(network))
    least: dict[str, tuple[float, float]] = {}
    for _ in range(rounds + 1):  # the first, which warms up, will hardly be the shortest
        for name, *seconds in _step(network, modules, optimizer.step, images, labels, precision):
            before = least.get(name, (float("inf"), float("inf")))
            least[name] = min(before[0], seconds[0]), min(before[1], seconds[1])
    seen = config.network.seen_by()
    alone = {
        layer.name: _products(layer, seen[layer.name], config, len(images), precision, rounds)
        for layer in config.network.layers
    }
    batches = Part("a batch of images", _seconds_of_a_batch(config, precision, rounds), 0.0)
    return [batches, *(Part(name, *seconds, alone.get(name)) for name, seconds in least.items())]


def _seconds_of_a_batch(config: Config, precision: Precision, rounds: int) -> float:
    """Return what a batch of stored images costs: cropped, turned, coloured, normalised."""
    side = 32 if config.inputs.resize or config.network.view <= 32 else 256
    pixels = torch.randint(0, 256, (4 * config.training.batch, side, side, 3), dtype=torch.uint8)
    images = Images(pixels, torch.zeros(len(pixels), dtype=torch.long))
    mean = torch.full((side, side, 3), 127.0, dtype=torch.float64)
    axes = torch.eye(3, dtype=torch.float64)
    data = Dataset(synthetic.manifest(), images, images, images, mean, axes.sum(0), axes)

    def epoch() -> int:
        dtype = image_type(precision)
        return sum(1 for _ in training_batches(data, config, 0, 1, dtype))

    timed = (_timed(epoch) for _ in range(rounds + 1))
    return min(seconds / count for seconds, count in timed)


def _modules(network: AlexNet) -> Iterator[tuple[str, nn.Module]]:
    yield from as_computed(network.features)
    yield "flatten", nn.Flatten()
    yield from network.classifier.named_children()


def _step(
    network: AlexNet,
    modules: list[tuple[str, nn.Module]],
    learn: Callable[[], None],
    images: Tensor,
    labels: Tensor,
    precision: Precision,
) -> Iterator[tuple[str, float, float]]:
    """Train one step, each module cut off from the others; yield its two times by name."""
    network.train()
    passed: list[tuple[str, Tensor, Tensor, float]] = []
    seen, first = images, True
    with arithmetic("cpu", precision):
        for name, module in modules:
            seen = seen.detach().requires_grad_(not first)
            seconds, out = _timed(lambda module=module, seen=seen: module(seen))
            passed.append((name, seen, out, seconds))
            seen, first = out, False
    scores = seen.detach().requires_grad_()
    forward, loss = _timed(lambda: training_loss(scores, labels))
    backward, _ = _timed(loss.backward)
    above, times = scores.grad, [("loss", forward, backward)]
    for name, seen, out, seconds in reversed(passed):
        backward, _ = _timed(lambda out=out, above=above: out.backward(above))
        above = seen.grad
        times.append((name, seconds, backward))
    yield from reversed(times)
    yield "weight update", _timed(learn)[0], 0.0


def _timed(work: Callable[[], Value]) -> tuple[float, Value]:
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def _products(
    layer: Conv | Dense, seen: Maps, config: Config, images: int, precision: Precision, rounds: int
) -> float:
    """Return the least seconds of a layer's matrix products: its output and two gradients.

    The first layer has no use for the gradient of what it sees.
    """
    if isinstance(layer, Conv):
        places, inputs, units = layer.side_of(seen.side) ** 2, seen.maps * layer.size**2, layer.maps
    else:
        places, inputs, units = 1, seen.units, layer.units or config.network.classes
    own = places if isinstance(layer, Conv) and layer.weights == "unshared" else layer.groups
    rows = images if own == places else images * places  # of each of so many products
    sees = torch.randn(own, rows, inputs // layer.groups)
    gives = torch.randn(own, rows, units if own == places else units // layer.groups)
    sees, gives = (values.to(image_type(precision)) for values in (sees, gives))
    weights = torch.randn(own, gives.shape[2], sees.shape[2]).to(sees.dtype)
    products = [(sees, weights.mT), (gives.mT, sees), (gives, weights)]
    if layer.name == config.network.layers[0].name:
        products.pop()

    def all_of_them() -> None:
        for one, other in products:
            for number in range(own) if own <= 2 else []:  # one large product keeps all cores busy
                torch.mm(one[number], other[number])
            if own > 2:
                torch.bmm(one, other)

    return min(_timed(all_of_them)[0] for _ in range(rounds + 1))


def config_of(name: str) -> Config:
    """Return the config of a preset, or of ``study@dataset/arm``.

    Raises:
        PresetError: If there is no such preset.
        StudyError: If there is no such study, or it has no such dataset or arm.
    """
    if "@" not in name:
        return preset(name)
    study, _, rest = name.partition("@")
    dataset, _, arm = rest.partition("/")
    definition = find_study(study)
    for kind, asked, there in (
        ("dataset", dataset, definition.bases),
        ("arm", arm, definition.arms),
    ):
        if asked not in there:
            raise StudyError(f"{study} has no {kind} {asked!r}; it has {', '.join(there)}")
    return definition.config(dataset, arm)


def _network(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> object:
    try:
        return {name: config_of(name) for name in value or ("paper",)}
    except (PresetError, StudyError) as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("networks", nargs=-1, callback=_network)
@click.option("--threads", type=click.IntRange(1), help="Default: all, or one for small images.")
@click.option("--precision", type=click.Choice(["auto", "bfloat16", "float32"]), default="auto")
@click.option("--rounds", type=click.IntRange(1), default=5, help="The shortest of so many counts.")
def main(networks: dict[str, Config], threads: int | None, precision: str, rounds: int) -> None:
    """Print where a training step of networks goes; each a preset or study@dataset/arm."""
    console = Console(width=max(WIDTH, Console().width))
    for name, config in networks.items():
        cores = threads or (CORES if config.network.view > 64 else 1)
        native = as_workers_do(cores)
        taken: Precision = native if precision == "auto" else precision  # type: ignore[assignment]
        title = f"{name}: threads {cores}, {taken}, a batch of {config.training.batch}"
        console.print(table_of(parts_of(config, taken, rounds), title))


def table_of(parts: list[Part], title: str) -> Table:
    """Return parts of a step as a table, their sum last."""
    table = Table("part", title=title, title_justify="left")
    for heading in ("forward", "backward", "both, ms", "share", "products alone", "times"):
        table.add_column(heading, justify="right")
    whole = sum(part.seconds for part in parts)
    products = sum(part.products or 0.0 for part in parts)
    directions = sum(part.forward for part in parts), sum(part.backward for part in parts)
    for part in [*parts, Part("a step", *directions, products)]:
        alone = part.products
        table.add_row(
            part.name,
            *(f"{1e3 * one:.2f}" for one in (part.forward, part.backward, part.seconds)),
            f"{part.seconds / whole:.0%}",
            "" if alone is None else f"{1e3 * alone:.2f}",
            "" if alone is None else f"{part.seconds / alone:.1f}",
            end_section=part is parts[-1],
        )
    return table


if __name__ == "__main__":
    main()
