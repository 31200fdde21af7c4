"""What pytest leaves out: modules for trackers whose clients are not installed here."""

from importlib.util import find_spec

collect_ignore = [
    f"reports/commands/export/for_{client}.py"
    for client in ("mlflow", "tensorboard", "wandb")
    if find_spec(client) is None
]
"""Their doctests are looked for in all modules, which imports these."""
