"""The page, and everything else that `invoke report` writes."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from ablations.merged import orphaned_runs
from ablations.results import Results
from alexnet.data.catalogue import called
from alexnet.durable import write_atomically
from alexnet.text import counted
from reports.figures import captions
from reports.figures.differences import draw_differences
from reports.figures.forest import draw_forest, draw_narrow_forest
from reports.figures.front import draw_front_figure, draw_share, figure_1
from reports.figures.inside import Inside, inside_figures, shown_runs
from reports.figures.network import draw_network
from reports.figures.pictures import save
from reports.figures.readings import draw_rate_map
from reports.figures.shares import PAGE, PHONE, draw_shares
from reports.figures.study import draw
from reports.figures.tuning import draw_tuning
from reports.findings import paper_tables
from reports.findings.copies import CopyRow, copies_table, in_short, of_copies, originals
from reports.findings.deviations import Deviation, deviations
from reports.findings.forest import ForestRow, forest, one_a_claim
from reports.findings.frames import every_run, runs_table
from reports.findings.headline import Answer, Fact, answer, facts
from reports.findings.ledger import Row, groups, ledger, ledger_table, numbers
from reports.findings.provenance import Provenance, provenance
from reports.findings.rate_map import rate_curves, rate_table
from reports.findings.readings import readings_table
from reports.findings.sections import Section, begun, of_the_paper, sections
from reports.findings.shares import FrontRows, alternative, front_rows
from reports.findings.slopes import is_of_slopes, slopes
from reports.findings.spread import spread_table
from reports.findings.verification import read_verified
from reports.page import document
from reports.page.tables import (
    arms_table,
    certainty_table,
    contrasts_table,
    effects_table,
    needs_contrasts,
    thresholds_table,
    tuning_table,
    write_csv,
    write_table,
    write_tables,
)
from reports.wording import formatting, sentences

MANY = 20
"""Studies of which each has a picture of how its rates were chosen; of more, a table alone."""
TREES = 40
"""Rows of the forest plot; its table has all."""


class Report(NamedTuple):
    """All that a report shows."""

    sections: list[Section]  # that were asked for
    speaking: list[Section]  # all but those of a copy of images that themselves have been asked
    claims: list[Row]
    of_the_paper: bool  # whether a study asks of the claims; otherwise nothing shows them
    front: Answer
    facts: tuple[Fact, ...]
    shares: FrontRows
    forest: list[ForestRow]
    deviations: list[Deviation]
    provenance: Provenance
    results: list[paper_tables.Result]
    copies: list[CopyRow]
    inside: list[Inside]
    problems: list[str]

    @property
    def document(self) -> dict[str, Any]:
        """The report as data."""
        return document.document(
            self.sections, self.claims, self.front, self.facts, self.shares, self.forest,
            self.deviations, self.provenance, self.problems, self.results, self.copies,
        )  # fmt: skip


def gather(results: Results, study: str | None = None) -> Report:
    """Return all that a report on a results folder shows; with ``study``, its sections alone."""
    everything, waiting = begun(sections(results))
    speaking = originals(everything)
    claims = ledger([(section.plan, section.comparison) for section in speaking])
    speaks = {section.name for section in speaking}
    asked_for = sorted(everything, key=lambda section: section.name not in speaks)
    if study is not None:
        asked_for = [s for s in (*everything, *waiting) if s.plan.definition.study == study]
    inside = shown_runs(asked_for, results)  # may find files that are damaged
    verified, differing = read_verified(results)
    apart = orphaned_runs(results, [section.plan for section in (*everything, *waiting)])
    return Report(
        sections=asked_for,
        speaking=speaking,
        claims=claims,
        of_the_paper=of_the_paper(everything),
        front=answer(speaking, claims),
        facts=facts(everything, waiting, verified),
        shares=front_rows(speaking),
        forest=forest(speaking),
        deviations=deviations(everything),
        provenance=provenance(results, everything),
        results=paper_tables.results(speaking),
        copies=of_copies(everything),
        inside=inside,
        problems=[*results.problems, *apart, *differing],
    )


def write_report(results: Results, out: Path, study: str | None = None) -> list[Path]:
    """Write page, ``report.json``, ``figures/`` and ``tables/`` to ``out``; return the paths."""
    report = gather(results, study)
    written: list[Path] = []
    pictures: dict[str, Markup] = {}
    for name, figure in _figures(report):
        paths = save(figure, out / "figures", name)
        pictures[name] = _inline(paths[0].read_text(encoding="utf-8"), name)
        written += paths
    for name, table in _tables(report):
        written += write_table(table, out / "tables", name)
    for section in report.sections:
        written += write_tables(section.plan, section.comparison, out / "tables", section.name)
    runs = runs_table(every_run(results, study))
    written.append(write_csv(runs, out / "tables", "runs"))
    written.append(write_csv(effects_table(report.sections), out / "tables", "effects"))
    if share := draw_share(report.front, report.shares, figure_1(report.speaking)):
        share_path = out / "share.png"
        write_atomically(share_path, share)
        written.append(share_path)
    page, data = out / "index.html", out / "report.json"
    content = report.document
    write_atomically(page, _render(report, pictures, content).encode())
    write_atomically(data, document.to_json(content).encode())
    return [page, data, *written]


def _figures(report: Report) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with the name of its files, one at a time."""
    for name, layout in (("shares", PAGE), ("shares-narrow", PHONE)):
        if (figure := draw_shares(report.shares, layout)) is not None:
            yield name, figure
    trees = one_a_claim(report.forest, TREES)
    for name, draw_trees in (("forest", draw_forest), ("forest-narrow", draw_narrow_forest)):
        if (figure := draw_trees(trees)) is not None:
            yield name, figure
    if (lead := figure_1(report.speaking)) is not None:
        yield "figure1", draw_front_figure(lead)
    leader = None if report.forest or lead else _leader(report)
    if leader is not None and (figure := draw(leader)) is not None:
        yield "lead", figure
    if report.of_the_paper:
        yield "figure2", draw_network("paper")
    yield from inside_figures(report.inside)
    for section in report.sections:
        if (figure := draw(section)) is not None:
            yield section.name, figure
        if (rates := draw_rate_map(section)) is not None:
            yield f"{section.name}.rates", rates
        few = len(report.sections) <= MANY
        if few and (moving := draw_differences(section)) is not None:
            yield f"{section.name}.differences", moving
        if few and (tuning := draw_tuning(section.plan)) is not None:
            yield f"{section.name}.tuning", tuning


