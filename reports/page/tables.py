"""A comparison as a table: Markdown, CSV, LaTeX, and rows for the page."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ablations.metrics import observe
from ablations.plan import Plan
from ablations.record import Record
from ablations.run import SHORT
from ablations.study import Metric
from ablations.tuning import Trial, held_out
from alexnet.durable import write_atomically
from alexnet.learning_curve import gave_up
from reports.analysis.comparison import Comparison
from reports.analysis.effect import Bound, Effect
from reports.findings.frames import unit_of
from reports.findings.sections import Section
from reports.wording.formatting import measured, metric_name, percent, size, unit, value
from reports.wording.sentences import (
    arm_cells,
    estimate,
    interval,
    margin,
    one_more_pair,
    paper_number,
    word,
)


def arms_table(plan: Plan, comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm by the primary metric, every cell as it is read.

    Changes, and what follows from them, have columns where all are against one arm, which then
    changes by nothing. The verdict comes first, where a narrow screen shows it.
    """
    metric = plan.definition.metric
    shown = _shown(plan, comparison)
    references = {effect.contrast.against for effect in _primary(plan, comparison)}
    nothing = "1" if metric.is_ratio else "0"
    rows = []
    for row in comparison.rows:
        of_effect = [nothing if row.arm in references else "-", "", ""]
        if effect := shown.get(row.arm):
            of_effect = [estimate(effect), interval(effect), paper_number(effect)]
        rows.append([*arm_cells(row, metric), *of_effect])
    size = "speed-up" if metric.is_ratio else f"change, {unit(metric)}"
    columns = [
        "arm",
        "learning rate",
        "seeds",
        "reached",
        "epochs" if metric.is_ratio else metric_name(metric),
    ]
    table = pd.DataFrame(rows, columns=[*columns, size, "95 % interval", "paper"])
    if not shown:
        return table[columns]
    words = [word(shown[row.arm].verdict) if row.arm in shown else "-" for row in comparison.rows]
    table.insert(1, "verdict", words)
    return table


def _primary(plan: Plan, comparison: Comparison) -> list[Effect]:
    metric = plan.definition.metric
    return [e for e in comparison.effects if e.metric == metric and e.contrast.is_simple]


def _shown(plan: Plan, comparison: Comparison) -> dict[str, Effect]:
    """Return the effect of each arm by the primary metric, where all are against one arm."""
    primary = _primary(plan, comparison)
    one = len({effect.contrast.against for effect in primary}) == 1
    return {effect.contrast.arm: effect for effect in primary} if one else {}


def needs_contrasts(plan: Plan, comparison: Comparison) -> bool:
    """Return whether the arms' table does not say everything of the contrasts."""
    metrics = [effect.metric for effect in comparison.effects]
    simple = all(effect.contrast.is_simple for effect in comparison.effects)
    return metrics != [plan.definition.metric] or not simple


def contrasts_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per contrast: what, the word for it, how large and how sure."""
    rows = []
    for effect in comparison.effects:
        rows.append(
            [
                effect.contrast.compared,
                word(effect.verdict),
                measured(effect.contrast, effect.metric),
                effect.pairs,
                f"{estimate(effect)} {unit(effect.metric)}" if effect.pairs else "-",
                interval(effect),
                one_more_pair(effect) or "-",
                paper_number(effect),
                margin(effect),
                _p(effect.p_adjusted),
                _p(effect.equivalence_p_adjusted),
            ]
        )
    return pd.DataFrame(
        rows,
        columns=["contrast", "verdict", "metric", "pairs", "effect", "95 % interval",
                 "one more pair", "paper", "margin", "p (corrected)", "equivalence p (corrected)"],
    )  # fmt: skip


def certainty_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per contrast with pairs: its tests, and what the planned seeds can show."""
    rows = []
    for effect in comparison.effects:
        if effect.p is None:
            continue
        detectable = "-"
        if effect.detectable is not None and not comparison.smoke:
            detectable = size(effect.detectable, effect.metric)
            if effect.seeds_for_paper is not None:
                detectable += f"; the paper's {paper_number(effect)} takes {effect.seeds_for_paper}"
        equality = effect.decidable_margin
        correlation = effect.pair_correlation
        rows.append(
            [
                effect.contrast.compared,
                measured(effect.contrast, effect.metric),
                _p(effect.p) + _test(effect),
                _p(effect.p_adjusted),
                _p(effect.equivalence_p),
                f"{margin(effect)}: {effect.contrast.margin_reason}",
                detectable,
                "-" if equality is None else size(equality, effect.metric),
                "-" if correlation is None else f"{correlation:.2f}",
                effect.unmet or "met or none",
            ]
        )
    return pd.DataFrame(
        rows,
        columns=["contrast", "metric", "exact sign-flip p", "p (corrected)", "equivalence p",
                 "margin", "detectable effect (80 % power)", "detectable equality within",
                 "correlation of pairs", "precondition"],
    )  # fmt: skip


