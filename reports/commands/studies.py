"""What `invoke studies` prints: all studies in groups, a line each."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

from ablations.claims import CLAIMS
from ablations.contrast import Contrast
from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import GROUPS, STUDIES
from ablations.study import NEEDED, Study
from alexnet.data.catalogue import describe
from reports.analysis import selection
from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, Effect
from reports.commands import effort
from reports.commands.console import plain, say
from reports.commands.request import PRACTICE
from reports.findings.records import comparison_of
from reports.wording import formatting, sentences

NAME, ASKS, SECTION, PAPER, FOUND = 19, 30, 8, 17, 42
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

    def line(self, narrow: bool = False) -> str:
        """Return it in a line; in two where that is too wide."""
        asked = (
            f"  {self.name:<{NAME}} {self.asks:<{ASKS}} {self.section:<{SECTION}} "
            f"{self.paper:<{PAPER}}"
        )
        between = "\n" + " " * (NAME + 3) if narrow else " "
        return f"{asked}{between}{self.ours:<{FOUND}} {self.when}"


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
    one = found.comparison
    practice = one.dataset == PRACTICE
    return practice, one.setting not in ON_THE_PAPERS_DATA, -one.done / one.planned


def catalogue(console: Console, stores: Sequence[Store]) -> None:
    """Print a line a study, in groups: question, section, the paper's number, ours, time here.

    On a narrow terminal what was found and the time have a line of their own.
    """
    found, pace = everything(stores), effort.speed(stores)
    shared = {d: effort.shared(STUDIES.values(), d) for d in (PRACTICE, SMALL)}
    free = {dataset: one.free for dataset, one in shared.items()}
    plain(console, f"AlexNet 2012 taken apart: {len(STUDIES)} studies, {len(CLAIMS)} claims")
    if pace:
        where = f"on {PRACTICE} / {SMALL}, or on ImageNet"
        plain(console, f"time: {pace.where}; {where}")
    plain(console)
    rows = {
        study.name: Row(
            study.name,
            study.asks,
            study.section.split(",")[0],
            _paper(study),
            _ours(study, found.get(study.name, [])),
            _times(study, pace, free),
        )
        for study in STUDIES.values()
    }
    widest = max(len(row.line()) for row in rows.values())
    narrow = console.is_terminal and console.width < widest
    plain(console, Row("", "", "section", "the paper", "found", "time").line(narrow))
    for title, studies in GROUPS.items():
        plain(console, title.upper())
        for study in studies:
            plain(console, rows[study.name].line(narrow))
        plain(console)
    for dataset, one in shared.items():
        plain(
            console,
            f"On {dataset} all studies have {one.arms} arms, of which {one.distinct} are different "
            "trainings; what is shared is trained once.",
        )
    plain(console, "Other data than the paper's shows a direction; it settles no claim.")
    say(console, "explained", "invoke studies --name NAME")


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


def _ours(study: Study, found: Sequence[Found]) -> str:
    """Return what was found nearest to the paper, and on which images."""
    if not found:
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
        return f"{one.done} of {one.planned} runs, {one.dataset}"
    judged = [effect for effect in one.effects if effect.contrast.judged]
    if not one.judged and study.claim is None:
        return f"shown, {one.dataset}"
    if study.claim is None and len(judged) > 1:
        said = Counter(effect.verdict for effect in judged)
        sure = [f"{count} {word}" for word, count in said.most_common() if word in DECIDED]
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
    return f"{done} of {len(one.effects)} readings: {ours}"


def _said(effect: Effect) -> str:
    return f"{effect.verdict} {sentences.estimate(effect)} {formatting.unit(effect.metric)}"


def _times(study: Study, pace: effort.Speed | None, free: dict[str, dict[str, str]]) -> str:
    """Return the time on practice images and on CIFAR-10; on ImageNet if it takes no others."""
    shown = []
    for dataset in (PRACTICE, SMALL):
        took = pace and effort.seconds(study, dataset, pace)
        owner = free.get(dataset, {}).get(study.name)
        shown.append(f"free: {owner}" if owner else formatting.duration(took) if took else "-")
    large = next((name for name in study.bases if name.startswith("imagenet")), None)
    if shown == ["-", "-"] and large and pace:
        took = effort.seconds(study, large, pace)
        return f"{formatting.duration(took)}, ImageNet" if took else "-"
    return " / ".join(dict.fromkeys(shown))
