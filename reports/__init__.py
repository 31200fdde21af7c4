"""From plans and records to tables, figures and a page; and what a person calls."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.notebook import figure1, run_study

__all__ = ["figure1", "run_study"]


def __getattr__(name: str) -> Any:
    """Import what notebooks use when it is first asked for: Matplotlib takes its time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from reports import notebook

    return getattr(notebook, name)
