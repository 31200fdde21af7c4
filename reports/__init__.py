"""From plans and records to tables, figures and a page; and what a person calls."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.frames import curves_frame, runs_frame
    from reports.notebook import figure1, run_study

__all__ = ["curves_frame", "figure1", "run_study", "runs_frame"]
MODULES = {"curves_frame": "frames", "runs_frame": "frames"}
"""Where each is; if not named, in `notebook`."""


def __getattr__(name: str) -> Any:
    """Import what is called from Python when it is first asked for: Matplotlib takes its time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reports.{MODULES.get(name, 'notebook')}"), name)
