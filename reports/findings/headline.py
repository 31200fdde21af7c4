"""The front of a report: one sentence, one of counts, facts, and what would change our mind.

Written from plans and records by rule; no adjective that no number carries.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from ablations.claims import CLAIMS
from ablations.plan import Plan
from alexnet.config import Frozen
from alexnet.text import counted
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, Effect
from reports.findings.deviations import Deviation, deviations
from reports.findings.ledger import Row, State, surprise
from reports.findings.sections import Nearness, Section, real
from reports.findings.verification import Verified, summary, where_and_when
from reports.wording import formatting, sentences

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Fact(Frozen):
    """A fact of the whole folder, and whether it tells of dates or machines."""

    name: str
    text: str


class Answer(Frozen):
    """What a reader sees first."""

    headline: str
    counts: str
    lead: str | None  # the study@dataset that it is about
    minds: tuple[str, ...]  # what would change our mind


def answer(found: Sequence[Section], ledger: Sequence[Row]) -> Answer:
    """Return the front of a report on what was found."""
    lead = leading(found)
    if lead is None:
        nothing = "Nothing has been run in this folder yet."
        if found:
            nothing = "Smoke runs alone: the machinery works; their numbers mean nothing."
        if real(found):
            nothing = "Nothing has been compared yet: rates are still being chosen."
        return Answer(headline=nothing, counts=counts(ledger), lead=None, minds=())
    section, effect = lead
    return Answer(
        headline=_headline(section, effect, ledger),
        counts=counts(ledger),
        lead=section.name,
        minds=minds(section, effect, [d for d in deviations(found) if section.name in d.where]),
    )


def leading(found: Sequence[Section]) -> tuple[Section, Effect] | None:
    """Return what speaks first: the most surprising decided claim on the paper's own data.

    Else on a copy of it, else the most surprising decided effect elsewhere, else the first study
    that has any run.
    """
    pairs = [(section, effect) for section in real(found) for effect in section.comparison.effects]
    for nearness in Nearness:
        decided = [
            (section, effect)
            for section, effect in pairs
            if effect.verdict in DECIDED
            and section.nearness is nearness
            and (effect.contrast.claim is not None or nearness is Nearness.OTHER)
        ]
        if decided:
            return max(decided, key=lambda pair: surprise(pair[1]) or 0.0)
    begun = [section for section in real(found) if section.comparison.done]
    return (begun[0], begun[0].speaks) if begun else None


def _headline(section: Section, effect: Effect, ledger: Sequence[Row]) -> str:
    text = sentences.headline(section.plan, section.comparison, effect)
    decided = sum(row.state == "decided" and row.trained for row in ledger)
    if section.comparison.setting not in ON_THE_PAPERS_DATA or not decided:
        return text
    several = "claim" if decided == 1 else "claims"
    return f"AlexNet, {in_words(decided)} {several} later: {text[0].lower()}{text[1:]}"


def in_words(number: int) -> str:
    """Return a small number as a word.

    >>> in_words(6), in_words(24)
    ('six', '24')
    """
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def counts(ledger: Sequence[Row]) -> str:
    """Return how many claims there are, can be tested, and were, in one sentence.

    A claim counts once: with several contrasts, under all words that they came to.
    """
    testable = [row for row in ledger if row.claim.study]
    states = Counter(row.state for row in testable)
    decided = Counter(row.word for row in testable if row.state == "decided")
    said = ", ".join(f"{count} {sentences.word(one)}" for one, count in sorted(decided.items()))
    own = f"{states['decided']} on the paper's own data" + (f" ({said})" if said else "")
    others: tuple[tuple[State, str], ...] = (
        ("elsewhere", "by stand-ins alone"),
        ("exploratory", "exploratory"),
        ("under way", "under way"),
        ("not run", "not yet"),
    )
    rest = [f"{states[state]} {where}" for state, where in others if states[state]]
    if waiting := sum(row.needs_imagenet for row in testable):
        rest[-1] += f" ({waiting} for want of ImageNet)"
    of_counts = [row for row in ledger if row.claim.kind == "count"]
    as_printed = sum(row.word == "as printed" for row in of_counts)
    untested = len(ledger) - len(testable) - len(of_counts)
    return (
        f"Of {len(CLAIMS)} claims, {len(testable)} can be tested by training: "
        f"{', '.join((own, *rest))}. {len(of_counts)} are counts of the built network: "
        f"{as_printed} as printed, {len(of_counts) - as_printed} not. {untested} are procedures, "
        "or need what nobody has any more."
    )


def minds(section: Section, effect: Effect, in_force: Sequence[Deviation]) -> tuple[str, ...]:
    """Return what the paper leaves open, the deviation that weighs most, and what could be missed.

    The deviation that weighs most is, by rule, the first that some study measures.
    """
    about, lines = section.plan.about, []
    if about.left_open:
        lines.append(f"The reading: {'; '.join(about.left_open[:2])}.")
    known = sorted(in_force, key=lambda one: (not one.worth, not one.measured_by))
    if known:
        first = known[0]
        worth = first.worth or (
            f"its worth is for {first.measured} to say" if first.measured_by else "not measured"
        )
        paper = first.text if first.text not in ("not said", "the same") else first.code
        lines.append(f"A deviation: {first.what} is {first.here}, for {paper}; {worth}.")
    if effect.detectable is not None:
        smallest = formatting.size(effect.detectable, effect.metric)
        lines.append(
            f"The seeds: {effect.planned} of them could miss an effect below {smallest} in a fifth "
            "of all tries (80 % power)."
        )
    return tuple(lines)


def facts(
    found: Sequence[Section],
    waiting: Sequence[Section] = (),
    verified: Sequence[Verified] = (),
) -> tuple[Fact, ...]:
    """Return when it was registered, how many runs, how rates were chosen, and what was verified.

    Args:
        found: Studies that have runs.
        waiting: Studies that were registered because they share some, and have not been asked for.
        verified: Runs that somebody has trained again.
    """
    studies = [section for section in real(found) if section.comparison.done]
    if not studies:
        return ()
    return tuple(
        Fact(name=name, text=text)
        for name, text in (
            ("registered", _registered(studies)),
            ("runs", _counted_runs(studies)),
            ("tuned alike", _tuned(studies)),
            ("on the clock", f"{_clock(studies)} of training and evaluation"),
            ("verified", f"{summary(verified)}; {where_and_when(verified)}" if verified else ""),
            (
                "registered, no rate chosen",
                ", ".join(sorted(s.plan.definition.study for s in waiting)),
            ),
        )
        if text
    )


def _clock(studies: Sequence[Section]) -> str:
    of_runs: dict[str, float] = {}
    for section in studies:  # a run that several studies share was trained once
        of_runs |= section.seconds
    return formatting.duration(sum(of_runs.values()))


def _registered(studies: Sequence[Section]) -> str:
    """Return how many plans are older than what they compare, and how many took older rates."""
    late = [s for s in studies if _is_older(s.first_compared, s.plan)]
    shared = [s for s in studies if s not in late and _is_older(s.first_run, s.plan)]
    plans = counted(len(studies), "plan")
    before = f"{len(studies) - len(late)} of {plans} before the first run they compare"
    if shared:
        before += f", {len(shared)} with rates that older runs chose"
    changed = sum(bool(section.plan.amendments) for section in studies)
    words_since = f"words changed since in {changed}" if changed else "nothing changed since"
    return f"{before}; {words_since}"


def _is_older(at: datetime | None, plan: Plan) -> bool:
    return at is not None and at < plan.registered.at


def _counted_runs(studies: Sequence[Section]) -> str:
    """Return how many runs there are, each once, whichever studies share it."""
    runs = {r.id: r.status for s in studies for of_arm in s.runs.values() for r in of_arm}
    tuning = {run for section in studies for run in section.tuning_records}
    diverged = sum(status == "diverged" for status in runs.values())
    missing = sum(section.missing > 0 for section in studies)
    complete = f"studies incomplete: {missing}" if missing else "all studies complete"
    return f"{len(runs)} compared, {len(tuning)} to choose rates; {diverged} diverged; {complete}"


def _tuned(studies: Sequence[Section]) -> str:
    tried = [s for s in studies if any(choice.trials for choice in s.plan.choices.values())]
    if not tried:
        return "one rate each; nothing was chosen"
    rates = " or ".join(map(str, sorted({len(s.plan.definition.rates) for s in tried})))
    seeds = " or ".join(map(str, sorted({len(s.plan.definition.tuning_seeds) for s in tried})))
    edges = {s.plan.label(row.arm) for s in tried for row in s.comparison.rows if row.at_edge}
    at_edge = f"at an edge: {'; '.join(sorted(edges))}" if edges else "none at an edge"
    return f"{rates} rates in every arm of a study, {seeds} seeds each; {at_edge}"
