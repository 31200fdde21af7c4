"""What `invoke studies --name` prints: one study on a screen."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console

from ablations.contrast import Contrast, NormActive, Overfits, Precondition, Reaches
from ablations.metrics import Metric
from ablations.side_effects import side_effects
from ablations.store import Store
from ablations.studies import find_study
from ablations.study import NEEDED, Base, Study
from alexnet.config import Config, Conv, Dense
from alexnet.cost import cost_of
from alexnet.data.catalogue import describe
from alexnet.text import counted
from reports.analysis.effect import Effect
from reports.commands import estimate
from reports.commands.console import LABEL, plain, say
from reports.commands.studies import SMALL, Found, answered_by_others, everything
from reports.wording import formatting, sentences
from reports.wording.config_summary import facets

WIDTH = 100
LISTED = 12  # arms, or contrasts
ALIKE = 3  # contrasts in a row that share what they are compared with are listed by arm
SHARED = (
    "all else; of a seed, initial weights, order, crops, flips, colour noise and dropout wherever "
    "shapes agree"
)


def explain(console: Console, name: str, stores: Sequence[Store]) -> None:
    """Print one study on a screen.

    Raises:
        StudyError: If there is none of that name, or its file cannot be used.
    """
    study = find_study(name)
    claims = f"; claim {', '.join(study.claims)}" if study.claims else ""
    section = f", section {study.section}" if study.section else ""
    plain(console, f"{study.name}: {study.title}{section}{claims}")
    plain(console, study.question)
    plain(console)
    for label, text in (
        ("the paper says", study.paper_says),
        ("it leaves open", study.leaves_open),
        ("we chose", study.we_chose),
        ("could depend on", study.would_change),
    ):
        _paragraph(console, label, text)
    plain(console)
    dataset = next(d for d in (SMALL, *study.bases) if d in study.bases)
    for number, line in enumerate(_arms(study, dataset)):
        _paragraph(console, "" if number else "arms", line)
    for number, line in enumerate(_contrasts(study, dataset)):
        _paragraph(console, "" if number else "compared", line)
    for number, line in enumerate(_besides(study, dataset)):
        _paragraph(console, "" if number else "changes besides", line)
    _paragraph(console, "held fixed", _held_fixed(study, dataset))
    pace = estimate.speed(stores)
    for number, (where, base) in enumerate(study.bases.items()):
        _paragraph(console, "" if number else "images", _images(study, where, base, pace))
    plain(console)
    known = everything(stores)
    found = known.get(study.name, [])
    lines = [line for one in found[:1] for line in _came_to(one)]
    for one in found[1:]:  # of what is further from the paper, what a screen has room for
        more = list(_came_to(one))
        if len(lines) + len(more) <= ALIKE:
            lines += more
    for other, effect in answered_by_others(study, known):
        where = f"{other.comparison.study}, {other.comparison.dataset}"
        lines.append(f"{where}: {sentences.verdict_line(effect, other.comparison)}")
    for number, line in enumerate(lines or ["nothing yet"]):
        _paragraph(console, "" if number else "found", line)
    say(console, "run it", f"invoke ablate --study {name}")


def _came_to(found: Found) -> Iterator[str]:
    """Yield what a plan has come to: a sentence each, or of many contrasts a line a verdict."""
    comparison = found.comparison
    if found.plan.about.shows != "effects":
        yield sentences.headline(found.plan, comparison)
    elif len(comparison.effects) <= ALIKE or comparison.done < comparison.planned:
        for line in dict.fromkeys(
            sentences.verdict_line(effect, comparison) for effect in comparison.effects
        ):
            yield f"{comparison.dataset}: {line}"
    else:
        for verdict in dict.fromkeys(effect.verdict for effect in comparison.effects):
            those = [effect for effect in comparison.effects if effect.verdict == verdict]
            # What decides nothing is named alone: its size would be read as a finding.
            sizes = (
                _told_apart(effect, comparison.effects)
                if verdict == "open"
                else f"{_told_apart(effect, comparison.effects)} {sentences.estimate(effect)} "
                f"{formatting.unit(effect.metric)}"
                for effect in those
            )
            yield f"{comparison.dataset}: {sentences.word(verdict)}: {'; '.join(sizes)}"


def _told_apart(effect: Effect, effects: Sequence[Effect]) -> str:
    """Return an effect's arm where that tells it from the others; else all that it is of."""

    def compared(one: Effect) -> tuple[str, Metric]:
        return one.contrast.against, one.metric

    usual, _ = Counter(map(compared, effects)).most_common(1)[0]
    alone = sum(one.contrast.arm == effect.contrast.arm for one in effects) == 1
    if effect.contrast.is_simple and compared(effect) == usual and alone:
        return effect.contrast.arm
    return sentences.named(effect, effects)


