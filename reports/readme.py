"""What the README and the pages of the evidence say of results, written from what ships.

``python -m reports.readme`` rewrites them, and the figures beside the evidence; a test fails
when they are not current.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, takewhile
from pathlib import Path

import pandas as pd

from ablations.results import Results
from alexnet.data.catalogue import called
from alexnet.durable import write_atomically
from alexnet.text import counted
from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, UNDECIDED, Effect
from reports.analysis.selection import speaks
from reports.evidence import EVIDENCE
from reports.figures.forest import draw_forest
from reports.figures.front import draw_front_figure, figure_1
from reports.figures.pictures import save
from reports.figures.shares import draw_shares
from reports.findings.copies import copies_table, in_short, of_copies, originals
from reports.findings.finds import finds
from reports.findings.forest import ForestRow, forest, one_a_claim
from reports.findings.headline import Answer, answer
from reports.findings.ledger import ledger, surprise
from reports.findings.sections import Section, begun, real, sections
from reports.findings.shares import FrontRows, alternative, front_rows
from reports.page.tables import markdown
from reports.wording.formatting import amount, measured, percent, times, value
from reports.wording.sentences import BRIEFLY, effect_sentence, named, said, word

README = Path(__file__).parent.parent / "README.md"
OF_EVIDENCE = EVIDENCE / "README.md"
OF_JPEG = EVIDENCE / "jpeg.md"
START, END = "<!-- evidence: written by `python -m reports.readme` -->", "<!-- end of evidence -->"
JPEG = "cifar10_jpeg"
ROWS = 24  # of the forest plot
FIRST = 5
"""Claims that the README has in words."""
FIRST_FINDS = 3
"""Finds that it has before them."""
UNDECIDED_BRIEFLY = (
    "*open*: undecided, since the test, corrected for the other comparisons of the study, finds "
    "neither a difference nor that there is none, or since what the claim presupposes is not so. "
    "[All words](../../docs/studies.md#what-the-verdicts-mean)."
)
CAREFUL = "Small pictures judge no number that the paper has for ImageNet."


def overview_text(found: Sequence[Section]) -> str:
    """Return finds in plain words, a picture, and a row for each of the most surprising claims."""
    first = finds(found)[:FIRST_FINDS]
    blocks = [f"**{_front(found).headline}**"]
    if first:
        items = (f"{at}. **{find.headline}** {find.text}" for at, find in enumerate(first, start=1))
        blocks = ["\n".join(items), f"In brackets: 95 % intervals. {CAREFUL}"]
    if (picture := _picture(front_rows(found), "reports/evidence/")) is not None:
        blocks.append(picture)
    if chosen := _most_surprising(found):
        blocks.append(markdown(_in_words(chosen)[:FIRST]).rstrip())
        kept = dict.fromkeys(effect.verdict for _, effect in chosen[:FIRST])
        blocks.append("; ".join(f"*{word(one)}*: {BRIEFLY[one]}" for one in kept) + ".")
    blocks.append(
        "[All verdicts](reports/evidence/README.md). "
        "[What they mean](docs/studies.md#what-the-verdicts-mean). "
        "Every run: `invoke report --results shipped --open`."
    )
    return "\n\n".join(blocks)


def _most_surprising(found: Sequence[Section]) -> list[tuple[Section, Effect]]:
    """Return the decided effects that have a sentence, the nearest to the paper first.

    What studies decide differently comes once for each verdict.
    """
    decided = [
        (section, effect)
        for section in real(found)
        for effect in section.comparison.effects
        if effect.verdict in BRIEFLY and effect.contrast.says
    ]
    decided.sort(key=lambda pair: (pair[0].nearness, -(surprise(pair[1]) or 0.0)))
    first: dict[tuple[str, str], tuple[Section, Effect]] = {}
    for section, effect in decided:
        first.setdefault((effect.contrast.says, effect.verdict), (section, effect))
    return list(first.values())


def _in_words(chosen: Sequence[tuple[Section, Effect]]) -> pd.DataFrame:
    times_said = Counter(effect.contrast.says for _, effect in chosen)
    cells = [
        (
            effect.contrast.says
            + (f" ({_study(section)})" if times_said[effect.contrast.says] > 1 else ""),
            said(effect),
            called(section.comparison.dataset),
            _paper_says(section, effect),
            word(effect.verdict),
        )
        for section, effect in chosen
    ]
    columns = ["claim", "we measured [95 % interval]", "on", "the paper", "verdict"]
    return pd.DataFrame(cells, columns=columns)


def _study(section: Section) -> str:
    """Return the study by which what several studies decide differently is told apart."""
    return f"`{section.plan.definition.study}`"


def _paper_says(section: Section, effect: Effect) -> str:
    if effect.contrast.paper is None:
        return "no number"
    where = called(section.plan.about.paper_dataset or "")
    return f"{amount(effect.contrast.paper, effect.metric)} on {where}"


def evidence_text(everything: Sequence[Section]) -> str:
    """Return counts, both pictures, a row for each effect with a word, and what has none.

    What is registered and not begun comes last: its plan ships before its runs, so that anybody
    can see that it is the older.
    """
    found, waiting = begun(everything)
    front, rows = _front(found), forest(found)
    lead = figure_1(found)
    blocks = ["## What was found", f"**{front.headline}**", front.counts]
    if (picture := _picture(front_rows(found), "")) is not None:
        blocks.append(picture)
    if rows:
        blocks.append("![Every effect beside the paper's numbers](forest.svg)")
        for dataset, of_dataset in groupby(rows, key=lambda row: row.dataset):
            blocks.append(f"### On {called(dataset)}")
            blocks.append(markdown(_judged_table(list(of_dataset))).rstrip())
        blocks.append(UNDECIDED_BRIEFLY)
    blocks.append("### Beside it")
    blocks.append(_arithmetic(found))
    if lead is not None:
        blocks.append("![Figure 1: training error against epochs](figure1.svg)")
        blocks += _beside(speaks(lead.comparison), lead.comparison, lead.plan.about.left_open)
    blocks += [_beside_verdict(one) for one in found if one is not lead and _is_judged(one)]
    return "\n\n".join([*blocks, *_unjudged(found), *_registered(waiting)])


def jpeg_text(found: Sequence[Section]) -> str:
    """Return what was compared on CIFAR-10 and on its JPEG copy, and what on the copy alone."""
    rows = [row for row in of_copies(found) if row.copy_of_it == JPEG]
    blocks = [in_short(rows), markdown(copies_table(rows)).rstrip()] if rows else []
    alone = [s for s in originals(real(found)) if s.comparison.dataset == JPEG]
    if alone:
        blocks.append("Asked of the copy alone so far:")
        blocks.append("\n".join(f"- {section.headline}" for section in alone))
    return "\n\n".join(blocks)


def _picture(rows: FrontRows, folder: str) -> str | None:
    """Return the front picture as Markdown; None if there is nothing to show.

    Shares are what it is called; the directions below them are in tables on the same page.
    """
    if not (rows.shares or rows.directions):
        return None
    shares = alternative(rows._replace(directions=()))
    text = f"How much of the paper's effect was found: {shares}" if shares else "Directions alone"
    return f"![{text}]({folder}shares.svg)"


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
    shares = " and ".join(f"{count} in {name}" for name, count in counted.items() if count)
    is_known = any(s.plan.definition.study == "bfloat16" and not s.missing for s in found)
    unknown = "" if is_known else "; whether that matters is what the study `bfloat16` has to say"
    return f"Runs that are compared, by the arithmetic of their layers: {shares}{unknown}."


def _judged_table(rows: Sequence[ForestRow]) -> pd.DataFrame:
    columns = [
        "claimed, or compared", "claim", "ours [95 %]", "one more pair", "the paper", "verdict",
    ]  # fmt: skip
    cells = [
        (
            one.label,
            one.claim or "-",
            one.shown,
            one.one_more or "-",
            one.paper_shown or "-",
            word(one.verdict),
        )
        for one in rows
    ]
    table = pd.DataFrame(cells, columns=columns)
    empty = [name for name in ("one more pair", "the paper") if (table[name] == "-").all()]
    return table.drop(columns=empty)


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
        how = (
            f"{one.done} of {counted(one.planned, 'run')}"
            if section.missing
            else "shown, not judged"
        )
        seen = [e for e in one.effects if e.pairs and e.verdict in UNDECIDED]
        seen = [effect for effect in seen if effect.verdict != "exploratory"]
        lines += [
            f"- {_titled(section)}, {how}: {named(effect, one.effects)}, {effect_sentence(effect)}"
            f"{_among(section, effect, found)}"
            for effect in seen
        ]
    return ["Not judged, or not yet:", "\n".join(lines)] if lines else []


def _registered(waiting: Sequence[Section]) -> list[str]:
    """Return a line with the studies that have a plan and nothing more; empty without any."""
    if not waiting:
        return []
    names = ", ".join(f"`{section.name}`" for section in waiting)
    return [f"Registered, and no rate chosen yet: {names}."]


def _among(section: Section, effect: Effect, found: Sequence[Section]) -> str:
    """Say of which other study all runs of an effect are a part: it is no second evidence."""

    def runs(of: Section, arms: Sequence[str]) -> set[str]:
        return {run.id for arm in arms for run in of.runs[arm]}

    mine = runs(section, effect.contrast.arms)
    for other in takewhile(lambda other: other is not section, found):
        if mine < runs(other, list(other.runs)):
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
    comparison = section.comparison
    own = comparison.setting in ON_THE_PAPERS_DATA
    return own and any(effect.verdict in DECIDED for effect in comparison.effects)


def _beside_verdict(section: Section) -> str:
    """Return what a reader of a row must not miss: what both sides came to, and caveats."""
    comparison = section.comparison
    both = "; ".join(
        f"{effect.contrast.compared}, {measured(effect.contrast, effect.metric)} "
        f"{value(effect.mean, effect.metric)} and {value(effect.mean_against, effect.metric)}"
        for effect in comparison.effects
        if effect.verdict in DECIDED
    )
    beside = [*comparison.older, *comparison.caveats, *section.plan.about.left_open]
    keep = f" To keep in mind: {'; '.join(beside)}." if beside else ""
    return f"{_titled(section)}: {both}.{keep}"


def _titled(section: Section) -> str:
    """Return a study's title and its images, as the beginning of a sentence."""
    title = section.plan.about.title
    stop = "" if title.endswith("?") else "."
    return f"{title}{stop} On {called(section.comparison.dataset)}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def with_evidence(page: str, text: str) -> str:
    """Return a page with the text between its two markers replaced."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{text}\n{END}{after}"


def main() -> None:
    """Rewrite what the pages say of results, and the figures of the evidence."""
    everything = sections(Results(EVIDENCE))
    found = originals(everything)
    if (shares := draw_shares(front_rows(found))) is not None:
        save(shares, EVIDENCE, "shares")
    if (trees := draw_forest(one_a_claim(forest(found), ROWS))) is not None:
        save(trees, EVIDENCE, "forest")
    if (lead := figure_1(found)) is not None:
        save(draw_front_figure(lead), EVIDENCE, "figure1")
    for page, text in (
        (README, overview_text(found)),
        (OF_EVIDENCE, evidence_text(found)),
        (OF_JPEG, jpeg_text(everything)),
    ):
        written = with_evidence(page.read_text(encoding="utf-8"), text)
        write_atomically(page, written.encode())


if __name__ == "__main__":
    main()
