"""What has changed between two reports: verdicts that moved, and numbers beyond noise.

Both are content of `reports.page.document`. Studies are compared where both asked the same
question, their contrasts by verdict, and contrasts and single arms by their values seed by seed,
on the scale that the study compares them on: differences, or logarithms of times.

Which test. Trained again, with another release or on another machine, a run has the same id:
nothing but rounding and machine may differ, so that before and after can change places seed by
seed if nothing has changed. That is what an exact sign-flip test asks, whatever the runs of a seed
have in common. All such differences are tested together, a seed changing places in all of them
at once (`statistics.joint_sign_flip_p`). Below six shared seeds it could find nothing, and where
arms have other rates there is nothing to change places: then Welch's test of two independent
estimates, corrected by Holm. The correlation that shared seeds leave is not negative, which makes
it cautious. Where both kinds of test are made, each gets half of the chance of a false alarm.

Times that were not reached in every run are bounds, and are compared by verdict alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic import TypeAdapter

from ablations.metrics import EnsembleError, Metric
from ablations.planning import difference, in_short
from ablations.study import ALPHA
from alexnet.config import Frozen
from alexnet.text import counted
from reports.analysis import power, statistics
from reports.analysis.effect import Effect, Verdict
from reports.findings.ledger import COUNTED
from reports.wording import formatting, sentences

Kind = Literal[
    "moved", "beyond", "not yet", "bound", "too few", "within", "other question",
    "only before", "only after", "same",
]  # fmt: skip
ORDER: tuple[Kind, ...] = get_args(Kind)
CHANGED_KINDS: tuple[Kind, ...] = ("moved", "beyond")
LABELS: dict[Kind, str] = {
    "moved": "verdict moved",
    "beyond": "changed",
    "not yet": "not yet",
    "bound": "bound",
    "too few": "cannot tell",
    "within": "within noise",
    "other question": "not compared",
    "only before": "only before",
    "only after": "only after",
    "same": "the same",
}
COUNTED_ONLY: tuple[Kind, ...] = ("too few", "within", "same")
"""Of these a reader needs to know how many there are, and the largest."""
WAITING: tuple[Verdict, ...] = ("not run", "incomplete", "exploratory")
BOUND = "not reached in every run, so compared by verdict alone"
LEAST_SPREAD = 1e-9
"""Less is rounding: of runs in which all of chance is pinned, for example."""
METRIC: TypeAdapter[Metric] = TypeAdapter(Metric)

Values = Mapping[int, float]
"""By seed or group, on the scale of the test."""


class Change(Frozen):
    """What became of one verdict, number or study."""

    kind: Kind
    study: str  # study@dataset, or a claim that is counted
    what: str = ""  # a contrast or an arm; empty for a whole study
    text: str = ""
    p: float | None = None  # adjusted for all that was tested
    size: float = 0.0  # of a difference, in standard deviations between seeds


class _Pair(NamedTuple):
    """The values of one contrast or arm, before and after."""

    study: str
    what: str
    metric: Metric
    is_effect: bool
    planned: int
    before: Values
    after: Values
    same_runs: bool  # those of a seed have one id on both sides

    @property
    def shared(self) -> list[int]:
        return sorted(self.before.keys() & self.after.keys())

    @property
    def is_flipped(self) -> bool:
        """Whether before and after of a seed can change places, with enough seeds to tell."""
        return self.same_runs and len(self.shared) >= power.fewest_pairs(ALPHA)

    @property
    def compared(self) -> tuple[list[float], list[float]]:
        """The values that are compared: of shared seeds where they change places, else all."""
        if self.is_flipped:
            return [self.before[u] for u in self.shared], [self.after[u] for u in self.shared]
        return list(self.before.values()), list(self.after.values())


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what became of all that two reports have, the largest change first."""
    rows = list(_counted(before, after))
    pairs: list[_Pair] = []
    studies = before["studies"], after["studies"]
    for name in sorted(studies[0].keys() | studies[1].keys()):
        one, other = (side.get(name) for side in studies)
        if one is None or other is None:
            rows.append(Change(kind="only after" if one is None else "only before", study=name))
        elif (text := _other_question(one, other)) is not None:
            rows.append(Change(kind="other question", study=name, text=text))
        else:
            rows += _verdicts(name, one, other)
            found = [*_effects(name, one, other), *_arms(name, one, other)]
            pairs += [pair for pair in found if isinstance(pair, _Pair)]
            rows += [row for row in found if isinstance(row, Change)]
    rows += _tested(pairs)
    sizes = {(row.study, row.what): row.size for row in rows if row.kind != "moved"}

    def place(row: Change) -> tuple[int, float, str, str]:
        size = sizes.get((row.study, row.what), 0.0)  # a verdict moves as far as its number
        return ORDER.index(row.kind), -size, row.study, row.what

    return sorted(rows, key=place)