def _test(effect: Effect) -> str:
    """Return of which test a p-value is, if not of the one that its column names."""
    return "" if effect.freedom is None else f" (Student's t, {effect.freedom} df)"


def thresholds_table(comparison: Comparison) -> pd.DataFrame:
    """Return the speed-up of every contrast at the other thresholds."""
    return pd.DataFrame(
        [
            [
                effect.contrast.compared,
                percent(at.training_error),
                f"{at.estimate:.2f}",
                _between(at.low, at.high),
                at.pairs,
            ]
            for effect in comparison.effects
            for at in effect.at_thresholds
        ],
        columns=["contrast", "training error", "speed-up", "95 % interval", "pairs"],
    )


def tuning_table(section: Section) -> pd.DataFrame:
    """Return every rate that was tried, what each tuning seed got, by which run, and the choice."""
    plan, records = section.plan, section.tuning_records
    metric = held_out(plan.definition.metric)
    rows = []
    for arm, choice in plan.choices.items():
        for trial in choice.trials:
            pairs = zip(trial.runs, trial.outcomes, strict=True)
            got = [_got(records.get(run), outcome, trial, metric) for run, outcome in pairs]
            chosen = "chosen" if trial.rate == choice.rate else ""
            ids = " ".join(run[:SHORT] for run in trial.runs)
            rows.append([arm, f"{trial.rate:g}", chosen, trial.epochs, ", ".join(got), ids])
    by_seed = f"{metric_name(metric)}, by seed"
    return pd.DataFrame(rows, columns=["arm", "learning rate", "", "epochs given", by_seed, "runs"])


def _got(record: Record | None, outcome: float, trial: Trial, metric: Metric) -> str:
    """Return what one tuning run got, as far as its record still says; its number if it is gone."""
    if record is None:
        return value(outcome, metric) + ("" if trial.reached else "?")
    if record.status == "diverged":
        return f"diverged in epoch {len(record.curve) + 1}"
    if gave_up(record.curve, record.run.config):
        return f"given up after {len(record.curve)}"
    seen = observe(record, metric)
    if seen is not None and seen.bound:
        return f"not within {len(record.curve)}"
    return value(outcome, metric)


NUMBERS = ("estimate", "low", "high", "unit", "n", "p", "p_corrected")
"""Columns of a CSV file that no person reads: an effect in full, errors as fractions."""


def effect_numbers(effect: Effect | None) -> list[object]:
    """Return `NUMBERS` of an effect, None where there are none.

    Of a bound what can be relied on: the end of the interval on its side, and no estimate.
    """
    if effect is None:
        return [None] * len(NUMBERS)
    at_least = effect.estimate if effect.low is None else effect.low
    at_most = effect.estimate if effect.high is None else effect.high
    known: dict[Bound, tuple[float | None, float | None, float | None]] = {
        "none": (effect.estimate, effect.low, effect.high),
        "lower": (None, at_least, None),
        "upper": (None, None, at_most),
        "both": (None, None, None),
    }
    units = unit(effect.metric)
    named = "fraction" if units == "points" else units
    return [*known[effect.bound], named, effect.pairs, effect.p, effect.p_adjusted]


def arms_numbers(plan: Plan, comparison: Comparison) -> pd.DataFrame:
    """Return the numbers of `arms_table`: each arm's mean, and its effect where it has one."""
    metric = plan.definition.metric
    shown = _shown(plan, comparison)
    rows = [[row.mean, unit_of(metric), *effect_numbers(shown.get(row.arm))]
            for row in comparison.rows]  # fmt: skip
    # Counts stay whole numbers where some arms have none.
    return pd.DataFrame(rows, columns=["mean", "mean_unit", *NUMBERS], dtype=object)


