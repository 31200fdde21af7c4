"""What pytest leaves out: modules for trackers and clusters that are not installed here."""

from importlib.util import find_spec

collect_ignore = [
    f"reports/commands/export/for_{client}.py"
    for client in ("mlflow", "tensorboard", "wandb")
    if find_spec(client) is None
]
if find_spec("ray") is None:
    collect_ignore += [f"ablations/workers/{name}.py" for name in ("cluster", "connection")]
"""Their doctests are looked for in all modules, which imports these."""