def compared(rows: Sequence[Change]) -> bool:
    """Return whether some study of one report could be compared with the other's."""
    apart = ("other question", "only before", "only after")
    return any(row.kind not in apart and row.what != COUNTED for row in rows)


def lines(rows: Sequence[Change]) -> list[tuple[str, str]]:
    """Return what a person reads of changes: labels and texts, and at the end all in short."""
    told = [row for row in rows if row.kind not in COUNTED_ONLY]
    width = max((len(row.study) for row in told), default=0)
    found = [(LABELS[row.kind], _line(row, width)) for row in told]
    for kind in COUNTED_ONLY:
        if several := [row for row in rows if row.kind == kind]:
            text = _counts(len(several), "number" if kind == "same" else "difference")
            if kind != "same":
                text += f", the largest in {_line(several[0], 0)}"
            found.append((LABELS[kind], text))
    moved, beyond = (sum(row.kind == kind for row in rows) for kind in CHANGED_KINDS)
    short = f"{_counts(moved, 'verdict')} moved, {_counts(beyond, 'number')} changed beyond noise"
    if not compared(rows):
        short = f"no study in common; {short}"
    return [*found, ("in short", short)]


def _counts(count: int, noun: str) -> str:
    return counted(count, noun) if count else f"no {noun}s"


def _line(row: Change, width: int) -> str:
    what = f"{row.what}: {row.text}" if row.what and row.text else row.what + row.text
    return f"{row.study:<{width}}  {what}".rstrip()