def contrasts_numbers(comparison: Comparison) -> pd.DataFrame:
    """Return the numbers of `contrasts_table`."""
    rows = [effect_numbers(effect) for effect in comparison.effects]
    return pd.DataFrame(rows, columns=list(NUMBERS), dtype=object)


def effects_table(found: Sequence[Section]) -> pd.DataFrame:
    """Return one row per contrast of every study, in numbers: what was found, all in one table."""
    rows = [
        [
            section.plan.definition.study,
            section.comparison.dataset,
            section.comparison.setting,
            section.comparison.smoke,
            effect.contrast.between,
            effect.contrast.claim,
            measured(effect.contrast, effect.metric),
            *effect_numbers(effect),
            effect.contrast.paper,
            effect.margin,
            word(effect.verdict),
        ]
        for section in found
        for effect in section.comparison.effects
    ]
    return pd.DataFrame(
        rows,
        columns=["study", "dataset", "setting", "smoke", "contrast", "claim", "metric", *NUMBERS,
                 "paper", "margin", "verdict"],
        dtype=object,
    )  # fmt: skip


def write_tables(plan: Plan, comparison: Comparison, folder: Path, name: str) -> list[Path]:
    """Write arms and contrasts as Markdown, CSV and LaTeX; return the paths."""
    arms = arms_table(plan, comparison), arms_numbers(plan, comparison)
    contrasts = contrasts_table(comparison), contrasts_numbers(comparison)
    return [
        *write_table(arms[0], folder, name, arms[1]),
        *write_table(contrasts[0], folder, f"{name}.contrasts", contrasts[1]),
    ]


def write_csv(table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write a table as CSV, its numbers in full; return the path."""
    path = folder / f"{name}.csv"
    cells = [[_no_formula(cell) for cell in row] for row in table.astype(object).to_numpy()]
    safe = pd.DataFrame(cells, columns=[_no_formula(name) for name in table], dtype=object)
    write_atomically(path, safe.to_csv(index=False, lineterminator="\n").encode())
    return path


def write_table(
    table: pd.DataFrame, folder: Path, name: str, numbers: pd.DataFrame | None = None
) -> list[Path]:
    """Write a table as Markdown, CSV and LaTeX; return the paths.

    Args:
        table: Every cell as it is read.
        folder: Where to.
        name: Of the files, without an ending.
        numbers: Further columns for the CSV file alone, row by row.
    """
    flat = table.map(_in_a_line).rename(columns=_in_a_line)
    contents = {
        "md": markdown(table),
        "tex": flat.style.hide(axis="index").format(escape="latex").format_index(
            escape="latex", axis="columns"
        ).to_latex(hrules=True),
    }  # fmt: skip
    paths = [write_csv(table if numbers is None else table.join(numbers), folder, name)]
    for ending, content in contents.items():
        path = folder / f"{name}.{ending}"
        write_atomically(path, content.encode())
        paths.append(path)
    return paths


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown; what would end a cell or be read as HTML is escaped."""
    rows = [list(table.columns), *table.values.tolist()]
    head, *lines = ([_in_markdown(cell) for cell in row] for row in rows)
    ruled = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(line) + " |\n" for line in ruled)


def _in_markdown(cell: object) -> str:
    text = str(_in_a_line(cell)).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _in_a_line(cell: object) -> object:
    """Return text without line breaks, which would end a row; anything else as it is."""
    return " ".join(cell.splitlines()) if isinstance(cell, str) else cell


STARTS = ("=", "@", "+", "-", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
SIGNED = re.compile(r"[+-](?:\d[\d.,]*(?: ?[%\N{MULTIPLICATION SIGN}])?(?:$| [a-z\[])|$)")
"""A number with its sign, alone or before words; a formula has an operator there."""


def _no_formula(cell: object) -> object:
    """Return text as a cell that no spreadsheet computes; numbers and their signs as they are.

    >>> _no_formula("=1+1"), _no_formula("-cmd"), _no_formula("+1+1"), _no_formula("-2 +x")
    ("'=1+1", "'-cmd", "'+1+1", "'-2 +x")
    >>> _no_formula("-1.83 [-2.31, -1.35]"), _no_formula("-0.5 to +0.1"), _no_formula("-")
    ('-1.83 [-2.31, -1.35]', '-0.5 to +0.1', '-')
    """
    computes = isinstance(cell, str) and cell.startswith(STARTS) and not SIGNED.match(cell)
    return f"'{cell}" if computes else cell


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _between(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"