def _leader(report: Report) -> Section | None:
    """Return the study that the front speaks of."""
    return next((s for s in report.speaking if s.name == report.front.lead), None)


def _tables(report: Report) -> Iterator[tuple[str, Any]]:
    if report.of_the_paper:
        yield "ledger", ledger_table(report.claims)
        yield "table1", paper_tables.table_1(report.results).frame
        yield "table2", paper_tables.table_2(report.results).frame
    elsewhere = paper_tables.elsewhere_table(report.results)
    if len(elsewhere):
        yield "errors_elsewhere", elsewhere
    if report.copies:
        yield "copies", copies_table(report.copies)


def _render(report: Report, pictures: Mapping[str, Markup], content: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "counted": counted,
        "formatting": formatting,
        "sentences": sentences,
        "called": called,
        "captions": captions,
        "alternative": alternative,
        "arms_table": arms_table,
        "certainty_table": certainty_table,
        "contrasts_table": contrasts_table,
        "copies_in_short": in_short,
        "copies_table": copies_table,
        "needs_contrasts": needs_contrasts,
        "numbers": numbers,
        "paper_tables": paper_tables,
        "rate_curves": rate_curves,
        "rate_table": rate_table,
        "readings_table": readings_table,
        "is_of_slopes": is_of_slopes,
        "slopes": slopes,
        "spread_table": spread_table,
        "thresholds_table": thresholds_table,
        "tuning_table": tuning_table,
    }
    return environment.get_template("page.html").render(
        report=report,
        pictures=pictures,
        digest=content["digest"],
        of_the_paper=report.of_the_paper,
        contents=_contents(report, pictures),
        anchors={section.name: section.anchor for section in report.sections},
        groups=groups(report.claims),
        lead=figure_1(report.speaking),
        inside=report.inside,
        trees=TREES,
    )


def _contents(report: Report, pictures: Mapping[str, Markup]) -> dict[str, str]:
    """Return the titles of the parts that other pages are without, or have by another title."""
    inside = any(name.startswith(("figure3@", "figure4-")) for name in pictures)
    if report.of_the_paper:
        return {"tables": "Tables 1 and 2", "inside": "Figures 2 to 4"}
    return {
        "tables": "Errors" if report.results else "Copies" if report.copies else "",
        "inside": "Inside the networks" if inside else "",
    }


def _inline(document: str, name: str) -> Markup:
    """Return the svg element alone, with ids that no other figure on the page has."""
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    prefix = re.sub(r"\W", "-", name)

    def within(tag: re.Match[str]) -> str:
        named = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', tag[0])
        return re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{prefix}-\2", named)

    element = re.sub(r"<[^>]+>", within, element)
    return Markup(element.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))