def _held_fixed(study: Study, dataset: str) -> str:
    rates, finer = study.bases[dataset].rates, study.bases[dataset].refine
    followers = [name for name, arm in study.arms.items() if arm.tuned_as]
    pinned = any(study.config(dataset, arm).pinned for arm in study.arms)
    shared = "all else but chance, of which each arm says what is free" if pinned else SHARED
    if len(rates) == 1:
        return f"{shared}; the rate, {rates[0]:g}"
    chosen = (
        f"{shared}; each arm has the rate that suits it, of {', '.join(f'{r:g}' for r in rates)}"
        f"{', and then closer to the best' if finer else ''}"
    )
    if given := sum(len(arm.rates) == 1 for arm in study.arms.values()):
        chosen = f"{chosen}; {counted(given, 'arm has', 'arms have')} one that is given"
    return f"{chosen}, but for those that take another's" if followers else chosen


def _paragraph(console: Console, label: str, text: str) -> None:
    if not text:
        return
    first, *rest = textwrap.wrap(text, WIDTH - LABEL)
    for number, line in enumerate((first, *rest)):
        say(console, "" if number else label, line)


def _arms(study: Study, dataset: str) -> Iterator[str]:
    start = study.bases[dataset].config
    size = cost_of(start.network).parameters
    if len(study.arms) > LISTED:
        yield f"{len(study.arms)}: {_listed(list(study.arms))}"
        return
    for name, arm in study.arms.items():
        config = study.config(dataset, name)
        differs = _differs(config, start)
        if (own := cost_of(config.network).parameters) != size:
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


def _besides(study: Study, dataset: str) -> Iterator[str]:
    """Yield what the arms of a contrast differ in besides the idea; of many, none is listed.

    Parameters stand beside the arms.
    """
    if len(study.contrasts) > LISTED:
        return
    for contrast in study.contrasts:
        special = contrast.number is not None or contrast.weights is not None
        if special or contrast.arm == contrast.against:
            continue
        arms = (study.config(dataset, arm) for arm in (contrast.arm, contrast.against))
        said = [line for line in side_effects(*arms) if "parameters" not in line]
        if said:
            usual = contrast.against == study.contrasts[0].against
            yield f"{contrast.arm if usual else contrast.between}: {'; '.join(said)}"


def _compared_by(contrast: Contrast, primary: Metric) -> tuple[str, str]:
    return contrast.against, formatting.measured(contrast, contrast.metric or primary)


def _expected(contrast: Contrast, metric: Metric) -> str:
    """Return what is said of a contrast beforehand."""
    way = contrast.predicts(metric)
    says = "no difference expected" if way == "equal" else f"{way} expected"
    if contrast.paper is not None:
        says += f", the paper {formatting.printed(contrast, metric)}"
    says += f"; margin {formatting.size(contrast.margin_for(metric), metric)}"
    if not contrast.judged:
        says += "; shown, not judged"
    for needed in contrast.preconditions:
        says += f'; presupposes that "{needed.arm}" {_presupposed(needed)}'
    return says


def _presupposed(needed: Precondition) -> str:
    match needed:
        case Overfits():
            return "overfits"
        case NormActive():
            return "has an active norm"
        case Reaches(within=most):
            return f"errs by {formatting.percent(most)} at most"


def _images(study: Study, dataset: str, base: Base, pace: estimate.Speed | None) -> str:
    took = pace and estimate.seconds(study, dataset, pace)
    if took is None and pace is not None:
        try:
            study.on(dataset, describe(dataset).has)
        except ValueError as error:
            return str(error)
    seeds = study.seeds_on(dataset)
    judged = "" if base.judged else ", shown without a verdict"
    time = f", {formatting.duration(took)} here" if took else ""
    return f"{dataset}: {base.setting}, {counted(seeds, 'seed')}{judged}{time}"
