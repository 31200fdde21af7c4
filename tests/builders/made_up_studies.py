"""Studies for the list of studies, and what a command prints."""

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from ablations.arms import NO_NORM
from ablations.study import Arm, Base, Contrast, EnsembleError, FinalError, Study
from alexnet.data.synthetic import GENERATED
from alexnet.presets import tiny

SEEDS = 4


POINT = {"direction": "higher", "margin": 0.05, "margin_reason": "made up"}


def made_up(name: str, arms: dict[str, Arm], *contrasts: Contrast) -> Study:
    """Return a study of seconds on the generated images."""
    config = tiny().but(
        network={"view": 28, "parts": {"norm": {"groups": 1}}}, training={"epochs": 2}
    )
    base = Base(
        config=config, metric=FinalError(), rates=(0.001, 0.003), refine=False, judged=False
    )
    return Study(
        name=name,
        question="Does it?",
        arms=arms,
        contrasts=contrasts,
        bases={GENERATED: base},
        seeds=SEEDS,
    )


TWO = made_up(
    "norm",
    {"with": Arm(), "without": Arm(changes=NO_NORM)},
    Contrast(arm="without", against="with", **POINT),
)


ONE = made_up(
    "pairs",
    {"as it is": Arm()},
    Contrast(
        arm="as it is", against="as it is", **(POINT | {"direction": "lower"}),
        metric=EnsembleError(networks=2, group=2),
        against_metric=EnsembleError(networks=1, group=2),
    ),
)  # fmt: skip


def printed(what: Callable[..., None], *about: Any, **options: Any) -> str:
    """Return what is printed of something, unwrapped."""
    console = Console(file=io.StringIO(), width=200)
    what(console, *about, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
