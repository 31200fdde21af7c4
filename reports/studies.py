"""What `invoke studies` prints: all studies in groups, or one of them explained on a screen."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console

from ablations.claims import CLAIMS
from ablations.contrast import Contrast, Overfits
from ablations.metrics import Metric
from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import GROUPS, STUDIES, find_study
from ablations.study import NEEDED, Base, Study
from alexnet.config import Config, Conv, Dense
from alexnet.cost import size_of
from alexnet.data.catalogue import describe
from reports import effort, words
from reports.comparison import Comparison, compare
from reports.effect import DECIDED, ON_THE_PAPERS_DATA, Effect
from reports.facets import facets
from reports.request import PRACTICE
from reports.terminal import say

NAME, ASKS, SECTION, PAPER, FOUND = 19, 30, 8, 17, 42
ONE_LINE = 140  # columns that a study's line needs; a narrower terminal gets two
WIDTH, LABEL = 100, 16
SMALL = "cifar10"
LISTED = 12  # arms, or contrasts
ALIKE = 3  # contrasts in a row that share what they are compared with are listed by arm
SHARED = (
    "all else; of a seed, initial weights, order, crops, flips, colour noise and dropout wherever "
    "shapes agree"
)


class Found(NamedTuple):
    """What a plan has come to."""

    plan: Plan
    comparison: Comparison


def everything(stores: Sequence[Store]) -> dict[str, list[Found]]:
    """Return what plans have come to, by study, the nearest to the paper first.

    Args:
        stores: Where two hold the same plan, the first is believed.
    """
    found: dict[str, dict[str, Found]] = {}
    for store in stores:
        for plan in store.plans():
            comparison = compare(plan, store)
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
    _print(console, f"AlexNet 2012 taken apart: {len(STUDIES)} studies, {len(CLAIMS)} claims")
    if pace:
        where = f"on {PRACTICE} / {SMALL}, or on ImageNet"
        _print(console, f"time: {pace.where}; {where}")
    _print(console)
    narrow = console.is_terminal and console.width < ONE_LINE
    _print(console, _row("", "", "section", "the paper", "found", "time", narrow))
    for title, studies in GROUPS.items():
        _print(console, title.upper())
        for study in studies:
            when = _times(study, pace, free)
            ours = _ours(study, found.get(study.name, []))
            section = study.section.split(",")[0]
            row = (study.name, study.asks, section, _paper(study), ours, when)
            _print(console, _row(*row, narrow))
        _print(console)
    for dataset, one in shared.items():
        _print(
            console,
            f"On {dataset} all studies have {one.arms} arms, of which {one.distinct} are different "
            "trainings; what is shared is trained once.",
        )
    _print(console, "Other data than the paper's shows a direction; it settles no claim.")
    say(console, "explained", "invoke studies --name NAME")


def _row(name: str, asks: str, section: str, paper: str, ours: str, when: str, narrow: bool) -> str:
    asked = f"  {name:<{NAME}} {asks:<{ASKS}} {section:<{SECTION}} {paper:<{PAPER}}"
    between = "\n" + " " * (NAME + 3) if narrow else " "
    return f"{asked}{between}{ours:<{FOUND}} {when}"


def _print(console: Console, text: str = "") -> None:
    console.print(text.rstrip(), soft_wrap=True, markup=False)


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
    return f"{before}{words.printed(main, metric)}{after}"


def _ours(study: Study, found: Sequence[Found]) -> str:
    """Return what was found nearest to the paper, and on which images if they are the paper's."""
    if not found:
        known = describe(PRACTICE).has
        lacks = {need for arm in study.arms.values() for need in arm.needs} - known
        alone = not any(set(arm.needs) <= known for arm in study.arms.values())
        needs = ", ".join(NEEDED[need] for need in sorted(lacks))
        return f"needs {needs}" if alone else "not run"
    one = found[0].comparison
    if found[0].plan.about.shows == "readings" and words.largest(one).estimate is not None:
        return _readings(one)
    if found[0].plan.about.shows == "spread" and one.done == one.planned:
        return f"shown, {one.dataset}"
    if one.done < one.planned:
        return f"{one.done} of {one.planned} runs, {one.dataset}"
    judged = [effect for effect in one.effects if effect.contrast.judged]
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
    done = sum(effect.pairs == effect.planned for effect in one.effects)
    top = words.largest(one)
    return f"{done} of {len(one.effects)} readings: {words.estimate(top)} {words.unit(top.metric)}"


