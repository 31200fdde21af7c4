"""Markup, formulas and control characters in every text that a page shows."""

import html.parser
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mutations
import pandas as pd
from cases import Hung, limited, place_of, results_of
from common import Counts, Place
from mutations import as_json, leaves, put

from ablations.plan import Plan, PlanError
from ablations.store import Store
from alexnet.sealed import seal_of
from reports.page.report import write_report

PROBES = (
    "<script>alert({n})</script>", '"><img src=x onerror=alert({n})>', "' onmouseover='alert({n})",
    "</title></svg></style><b id=p{n}>", "{{{{7*7}}}}p{n}", "{{% include 'page.html' %}}p{n}",
    "\\input{{/etc/hostname}}p{n}", '=HYPERLINK("http://x",{n})', "+1+p{n}", "@SUM(p{n})",
    "-2+3+cmd|' /C calc'!A{n}",
    "javascript:alert({n})", "a&b<p{n}>", "]]>p{n}<![CDATA[", "|x|y|p{n}", "\x1b[2Jp{n}",
    "\x00p{n}", "\x0bp{n}", "\ufffep{n}", "\ud800p{n}", "\u202ep{n}", "$x^2$p{n}", "%p{n}",
    "&#60;p{n}", "$\\frac{{p{n}", "_p{n}^",
)  # fmt: skip


OURS = re.compile(r"p\d|HYPERLINK|SUM|alert|cmd")
"""Something of a probe."""


class Seen(html.parser.HTMLParser):
    """What a page is made of, and what should not be among it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.wrong: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        self.scripts += tag == "script"
        for name, value in attrs:
            link = name in ("href", "src", "xlink:href")
            if name.startswith("on") or (link and re.match(r"\s*javascript:", value or "")):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "id" and re.fullmatch(r"p\d+", value or ""):
                self.wrong.append(f"<{tag} id={value}>")
        if tag in ("iframe", "object") or re.fullmatch(r"p\d+", tag):
            self.wrong.append(f"<{tag}>")


def names(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Put markup and formulas into every text of a plan, as another's folder could bring it."""
    whole = results_of(place)
    plain = Seen()
    plain.feed((whole / "report" / "index.html").read_text(encoding="utf-8"))
    path = next((whole / "plans").glob("*.json"))
    content = json.loads(path.read_text())
    texts = [where for where in leaves(content) if isinstance(mutations.at(content, where), str)]
    arms = tuple(content["definition"]["arms"])
    for number in range(cases):
        probe = chance.choice(PROBES).format(n=number)
        if chance.random() < 0.3:
            changed = _renamed(content, chance.choice(arms), probe)
            where = "the name of an arm"
        else:
            changed, leaf = json.loads(json.dumps(content)), chance.choice(texts)
            put(changed, leaf, probe)
            where = ".".join(map(str, leaf))
        results = place.folder / "named"
        shutil.rmtree(results, ignore_errors=True)
        (results / "plans").mkdir(parents=True)
        (results / "runs").symlink_to(whole / "runs")
        inside = {name: value for name, value in changed.items() if name != "sha256"}
        try:
            text = as_json(inside | {"sha256": seal_of(inside)})
            (results / "plans" / path.name).write_bytes(text)
            Plan.read(results / "plans" / path.name)
        except (PlanError, UnicodeEncodeError):
            counts.add("names", "refused")
            continue
        try:
            with limited():
                write_report(Store(results), results / "report")
        except (Hung, Exception) as error:
            counts.add("names", "BAD", f"{probe!r} in {where}: {place_of(error)}")
            continue
        wrong = list(_wrong_in(results / "report", plain.scripts))
        counts.add("names", "drawn", f"{probe!r} in {where}: {wrong[:3]}" if wrong else "")


def _renamed(content: dict[str, Any], arm: str, name: str) -> dict[str, Any]:
    text = json.dumps(content).replace(json.dumps(arm), json.dumps(name))
    found: dict[str, Any] = json.loads(text)
    return found


def _wrong_in(report: Path, scripts: int) -> Iterator[str]:
    """Yield what is wrong with a report's page, figures and tables."""
    page = (report / "index.html").read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(page)
    yield from seen.wrong
    if seen.scripts != scripts:
        yield "a script more"
    if re.search(r"\b49p\d", page):
        yield "a template ran"
    for file in (report / "figures").glob("*.svg"):
        try:
            elements = list(ElementTree.parse(file).iter())
        except ElementTree.ParseError as error:
            yield f"{file.name} is no XML: {error}"
            continue
        for one in elements:
            tag = str(one.tag).rpartition("}")[2]
            if tag in ("script", "img", "foreignObject") or any(
                n.startswith("on") for n in one.attrib
            ):
                yield f"{file.name} has {tag}"
    for file in (report / "tables").glob("*.tex"):
        if re.search(r"(?<!\\textbackslash )\\input\{", file.read_text(encoding="utf-8")):
            yield f"{file.name} has a command of LaTeX"
    for file in (report / "tables").glob("*.csv"):
        for cell in pd.read_csv(file, dtype=str, keep_default_na=False).to_numpy().ravel():
            # A spreadsheet computes what begins so; what is ours has nothing of a probe in it.
            if cell.startswith(("=", "@", "+", "-", "\t", "\r")) and OURS.search(cell):
                yield f"{file.name} has the formula {cell[:40]!r}"
