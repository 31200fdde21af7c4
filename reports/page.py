"""The page, and everything else that `invoke report` writes."""

import json
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ablations.plan import Plan
from ablations.store import Store, write_atomically
from alexnet.config import Frozen
from reports import words
from reports.comparison import Comparison, compare
from reports.figures import draw, save
from reports.ledger import Row, ledger, ledger_table, numbers
from reports.readings import readings_table
from reports.spread import spread_table
from reports.tables import (
    arms_table,
    contrasts_table,
    needs_contrasts,
    thresholds_table,
    tuning_table,
    write_table,
    write_tables,
)


class Section(Frozen):
    """One study on one dataset, ready to be shown."""

    plan: Plan
    comparison: Comparison
    second_look: Comparison | None
    headline: str
    name: str  # study@dataset, of its files
    first_run: datetime | None


def sections(store: Store) -> list[Section]:
    """Return what each plan in a results folder has come to; smoke plans last."""
    found = []
    for plan in store.plans():
        comparison = compare(plan, store)
        found.append(
            Section(
                plan=plan,
                comparison=comparison,
                second_look=compare(plan, store, plan.seeds) if plan.second_looks else None,
                headline=words.headline(plan, comparison),
                name=plan.name,
                first_run=_first_run(plan, store),
            )
        )
    return sorted(found, key=_order)


def write_report(store: Store, out: Path, study: str | None = None) -> list[Path]:
    """Write page, figures, tables and ``report.json`` to ``out``; return the paths, page first."""
    everything = sections(store)
    found = [s for s in everything if study in (None, s.plan.definition.study)]
    written: list[Path] = []
    pictures = {}
    for section in found:
        figure = draw(section.plan, store)
        if figure is not None:
            paths = save(figure, out, section.name)
            pictures[section.name] = Markup(_svg_element(paths[0].read_text()))
            written += paths
        written += write_tables(section.plan, section.comparison, out, section.name)
    claims = ledger([(section.plan, section.comparison) for section in everything])
    written += write_table(ledger_table(claims), out, "ledger")
    page = out / "index.html"
    write_atomically(page, _render(found, claims, pictures, store).encode())
    data = out / "report.json"
    content = {
        "studies": [section.model_dump(mode="json") for section in found],
        "ledger": [row.model_dump(mode="json") for row in claims],
    }
    write_atomically(data, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
    return [page, data, *written]


def _render(
    found: list[Section], claims: list[Row], pictures: dict[str, Markup], store: Store
) -> str:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "arms_table": arms_table,
        "contrasts_table": contrasts_table,
        "needs_contrasts": needs_contrasts,
        "numbers": numbers,
        "readings_table": readings_table,
        "spread_table": spread_table,
        "thresholds_table": thresholds_table,
        "tuning_table": tuning_table,
    }
    return environment.get_template("page.html").render(
        sections=found, claims=claims, pictures=pictures, store=store
    )


def _svg_element(document: str) -> str:
    """Return the svg element alone, without the XML header that HTML does not know."""
    return document[document.index("<svg") :]


def _first_run(plan: Plan, store: Store) -> datetime | None:
    ids = {run for choice in plan.choices.values() for trial in choice.trials for run in trial.runs}
    dates = [record.provenance.at for record in store.records() if record.run.id in ids]
    return min(dates, default=None)


def _order(section: Section) -> tuple[bool, bool, bool, str]:
    """Real studies before smoke, results before none, the paper's data before practice data."""
    one = section.comparison
    return one.smoke, one.done == 0, one.setting == "stand-in", section.name