def _said(effect: Effect) -> str:
    return f"{effect.verdict} {words.estimate(effect)} {words.unit(effect.metric)}"


def _times(study: Study, pace: effort.Speed | None, free: dict[str, dict[str, str]]) -> str:
    """Return the time on practice images and on CIFAR-10; on ImageNet if it takes no others."""
    shown = []
    for dataset in (PRACTICE, SMALL):
        took = pace and effort.seconds(study, dataset, pace)
        owner = free.get(dataset, {}).get(study.name)
        shown.append(f"free: {owner}" if owner else words.duration(took) if took else "-")
    if shown == ["-", "-"] and pace:
        large = next(name for name in study.bases if name.startswith("imagenet"))
        took = effort.seconds(study, large, pace)
        return f"{words.duration(took)}, ImageNet" if took else "-"
    return " / ".join(dict.fromkeys(shown))


def explain(console: Console, name: str, stores: Sequence[Store]) -> None:
    """Print one study on a screen.

    Raises:
        StudyError: If there is none of that name, or its file cannot be used.
    """
    study = find_study(name)
    claims = f"; claim {', '.join(study.claims)}" if study.claims else ""
    section = f", section {study.section}" if study.section else ""
    _print(console, f"{study.name}: {study.title}{section}{claims}")
    _print(console, study.question)
    _print(console)
    for label, text in (
        ("the paper says", study.paper_says),
        ("it leaves open", study.leaves_open),
        ("we chose", study.we_chose),
        ("would change it", study.would_change),
    ):
        _paragraph(console, label, text)
    _print(console)
    dataset = next(d for d in (SMALL, *study.bases) if d in study.bases)
    for number, line in enumerate(_arms(study, dataset)):
        _paragraph(console, "" if number else "arms", line)
    for number, line in enumerate(_contrasts(study, dataset)):
        _paragraph(console, "" if number else "compared", line)
    _paragraph(console, "held fixed", _held_fixed(study, dataset))
    pace = effort.speed(stores)
    for number, (where, base) in enumerate(study.bases.items()):
        _paragraph(console, "" if number else "images", _images(study, where, base, pace))
    _print(console)
    found = everything(stores).get(study.name, [])
    lines = [line for one in found for line in _came_to(one)]
    for number, line in enumerate(lines or ["nothing yet"]):
        _paragraph(console, "" if number else "found", line)
    say(console, "run it", f"invoke ablate --study {name}")


def _came_to(found: Found) -> Iterator[str]:
    """Yield what a plan has come to: a sentence each, or of many contrasts a line a verdict."""
    one = found.comparison
    if found.plan.about.shows != "effects":
        yield words.headline(found.plan, one)
    elif len(one.effects) <= ALIKE or one.done < one.planned:
        for line in dict.fromkeys(words.verdict_line(effect, one) for effect in one.effects):
            yield f"{one.dataset}: {line}"
    else:
        for verdict in dict.fromkeys(effect.verdict for effect in one.effects):
            those = [effect for effect in one.effects if effect.verdict == verdict]
            sizes = (
                f"{effect.contrast.arm} {words.estimate(effect)} {words.unit(effect.metric)}"
                for effect in those
            )
            yield f"{one.dataset}: {verdict}: {'; '.join(sizes)}"


def _held_fixed(study: Study, dataset: str) -> str:
    rates = study.bases[dataset].rates
    followers = [name for name, arm in study.arms.items() if arm.tuned_as]
    pinned = any(study.config(dataset, arm).pinned for arm in study.arms)
    shared = "all else but chance, of which each arm says what is free" if pinned else SHARED
    if len(rates) == 1:
        return f"{shared}; the rate, {rates[0]:g}"
    chosen = (
        f"{shared}; each arm has the rate that suits it, of {', '.join(f'{r:g}' for r in rates)}"
    )
    return f"{chosen}, but for those that take another's" if followers else chosen


def _paragraph(console: Console, label: str, text: str) -> None:
    if not text:
        return
    first, *rest = textwrap.wrap(text, WIDTH - LABEL)
    for number, line in enumerate((first, *rest)):
        say(console, "" if number else label, line)


