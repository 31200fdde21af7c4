"""A comparison as a table: Markdown, CSV, LaTeX, and rows for the page."""

from pathlib import Path

import pandas as pd

from ablations.plan import Plan
from ablations.store import write_atomically
from ablations.study import TimeTo
from reports.comparison import Comparison
from reports.words import arm_cells, estimate, interval


def arms_table(plan: Plan, comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm, every cell as it is read."""
    ratio = isinstance(plan.definition.metric, TimeTo)
    effects = {effect.contrast.arm: effect for effect in comparison.effects}
    rows = []
    for row in comparison.rows:
        effect = effects.get(row.arm)
        of_effect = ["1" if ratio else "0", "", ""]
        if effect is not None:
            paper = f"{effect.contrast.paper:g}"
            shown = "-" if effect.estimate is None else estimate(effect, ratio)
            of_effect = [shown, interval(effect, ratio), paper]
        rows.append([*arm_cells(row, ratio), *of_effect])
    size = "speed-up" if ratio else "change, points"
    columns = ["arm", "rate", "seeds", "reached", "epochs" if ratio else "error"]
    return pd.DataFrame(rows, columns=[*columns, size, "95 % interval", "paper"])


def thresholds_table(comparison: Comparison) -> pd.DataFrame:
    """Return the speed-up at the other thresholds."""
    return pd.DataFrame(
        [
            [
                f"{100 * at.training_error:g} %",
                f"{at.estimate:.2f}",
                _between(at.low, at.high),
                at.pairs,
            ]
            for effect in comparison.effects
            for at in effect.at_thresholds
        ],
        columns=["training error", "speed-up", "95 % interval", "pairs"],
    )


def tuning_table(plan: Plan) -> pd.DataFrame:
    """Return every rate that was tried, with what each tuning seed got and which was chosen."""
    rows = []
    for arm, choice in plan.choices.items():
        for trial in choice.trials:
            got = [f"{value:.2f}" for value in trial.outcomes] if trial.reached else ["not reached"]
            chosen = "chosen" if trial.rate == choice.rate else ""
            rows.append([arm, f"{trial.rate:g}", trial.epochs, ", ".join(got), chosen])
    return pd.DataFrame(rows, columns=["arm", "rate", "epochs given", "outcome by seed", ""])


def write_tables(plan: Plan, comparison: Comparison, folder: Path, name: str) -> list[Path]:
    """Write the comparison as Markdown, CSV and LaTeX; return the paths."""
    table = arms_table(plan, comparison)
    contents = {
        "md": markdown(table),
        "csv": table.to_csv(index=False, lineterminator="\n"),
        "tex": table.style.hide(axis="index").format(escape="latex").format_index(
            escape="latex", axis="columns"
        ).to_latex(hrules=True),
    }  # fmt: skip
    paths = []
    for ending, content in contents.items():
        path = folder / f"{name}.{ending}"
        write_atomically(path, content.encode())
        paths.append(path)
    return paths


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown; numbers and text alike as they stand."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).values.tolist()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _between(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"
