"""What `invoke studies` prints: all studies in groups, a line each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ablations.claims import CLAIMS
from ablations.contrast import Contrast
from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import GROUPS, STUDIES
from ablations.study import NEEDED, Study
from alexnet.data.catalogue import describe
from alexnet.text import counted
from reports.analysis import selection
from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, Effect
from reports.commands import estimate
from reports.commands.ablate.request import PRACTICE
from reports.commands.console import needed, plain, say, show
from reports.findings.records import comparison_of
from reports.wording import formatting, sentences

COLUMNS = ("section", "the paper", "found", "time")
SMALL = "cifar10"


class Found(NamedTuple):
    """What a plan has come to."""

    plan: Plan
    comparison: Comparison


class Row(NamedTuple):
    """What is said of a study in the list."""

    name: str
    asks: str
    section: str
    paper: str
    ours: str
    when: str

    @property
    def answer(self) -> str:
        """What is known of it, where there is no room for columns."""
        said = {"the paper": self.paper, "found": self.ours, "time": self.when}
        known = {name: text for name, text in said.items() if text not in ("", "-", "not run")}
        return "; ".join(f"{name}: {text}" for name, text in known.items())


def everything(stores: Sequence[Store]) -> dict[str, list[Found]]:
    """Return what plans have come to, by study, the nearest to the paper first.

    Args:
        stores: Where two hold the same plan, the first is believed.
    """
    found: dict[str, dict[str, Found]] = {}
    for store in stores:
        for plan in store.plans():
            comparison = comparison_of(plan, store)
            if comparison.done and not comparison.smoke:
                of_study = found.setdefault(comparison.study, {})
                of_study.setdefault(comparison.dataset, Found(plan, comparison))
    return {name: sorted(of.values(), key=_distance) for name, of in found.items()}


def _distance(found: Found) -> tuple[bool, bool, float]:
    """The paper's data before others, practice images last, complete before incomplete."""
    comparison = found.comparison
    practice = comparison.dataset == PRACTICE
    return (
        practice,
        comparison.setting not in ON_THE_PAPERS_DATA,
        -comparison.done / comparison.planned,
    )


def catalogue(console: Console, stores: Sequence[Store]) -> None:
    """Print a line a study, in groups: question, section, the paper's number, ours, time here.

    On a narrow terminal what is known has lines of its own below the question.
    """
    found, pace = everything(stores), estimate.speed(stores)
    shared = {d: estimate.shared(STUDIES.values(), d) for d in (PRACTICE, SMALL)}
    free = {dataset: one.free for dataset, one in shared.items()}
    plain(console, f"AlexNet 2012 taken apart: {len(STUDIES)} studies, {len(CLAIMS)} claims")
    if pace:
        where = f"on {PRACTICE} / {SMALL}, or on ImageNet"
        plain(console, f"time: {pace.where}; {where}")
    plain(console)
    rows = {
        study.name: Row(
            f"  {study.name}",
            study.asks,
            study.section.split(",")[0],
            _paper(study),
            _ours(study, found),
            _times(study, pace, free),
        )
        for study in STUDIES.values()
    }
    head = Row("  ", "", *COLUMNS)
    every = [head, *rows.values()]
    narrow = console.is_terminal and needed(console, _in_columns([head], every)) > console.width
    if not narrow:
        show(console, _in_columns([head], every))
    for title, studies in GROUPS.items():
        plain(console, title.upper())
        listed = [rows[study.name] for study in studies]
        show(console, (_in_lines if narrow else _in_columns)(listed, every))
        plain(console)
    for dataset, one in shared.items():
        plain(
            console,
            f"On {dataset} all studies have {one.arms} arms, of which {one.distinct} are different "
            "trainings; what is shared is trained once.",
        )
    plain(console, "Other data than the paper's shows a direction; it settles no claim.")
    say(console, "explained", "invoke studies --name NAME")


def _in_columns(rows: Sequence[Row], of: Sequence[Row]) -> Table:
    """Return some rows in columns that are as wide as those of all rows."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for width in (max(map(len, cells)) for cells in zip(*of, strict=True)):
        table.add_column(width=width, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _in_lines(rows: Sequence[Row], of: Sequence[Row]) -> Table:
    """Return some rows as a name, beside it a question, and below that what is known."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=max(len(row.name) for row in of), no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(Text(row.name), Text(row.asks))
        table.add_row("", Text(row.answer))
    return table


def _main(study: Study) -> Contrast:
    """Return the contrast that speaks for a study: the first with its claim and a number."""
    own = [c for c in study.contrasts if c.claim == study.claim and c.judged]
    known = (c for c in own if c.paper is not None or c.number is not None)
    return next(known, (own or study.contrasts)[0])


