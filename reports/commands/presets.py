"""What `invoke presets` prints: the presets side by side, or one of them layer by layer."""

import inspect
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from alexnet.config import Config, Conv, Dense, Network
from alexnet.config.towers import TowersError, bytes_sent, has_towers
from alexnet.cost import cost_of
from alexnet.presets import FAMILIES, PRESETS, preset
from reports.commands.console import as_typed
from reports.findings import counts
from reports.wording.config_summary import NONE, facets, initial, part_in_words
from reports.wording.sentences import word

SAME = "·"
LABEL, COLUMN = 15, 18
"""Characters; presets that do not fit a line side by side go on below."""


def side_by_side(console: Console) -> RenderableType:
    """Return one table a family: a row per facet that differs, a column per preset."""
    found: list[RenderableType] = [
        Text(f"{len(PRESETS)} networks, and how each is trained; {SAME} is as in the first column")
    ]
    per_line = max(2, (console.width - LABEL) // COLUMN)
    for family in FAMILIES:
        others = [make.__name__ for make in family.others]
        for start in range(0, len(others), per_line - 1):
            title = family.title if start == 0 else f"{family.title}, continued"
            chosen = [family.reference.__name__, *others[start : start + per_line - 1]]
            found += [Text(), Text(title.upper(), style="bold"), _table(chosen)]
    found.append(Text(as_typed("\nOne of them, layer by layer:  invoke presets --name paper")))
    return Group(*found)


def _table(names: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column("", width=LABEL - 1, no_wrap=True, style="dim")
    for name in names:
        table.add_column(name, width=COLUMN - 1, overflow="fold")
    columns = [facets(preset(name)) | _sizes(name) for name in names]
    for facet, reference in columns[0].items():
        values = [column[facet] for column in columns]
        if len(set(values)) > 1:
            table.add_row(facet, reference, *(v if v != reference else SAME for v in values[1:]))
    return table


def _sizes(name: str) -> dict[str, str]:
    cost = cost_of(preset(name).network)
    return {
        "parameters": f"{cost.parameters:,}",
        "multiply-adds": f"{cost.multiply_adds:,}",
    }


def layer_by_layer(name: str) -> RenderableType:
    """Return a preset's layers with their sizes, and how it is trained.

    Raises:
        PresetError: If there is none of that name.
    """
    config = preset(name)
    found: list[RenderableType] = [
        Text(name, style="bold"),
        Text(_about(name)),
        Text(),
        _layers(config, name),
        Text(),
        *(
            Text(f"{part:<12}{part_in_words(settings)}")
            for part, settings in config.network.parts_in_use().items()
        ),
        Text(),
        _training(config),
    ]
    if has_towers(config.network):
        found += [Text(), *_on_two_devices(config.network)]
    if name == counts.PRESET:
        found += [Text(), Text("printed in the paper, and counted here", style="bold"), _printed()]
    return Group(*found)


def _about(name: str) -> str:
    """Return what is known of a preset: its documentation, which says what it returns."""
    text = inspect.cleandoc(PRESETS[name].__doc__ or "").removeprefix("Return ")
    paragraphs = (" ".join(lines.split()) for lines in text.split("\n\n"))
    about = "\n\n".join(paragraphs)
    return about[:1].upper() + about[1:]


def _layers(config: Config, name: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column("layer")
    for heading in ("kernel", "output", "parameters", "multiply-adds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("starts from")
    table.add_column("then", overflow="fold")
    cost = cost_of(preset(name).network)
    for layer, its in zip(config.network.layers, cost.layers, strict=True):
        table.add_row(
            layer.name,
            _kernel(layer, config),
            "x".join(map(str, its.output)),
            f"{its.parameters:,}",
            f"{its.multiply_adds:,}",
            initial(layer.init),
            _then(layer, config),
        )
    sums = (f"{cost.activations:,} units", f"{cost.parameters:,}", f"{cost.multiply_adds:,}")
    table.add_row("in all", "", *sums, style="bold")
    return table


def _kernel(layer: Conv | Dense, config: Config) -> str:
    seen = config.network.seen_by()[layer.name]
    if isinstance(layer, Dense):
        return f"{seen.units // layer.groups}" + (f", {layer.groups} towers" * (layer.groups > 1))
    stride = f"/{layer.stride}" if layer.stride > 1 else ""
    padding = f"+{layer.padding}" if layer.padding else ""
    return f"{layer.size}x{layer.size}x{seen.maps // layer.groups}{stride}{padding}"


def _then(layer: Conv | Dense, config: Config) -> str:
    return " ".join(name for name, _ in config.network.after(layer)) or NONE


def _training(config: Config) -> Table:
    shown = facets(config)
    wanted = list(shown)[list(shown).index("pixels") :]
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    for facet in wanted:
        table.add_row(Text(facet, style="dim"), shown[facet])
    return table


def _on_two_devices(network: Network) -> list[RenderableType]:
    """Return what each tower sends the other, or why two devices cannot share the towers."""
    title = Text("a tower on each of two devices: what each sends the other", style="bold")
    try:
        sent = bytes_sent(network)
    except TowersError as error:
        return [title, Text(f"nothing, since they cannot be put there: {error}")]
    *_, last = sent
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for layer, number in sent.items():
        what = "the scores of one tower" if layer == last else "what its own tower gives"
        table.add_row(f"before {layer}", f"{number:,} bytes", what)
    rest = "of an image, in float32; training sends as much again, the gradients"
    return [title, table, Text(rest, style="dim")]


def _printed() -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    for claim, count in counts.all_counts():
        said = word(counts.verdict([count]))
        table.add_row(claim.id, counts.printed(count), counts.shown(count), said)
    return table
