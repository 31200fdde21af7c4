"""The exit codes of the commands."""

FAILED = 1
"""A run failed."""
BAD_INPUT = 2
CHANGED = 3
"""Something differs from a baseline."""
TIME_LIMIT = 4
"""A time limit was reached, or a scheduler's signal came, before all was done."""
INTERRUPTED = 130
