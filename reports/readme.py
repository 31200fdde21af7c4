"""The part of the README that states results, written from the shipped evidence.

``python -m reports.readme`` rewrites it, and the figures beside the evidence; a test fails when
they are not current.
"""

from collections.abc import Sequence
from pathlib import Path

from ablations.store import Store, write_atomically
from reports.comparison import Comparison
from reports.effect import Effect
from reports.figures import draw
from reports.pictures import save
from reports.sections import Section, sections
from reports.tables import arms_table, contrasts_table, markdown, needs_contrasts
from reports.words import percent, speaks, times, verdict_line

EVIDENCE = Path(__file__).parent / "evidence"
README = Path(__file__).parent.parent / "README.md"
SHOWN = ["contrast", "by", "pairs", "effect", "95 % interval", "paper", "verdict"]
START, END = "<!-- evidence: written by `python -m reports.readme` -->", "<!-- end of evidence -->"


def evidence_text(store: Store) -> str:
    """Return, for every study in the evidence, its headline, what follows, and its table.

    What is not complete comes last, without a picture.
    """
    blocks, under_way = [], []
    for section in sections(store):
        if section.comparison.done < section.comparison.planned:
            if any(effect.pairs for effect in section.comparison.effects):
                under_way += _under_way(section)
            continue
        effect = speaks(section.comparison)
        several = needs_contrasts(section.plan, section.comparison)
        table = (
            contrasts_table(section.comparison)[SHOWN]
            if several
            else arms_table(section.plan, section.comparison)
        )
        picture = f"reports/evidence/{section.name}.svg"
        blocks += [
            f"![{section.plan.about.title}: training error against epochs, and what is compared]"
            f"({picture})",
            f"**{section.headline}**",
            _sentence(verdict_line(effect, section.comparison)),
            markdown(table).rstrip(),
            *_beside(effect, section.comparison, section.plan.about.left_open),
        ]
    if under_way:
        blocks.append("Under way, where nothing is decided before all planned seeds:")
    return "\n\n".join((*blocks, *under_way))


def _under_way(section: Section) -> list[str]:
    """Return what a study has come to that is not complete; a table if it compares several."""
    found = [f"**{section.plan.about.title}.** {section.headline}"]
    if len(section.comparison.effects) > 2 and all(e.pairs > 2 for e in section.comparison.effects):
        table = contrasts_table(section.comparison)[[name for name in SHOWN if name != "verdict"]]
        found.append(markdown(table).rstrip())
    return found


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
    for section in sections(store):
        figure = draw(section.plan, store)
        if figure is not None:
            save(figure, EVIDENCE, section.name)
    readme = with_evidence(README.read_text(), evidence_text(store))
    write_atomically(README, readme.encode())


if __name__ == "__main__":
    main()