def _arms(study: Study, dataset: str) -> Iterator[str]:
    start = study.bases[dataset].config
    size = size_of(start.network).parameters
    if len(study.arms) > LISTED:
        yield f"{len(study.arms)}: {_listed(list(study.arms))}"
        return
    for name, arm in study.arms.items():
        config = study.config(dataset, name)
        differs = _differs(config, start)
        if (own := size_of(config.network).parameters) != size:
            differs.append(f"{own:,} parameters, the base {size:,}")
        if arm.precision:
            differs.append(f"in {arm.precision}")
        if config.pinned:
            differs.append(f"as in seed 0: {', '.join(config.pinned)}")
        if arm.tuned_as:
            differs.append(f"at the rate of {arm.tuned_as}")
        needs = "".join(f"; needs {NEEDED[need]}" for need in arm.needs)
        yield f"{name}: {'; '.join(differs) or 'the base'}{needs}"


def _listed(names: Sequence[str]) -> str:
    """Return many names in a line; of every combination of two lists, the lists."""
    halves = [name.partition(": ")[::2] for name in names]
    firsts, seconds = (list(dict.fromkeys(side)) for side in zip(*halves, strict=True))
    if all(seconds) and len(firsts) * len(seconds) == len(names):
        return f"{', '.join(seconds)}; each in {'; '.join(firsts)}"
    return "; ".join(names)


def _differs(config: Config, start: Config) -> list[str]:
    """Return in words what a config has that another has not."""
    there = {layer.name for layer in config.network.layers}
    removed = [layer for layer in start.network.layers if layer.name not in there]
    if removed and there < {layer.name for layer in start.network.layers}:
        return [_without(layer) for layer in removed]
    base = facets(start)
    return [f"{facet} {value}" for facet, value in facets(config).items() if value != base[facet]]


def _without(layer: Conv | Dense) -> str:
    """Return what becomes of a removed layer's parts; its activation goes with it."""
    stay = [part for part in layer.then if part != "act"]
    follow = f"{' and '.join(stay)} follow{'s' if len(stay) == 1 else ''} the layer before"
    return f"no {layer.name}{f'; its {follow}' if stay else ''}"


def _contrasts(study: Study, dataset: str) -> Iterator[str]:
    primary = study.bases[dataset].metric
    shown = study.contrasts
    if len(shown) > LISTED:
        yield f"{len(shown)} contrasts, such as"
        shown = shown[:1]
    for (against, by), several in groupby(shown, lambda c: _compared_by(c, primary)):
        group = list(several)
        alike = len(group) >= ALIKE and all(contrast.is_simple for contrast in group)
        if alike:
            yield f"each against {against}, {by}:"
        for contrast in group:
            start = contrast.arm if alike else f"{contrast.between}, {by}"
            yield f"{start}: {_expected(contrast, contrast.metric or primary)}"


def _compared_by(contrast: Contrast, primary: Metric) -> tuple[str, str]:
    return contrast.against, words.measured(contrast, contrast.metric or primary)


def _expected(contrast: Contrast, metric: Metric) -> str:
    """Return what is said of a contrast beforehand."""
    way = contrast.predicts(metric)
    says = "no difference expected" if way == "equal" else f"{way} expected"
    if contrast.paper is not None:
        says += f", the paper {words.printed(contrast, metric)}"
    says += f"; nothing within {words.size(contrast.margin_for(metric), metric)}"
    if not contrast.judged:
        says += "; shown, not judged"
    if needed := contrast.precondition:
        what = "overfits" if isinstance(needed, Overfits) else "has an active norm"
        says += f"; presupposes that {needed.arm} {what}"
    return says


def _images(study: Study, dataset: str, base: Base, pace: effort.Speed | None) -> str:
    took = pace and effort.seconds(study, dataset, pace)
    if took is None and pace is not None:
        try:
            study.on(dataset, describe(dataset).has)
        except ValueError as error:
            return str(error)
    seeds = study.seeds_on(dataset)
    judged = "" if base.judged else ", shown without a verdict"
    time = f", {words.duration(took)} here" if took else ""
    return f"{dataset}: {base.setting}, {seeds} seeds{judged}{time}"
