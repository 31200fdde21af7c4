"""The part of the README that states results, written from the shipped evidence.

``python -m reports.readme`` rewrites it, and the two figures beside the evidence; a test fails when
it is not current.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ablations.store import Store
from alexnet.data.catalogue import called
from alexnet.durable import write_atomically
from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, UNDECIDED, Effect
from reports.analysis.selection import speaks
from reports.evidence import EVIDENCE
from reports.figures.forest import ForestRow, draw_forest, forest, one_a_claim
from reports.figures.front import draw_front_figure, figure_1
from reports.figures.pictures import save
from reports.findings.headline import Answer, answer
from reports.findings.ledger import ledger
from reports.findings.sections import Section, sections
from reports.page.tables import markdown
from reports.wording.formatting import measured, percent, times, value
from reports.wording.sentences import effect_sentence, named

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- evidence: written by `python -m reports.readme` -->", "<!-- end of evidence -->"
ROWS = 24  # of the forest plot


def evidence_text(store: Store) -> str:
    """Return the headline, both pictures, a row for each effect with a word, and what has none."""
    found = sections(store)
    front, rows = _front(found), forest(found)
    lead = figure_1(found)
    blocks = [f"**{front.headline}**", front.counts]
    if rows:
        alt = "Every effect beside the paper's numbers"
        blocks.append(f"![{alt}](reports/evidence/forest.svg)")
        blocks.append(markdown(_judged_table(rows)).rstrip())
    blocks.append(_arithmetic(found))
    if lead is not None:
        blocks.append("![Figure 1: training error against epochs](reports/evidence/figure1.svg)")
        blocks += _beside(speaks(lead.comparison), lead.comparison, lead.plan.about.left_open)
    blocks += [_beside_verdict(one) for one in found if one is not lead and _is_judged(one)]
    blocks += _unjudged(found)
    blocks.append(
        "All of it, with every run behind every number: `invoke report --results reports/evidence`."
    )
    return "\n\n".join(blocks)


def _front(found: Sequence[Section]) -> Answer:
    return answer(found, ledger([(section.plan, section.comparison) for section in found]))


def _arithmetic(found: Sequence[Section]) -> str:
    """Return in which precision all runs were trained, and whether what that changes is known."""
    counted: Counter[str] = Counter()
    seen: set[str] = set()
    for section in found:
        precisions = section.plan.definition.precisions_of
        for arm, runs in section.runs.items():
            counted[precisions[arm]] += len({run.id for run in runs} - seen)
            seen |= {run.id for run in runs}
    said = " and ".join(f"{count} in {name}" for name, count in counted.items() if count)
    measured = any(s.plan.definition.study == "bfloat16" and not s.missing for s in found)
    unknown = "" if measured else "; what that changes, the study `bfloat16` has not measured yet"
    return f"Arithmetic of the layers in the runs that are compared: {said}{unknown}."


def _judged_table(rows: Sequence[ForestRow]) -> pd.DataFrame:
    columns = [
        "compared", "claim", "images", "points or \u00d7 [95 %]", "one more pair", "the paper",
        "verdict",
    ]  # fmt: skip
    cells = [
        (
            one.label,
            one.claim or "-",
            called(one.dataset),
            one.shown,
            one.one_more or "-",
            one.paper_shown or "-",
            one.verdict,
        )
        for one in rows
    ]
    return pd.DataFrame(cells, columns=columns)


def _unjudged(found: Sequence[Section]) -> list[str]:
    """Return what is shown without a verdict, or under way, a line each; empty if nothing is.

    What is exploratory has a row among what is judged, and is marked there.
    """
    lines = []
    for section in found:
        one = section.comparison
        shown = any(effect.verdict == "shown" for effect in one.effects)
        if one.smoke or not (section.missing or shown):
            continue
        how = f"{one.done} of {one.planned} runs" if section.missing else "shown, not judged"
        seen = [e for e in one.effects if e.pairs and e.verdict in UNDECIDED]
        seen = [effect for effect in seen if effect.verdict != "exploratory"]
        lines += [
            f"- {_titled(section)}, {how}: {named(effect, one.effects)}, {effect_sentence(effect)}"
            f"{_among(section, effect, found)}"
            for effect in seen
        ]
    return ["Not judged, or not yet:", "\n".join(lines)] if lines else []


def _among(section: Section, effect: Effect, found: Sequence[Section]) -> str:
    """Say of which other study all runs of an effect are a part: it is no second evidence."""

    def runs(of: Section, arms: Sequence[str]) -> set[str]:
        return {run.id for arm in arms for run in of.runs[arm]}

    mine = runs(section, effect.contrast.arms)
    for other in found:
        if other is not section and mine < runs(other, list(other.runs)):
            return f"; these runs are among those of {other.plan.about.title}, above"
    return ""


def _beside(effect: Effect, comparison: Comparison, left_open: Sequence[str]) -> list[str]:
    """Return what a reader of the headline must not miss: other thresholds, and caveats."""
    elsewhere = [
        f"{times(at.estimate)} to {percent(at.training_error)}"
        + (f" [{times(at.low)}, {times(at.high)}]" if at.low is not None else "")
        for at in effect.at_thresholds
    ]
    lines = [f"At other training errors: {', '.join(elsewhere)}."] if elsewhere else []
    lines += [_sentence(caveat) for caveat in (*comparison.older, *comparison.caveats)]
    if left_open:
        lines.append("To keep in mind: " + "; ".join(left_open) + ".")
    return lines


def _is_judged(section: Section) -> bool:
    """Return whether something is decided by the paper's own data."""
    one = section.comparison
    own = one.setting in ON_THE_PAPERS_DATA
    return own and any(effect.verdict in DECIDED for effect in one.effects)


def _beside_verdict(section: Section) -> str:
    """Return what a reader of a row must not miss: what both sides came to, and caveats."""
    one = section.comparison
    both = "; ".join(
        f"{effect.contrast.compared}, {measured(effect.contrast, effect.metric)} "
        f"{value(effect.mean, effect.metric)} and {value(effect.mean_against, effect.metric)}"
        for effect in one.effects
        if effect.verdict in DECIDED
    )
    beside = [*one.older, *one.caveats, *section.plan.about.left_open]
    keep = f" To keep in mind: {'; '.join(beside)}." if beside else ""
    return f"{_titled(section)}: {both}.{keep}"


def _titled(section: Section) -> str:
    """Return a study's title and its images, as the beginning of a sentence."""
    title = section.plan.about.title
    stop = "" if title.endswith("?") else "."
    return f"{title}{stop} On {called(section.comparison.dataset)}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def with_evidence(readme: str, text: str) -> str:
    """Return the README with the text between its two markers replaced."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{text}\n{END}{after}"


def main() -> None:
    """Rewrite the README's results and the figures of the evidence."""
    store = Store(EVIDENCE)
    found = sections(store)
    if (trees := draw_forest(one_a_claim(forest(found), ROWS))) is not None:
        save(trees, EVIDENCE, "forest")
    if (lead := figure_1(found)) is not None:
        save(draw_front_figure(lead), EVIDENCE, "figure1")
    readme = with_evidence(README.read_text(), evidence_text(store))
    write_atomically(README, readme.encode())


if __name__ == "__main__":
    main()