def _paper(study: Study) -> str:
    """Return what the paper says, as short as it can be said."""
    if not study.claims:
        return "-"
    if study.claim is None:
        return "several"
    main = _main(study)
    if main.number is not None:
        return f"{100 * main.number:g} %"
    if main.paper is None or main.claim != study.claim:
        return "no number"
    metric = main.metric or next(iter(study.bases.values())).metric
    before, after = {"C30": ("about ", ""), "C20": ("", " or more")}.get(study.claim, ("", ""))
    return f"{before}{formatting.printed(main, metric)}{after}"


def answered_by_others(
    study: Study, everything: Mapping[str, Sequence[Found]]
) -> list[tuple[Found, Effect]]:
    """Return what complete studies say of the claim of one that has not been run."""
    if study.claim is None or everything.get(study.name):
        return []
    others = sorted((one for of in everything.values() for one in of), key=_distance)
    return [
        (one, effect)
        for one in others
        for effect in one.comparison.effects
        if effect.contrast.claim == study.claim and effect.verdict in (*DECIDED, "open")
    ]


def _ours(study: Study, everything: Mapping[str, Sequence[Found]]) -> str:
    """Return what was found nearest to the paper, and on which images or by which other study."""
    found = everything.get(study.name, [])
    if not found:
        for other, effect in answered_by_others(study, everything):
            return f"{_said(effect, _turned(effect, study))}, {other.comparison.study}"
        known = describe(PRACTICE).has
        lacks = {need for arm in study.arms.values() for need in arm.needs} - known
        alone = not any(set(arm.needs) <= known for arm in study.arms.values())
        needs = ", ".join(NEEDED[need] for need in sorted(lacks))
        return f"needs {needs}" if alone else "not run"
    one = found[0].comparison
    if found[0].plan.about.shows == "readings" and selection.largest(one).estimate is not None:
        return _readings(one)
    if found[0].plan.about.shows == "spread" and one.done == one.planned:
        return f"shown, {one.dataset}"
    if one.done < one.planned and not one.has_verdicts:
        return f"{one.done} of {counted(one.planned, 'run')}, {one.dataset}"
    judged = [effect for effect in one.effects if effect.contrast.judged]
    if not one.judged and study.claim is None:
        return f"shown, {one.dataset}"
    if study.claim is None and len(judged) > 1:
        said = Counter(effect.verdict for effect in judged)
        sure = [
            f"{count} {sentences.word(one)}" for one, count in said.most_common() if one in DECIDED
        ]
        shown = ", ".join(sure) or "none decided"
        return f"{shown} of {len(judged)}, {one.dataset}"
    main = _main(study)
    claimed = (effect for effect in one.effects if _same(effect.contrast, main))
    effect = next(claimed, one.effects[0])
    return f"{_said(effect)}, {one.dataset}"


def _same(registered: Contrast, written: Contrast) -> bool:
    """Return whether they compare the same; a plan has margins filled in, and may be older."""
    asked = ("arm", "against", "metric", "against_metric", "minus")
    return all(getattr(registered, name) == getattr(written, name) for name in asked)


def _readings(one: Comparison) -> str:
    """Return how many readings are complete, and the largest ratio so far."""
    done = sum(effect.is_complete for effect in one.effects)
    top = selection.largest(one)
    ours = f"{sentences.estimate(top)} {formatting.unit(top.metric)}"
    return f"{done} of {counted(len(one.effects), 'reading')}: {ours}"


def _turned(effect: Effect, study: Study) -> bool:
    """Return whether another study's difference has the sign opposite to that of a study's own.

    One takes away the idea that the other adds.
    """
    own = _main(study).predicts(effect.metric)
    return {own, effect.predicted} == {"higher", "lower"} and not effect.metric.is_ratio


def _said(effect: Effect, turned: bool = False) -> str:
    estimate = sentences.estimate(effect)
    if turned and effect.estimate is not None:
        estimate = formatting.change(-effect.estimate, effect.metric)
    return f"{sentences.word(effect.verdict)} {estimate} {formatting.unit(effect.metric)}"


def _times(study: Study, pace: estimate.Speed | None, free: dict[str, dict[str, str]]) -> str:
    """Return the time on practice images and on CIFAR-10; on ImageNet if it takes no others."""
    shown = []
    for dataset in (PRACTICE, SMALL):
        took = pace and estimate.seconds(study, dataset, pace)
        owner = free.get(dataset, {}).get(study.name)
        shown.append(f"free: {owner}" if owner else formatting.duration(took) if took else "-")
    large = next((name for name in study.bases if name.startswith("imagenet")), None)
    if shown == ["-", "-"] and large and pace:
        took = estimate.seconds(study, large, pace)
        return f"{formatting.duration(took)}, ImageNet" if took else "-"
    return " / ".join(dict.fromkeys(shown))