def _other_question(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Return what two plans ask otherwise, or None; threads are no part of the question."""
    asked = []
    for study in (one, other):
        arms = {arm: content["config"] for arm, content in study["arms"].items()}
        asked.append({**study["definition"], "arms": arms})
    editions = [content.pop("edition") for content in asked]
    found = difference(asked[0], asked[1]) if editions[0] == editions[1] else ("edition", *editions)
    if found is None:
        return None
    field, then, now = found
    return f"not the same question: {field} is {in_short(then)}, then {in_short(now)}"


def _read_effects(study: Mapping[str, Any]) -> list[Effect]:
    """Return the effects of a study, with the words for what they compare."""
    about = study["about"]
    labels = tuple(about.get("labels", {}).items())
    effects = [Effect.model_validate(content) for content in study["comparison"]["effects"]]
    words = about.get("contrasts") or [{}] * len(effects)
    return [
        effect.model_copy(update={"contrast": effect.contrast.but(**own, arm_labels=labels)})
        for effect, own in zip(effects, words, strict=True)
    ]


def _counted(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the claims on the built network whose counts differ: there is no noise in them."""
    sides = [
        {
            row["claim"]["id"]: f"{finding['verdict']}, {finding['ours']}"
            for row in side["ledger"]
            for finding in row["own"]
            if finding["setting"] == COUNTED
        }
        for side in (before, after)
    ]
    for claim in sorted(sides[0].keys() & sides[1].keys()):
        then, now = (side[claim] for side in sides)
        kind: Kind = "same" if then == now else "moved"
        yield Change(kind=kind, study=claim, what=COUNTED, text=f"{then} -> {now}")


def _verdicts(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the verdicts that differ; those that one side lacks are not comparable yet."""
    sides = _read_effects(one), _read_effects(other)
    for then, now in zip(*sides, strict=True):
        if then.verdict == now.verdict:
            continue
        what, text = (
            sentences.named(then, sides[0]),
            " -> ".join(sentences.word(one.verdict) for one in (then, now)),
        )
        if not {then.verdict, now.verdict} & set(WAITING):
            yield Change(kind="moved", study=name, what=what, text=text)
            continue
        if "exploratory" in (then.verdict, now.verdict):
            text += ", which is a matter of dates, not of numbers"
        else:
            seeds = " -> ".join(f"{e.pairs} of {e.planned}" for e in (then, now))
            text += f" ({seeds} {_unit(then.metric)}), not comparable yet"
        yield Change(kind="not yet", study=name, what=what, text=text)


def _effects(
    name: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[_Pair | Change]:
    sides = _read_effects(one), _read_effects(other)
    for then, now in zip(*sides, strict=True):
        what = sentences.named(then, sides[0])
        before, after = (
            {seed: _scaled(value, e.metric) for seed, value in zip(e.seeds, e.by_seed, strict=True)}
            for e in (then, now)
        )
        pair = _Pair(
            study=name,
            what=what,
            metric=then.metric,
            is_effect=True,
            planned=then.planned,
            before=before,
            after=after,
            same_runs=_same_runs(one, other, then.contrast.arms),
        )
        if {then.bound, now.bound} == {"none"} or _is_same(pair):
            yield pair
        else:
            sizes = f"{sentences.estimate(then)} -> {sentences.estimate(now)}"
            text = f"{sizes} {formatting.unit(then.metric)}; {BOUND}"
            yield Change(kind="bound", study=name, what=what, text=text)


def _arms(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[_Pair | Change]:
    """Yield each arm by the study's metric: contrasts stay the same where all arms move."""
    metric = METRIC.validate_python(one["definition"]["metric"])
    for arm in one["arms"]:
        runs = [
            [run for run in side["runs"][arm] if run["value"] is not None] for side in (one, other)
        ]
        before, after = (
            {run["seed"]: _scaled(run["value"], metric) for run in of_side} for of_side in runs
        )
        what = f"{arm}, {formatting.metric_name(metric)}"
        pair = _Pair(
            study=name,
            what=what,
            metric=metric,
            is_effect=False,
            planned=len(one["definition"]["seeds"]),
            before=before,
            after=after,
            same_runs=_same_runs(one, other, (arm,)),
        )
        late = [sum(run["is_bound"] for run in of_side) for of_side in runs]
        if not (metric.is_ratio and any(late)) or _is_same(pair):
            yield pair
        else:
            reached = " -> ".join(
                f"{len(of_side) - count} of {len(of_side)}"
                for of_side, count in zip(runs, late, strict=True)
            )
            yield Change(kind="bound", study=name, what=what, text=f"{reached} runs; {BOUND}")


def _scaled(value: float, metric: Metric) -> float:
    return math.log(value) if metric.is_ratio else value


def _same_runs(one: Mapping[str, Any], other: Mapping[str, Any], arms: Sequence[str]) -> bool:
    """Return whether the runs of arms that both sides have are of the same ids."""
    return all(
        then["id"] == now["id"]
        for arm in arms
        for then in one["runs"][arm]
        for now in other["runs"][arm]
        if then["seed"] == now["seed"]
    )


def _is_same(pair: _Pair) -> bool:
    """Return whether all that both sides have is the same, but for the last digit."""
    return bool(pair.shared) and not _differences(pair).any()


def _differences(pair: _Pair) -> np.ndarray:
    before, after = (
        np.array([side[unit] for unit in pair.shared]) for side in (pair.before, pair.after)
    )
    return np.where(np.isclose(before, after, rtol=1e-9, atol=1e-12), 0.0, after - before)


def _tested(pairs: Sequence[_Pair]) -> Iterator[Change]:
    """Yield what becomes of each pair of numbers, all tests together at one level."""
    flipped: list[_Pair] = []
    independent: list[_Pair] = []
    for pair in pairs:
        if not pair.before or not pair.after:
            continue  # the verdict says that one side is not there yet
        if _is_same(pair):
            yield Change(kind="same", study=pair.study, what=pair.what)
        elif not _has_spread(pair):
            text = f"{_numbers(pair)}, too few seeds or too little spread to tell"
            yield _numeric(pair, "too few", text, None)
        else:
            (flipped if pair.is_flipped else independent).append(pair)
    p_values = [
        *zip(flipped, _by_flips(flipped), strict=True),
        *zip(independent, _by_welch(independent), strict=True),
    ]
    share = 2 if flipped and independent else 1
    for pair, raw in p_values:
        p = min(1.0, share * raw)
        kind: Kind = "beyond" if p < ALPHA else "within"
        yield _numeric(pair, kind, f"{_numbers(pair)}, {kind} noise ({_p(p)}{_over(pair)})", p)


def _numeric(pair: _Pair, kind: Kind, text: str, p: float | None) -> Change:
    return Change(kind=kind, study=pair.study, what=pair.what, text=text, p=p, size=_size(pair))


def _has_spread(pair: _Pair) -> bool:
    """Return whether seeds differ on some side, so that there is a noise to go beyond."""
    sides = pair.compared
    return min(map(len, sides)) > 1 and any(np.ptp(side) > LEAST_SPREAD for side in sides)


def _by_flips(pairs: Sequence[_Pair]) -> list[float]:
    if not pairs:
        return []
    keys = dict.fromkeys(key for pair in pairs for key in _keys(pair))
    units = {key: place for place, key in enumerate(keys)}
    rows = np.zeros((len(pairs), len(units)))
    for row, pair in zip(rows, pairs, strict=True):
        row[[units[key] for key in _keys(pair)]] = _differences(pair)
    return statistics.joint_sign_flip_p(rows, np.random.default_rng(0))


def _keys(pair: _Pair) -> list[tuple[int, int]]:
    """Return the units that change places: seeds, in all studies at once, or groups of them."""
    group = pair.metric.group if isinstance(pair.metric, EnsembleError) else 1
    return [(group, unit) for unit in pair.shared]


def _by_welch(pairs: Sequence[_Pair]) -> list[float]:
    return statistics.holm([statistics.welch_p(*pair.compared) for pair in pairs])


def _size(pair: _Pair) -> float:
    """Return a difference in standard deviations between seeds; 0 where these are not known."""
    sides = pair.compared
    if not _has_spread(pair):
        return 0.0
    deviation = math.sqrt(sum(float(np.var(side, ddof=1)) for side in sides) / 2)
    # Rounded, so that equal changes stand in the order of their names.
    return round(abs(float(np.mean(sides[1]) - np.mean(sides[0]))) / deviation, 6)


def _numbers(pair: _Pair) -> str:
    """Return both means, of what was compared, in the unit that people read."""
    means = [float(np.mean(side)) for side in pair.compared]
    if pair.metric.is_ratio:
        means = [math.exp(mean) for mean in means]
    if not pair.is_effect:
        return " -> ".join(formatting.value(mean, pair.metric) for mean in means)
    shown = " -> ".join(formatting.change(mean, pair.metric) for mean in means)
    return f"{shown} {formatting.unit(pair.metric)}"


def _over(pair: _Pair) -> str:
    """Return of how many seeds, where it is not all that were planned on both sides."""
    before, after = map(len, pair.compared)
    unit = _unit(pair.metric)
    if before != after:
        return f", {before} and {after} {unit}"
    return "" if before == pair.planned else f", {before} of {pair.planned} {unit}"


def _unit(metric: Metric) -> str:
    return "groups" if isinstance(metric, EnsembleError) else "seeds"


def _p(p: float) -> str:
    return "p below 0.0001" if p < 0.0001 else f"p {p:.2g}"
