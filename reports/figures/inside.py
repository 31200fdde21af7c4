"""What lies inside a trained network: the paper's Figures 3 and 4, from one run's examples."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from ablations.results import Results
from reports.figures.examples import draw_neighbours, draw_predictions
from reports.figures.kernels import draw_kernels
from reports.findings.deviations import whole_network
from reports.findings.sections import Section, real

EXAMPLES = "examples.safetensors"


class Inside(NamedTuple):
    """The run whose examples are shown for a dataset."""

    dataset: str
    arm: str
    seed: int
    run: str  # the twelve digits that people see
    path: Path


def shown_runs(found: Sequence[Section], results: Results) -> list[Inside]:
    """Return, for each dataset, the first run of a whole network that kept examples."""
    chosen: dict[str, Inside] = {}
    for section in real(found):
        arm, dataset = whole_network(section), section.plan.definition.dataset.name
        for seed, record in section.records[arm].items():
            if dataset in chosen:
                break
            if (path := results.find_file(record, EXAMPLES)) is not None:
                chosen[dataset] = Inside(dataset, arm, seed, record.run.short, path)
    return list(chosen.values())


def inside_figures(shown: Sequence[Inside]) -> Iterator[tuple[str, Figure]]:
    """Yield Figures 3 and 4 of every dataset that has them, with the names of their files."""
    for one in shown:
        for name, draw in (
            ("figure3", draw_kernels),
            ("figure4-predictions", draw_predictions),
            ("figure4-neighbours", draw_neighbours),
        ):
            if (figure := draw(one.path)) is not None:
                yield f"{name}@{one.dataset}", figure
