"""What a copy of images changes: which studies give way, and differences worked out."""

import math
from collections.abc import Callable, Sequence

import pytest
from scipy.special import stdtrit

from ablations.contrast import Contrast
from ablations.metrics import FinalError, Metric, TimeTo
from ablations.results import Results
from alexnet.config import Frozen
from reports.analysis.effect import Effect
from reports.evidence import EVIDENCE
from reports.findings.copies import (
    CopyRow,
    copies_table,
    difference,
    in_short,
    of_copies,
    originals,
)
from reports.findings.forest import forest
from reports.findings.sections import Section, begun, sections
from reports.page.report import gather
from reports.readme import JPEG, evidence_text, jpeg_text, overview_text

FOUND = sections(Results(EVIDENCE))
ERROR, TIME = FinalError(), TimeTo(training_error=0.25)
LOWER = Contrast(arm="with", against="without", direction="lower", margin=0.01, says="It helps")
HIGHER = Contrast(arm="without", against="with", direction="higher", margin=0.01, says="It helps")


def named(name: str) -> Section:
    """Return a section of what ships."""
    (found,) = [section for section in FOUND if section.name == name]
    return found


IMAGES, COPY = named("one_removed@cifar10"), named(f"one_removed@{JPEG}")


def effect(values: Sequence[float], contrast: Contrast = LOWER, metric: Metric = ERROR) -> Effect:
    """Return an effect with these pairs."""
    return Effect(
        contrast=contrast,
        metric=metric,
        pairs=len(values),
        planned=len(values),
        estimate=sum(values) / len(values),
        by_seed=tuple(values),
    )


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return by how much the second mean is higher, and Welch's interval (1947)."""

    def spread(values: Sequence[float]) -> float:
        mean = sum(values) / len(values)
        return sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)

    a, b = spread(first), spread(second)
    freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    mean = sum(second) / len(second) - sum(first) / len(first)
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(a + b)
    return mean, mean - half, mean + half


def test_a_difference_is_welchs() -> None:
    """Of pairs that are not as many, nor spread alike."""
    ours, theirs = [-0.01, -0.02, -0.03], [-0.02, -0.04, -0.07, -0.05]

    found = difference(effect(ours), effect(theirs))

    assert found == pytest.approx(welch(ours, theirs))


def test_a_difference_goes_as_the_words_do() -> None:
    """Where an arm lacks the idea, what is said is of having it, and so is the difference."""
    ours, theirs = [0.01, 0.02, 0.03], [0.02, 0.04, 0.06]
    mean, low, high = welch(ours, theirs)

    found = difference(effect(ours, HIGHER), effect(theirs, HIGHER))

    assert found == pytest.approx((-mean, -high, -low))


def test_speeds_are_divided() -> None:
    """Three times as fast there and two times here is one and a half."""
    ours, theirs = [2.0, 2.2, 1.9], [3.0, 3.4, 2.8]
    logs = welch([math.log(one) for one in ours], [math.log(one) for one in theirs])

    found = difference(effect(ours, metric=TIME), effect(theirs, metric=TIME))

    assert found == pytest.approx([math.exp(one) for one in logs])


@pytest.mark.parametrize(
    ("ours", "theirs"), [([0.01], [0.02]), ([0.01, 0.01], [0.02, 0.02]), ([0.01, 0.02], [0.02])]
)
def test_without_a_spread_there_is_no_interval(ours: list[float], theirs: list[float]) -> None:
    """A single pair has none; nor have pairs that are all equal."""
    found = difference(effect(ours), effect(theirs))

    assert found is not None
    assert found.mean == pytest.approx(sum(theirs) / len(theirs) - sum(ours) / len(ours))
    assert found[1:] == (None, None)


def test_a_bound_has_no_difference() -> None:
    """Who never got there is further away by nobody knows how much."""
    bound = effect([2.0, 3.0], metric=TIME).model_copy(update={"bound": "lower"})

    assert difference(bound, effect([2.0, 3.0], metric=TIME)) is None
    assert difference(effect([2.0, 3.0], metric=TIME), bound) is None


def test_a_study_of_a_copy_gives_way_to_the_same_on_the_images() -> None:
    """And all else stays, in its order."""
    kept = originals([COPY, IMAGES, named("response_norm@cifar10")])

    assert [section.name for section in kept] == [IMAGES.name, "response_norm@cifar10"]


def changed(section: Section, of: str, **values: object) -> Section:
    """Return a section with other values in a part of it."""
    part: Frozen = getattr(section, of)
    return section.model_copy(update={of: part.model_copy(update=values)})


def of_another_study() -> Section:
    """Return the images' study under another name."""
    plan = IMAGES.plan
    definition = plan.definition.model_copy(update={"study": "another"})
    return IMAGES.model_copy(update={"plan": plan.model_copy(update={"definition": definition})})


def of_other_length() -> Section:
    """Return the images' study, as one with fewer epochs."""
    plan = IMAGES.plan
    definition = plan.definition.model_copy(update={"epochs": 3})
    return IMAGES.model_copy(update={"plan": plan.model_copy(update={"definition": definition})})


@pytest.mark.parametrize(
    "on_the_images",
    [
        lambda: changed(IMAGES, "comparison", done=IMAGES.comparison.planned - 1),
        lambda: changed(IMAGES, "comparison", smoke=True),
        lambda: changed(IMAGES, "comparison", dataset="fashion_mini"),
        of_another_study,
        of_other_length,
    ],
    ids=["incomplete", "smoke", "other images", "another study", "another length"],
)
def test_a_study_of_a_copy_stays(on_the_images: Callable[[], Section]) -> None:
    """Until the same is complete on the images, it is the best there is."""
    found = [COPY, on_the_images()]

    assert originals(found) == found
    assert of_copies(found) == []


def test_both_are_compared_where_they_compare_the_same() -> None:
    """Every contrast that both have, though claims, words and rates have changed in between."""
    arms = {(e.contrast.arm, e.contrast.against) for e in COPY.comparison.effects}
    both = [e for e in IMAGES.comparison.effects if (e.contrast.arm, e.contrast.against) in arms]

    rows = of_copies([COPY, IMAGES])

    assert len(rows) == len(both) == 9
    dropout = next(row for row in rows if row.label == "Dropout lowers the error")
    assert dropout.rates == ("0.003", "0.00577")
    assert dropout.rates_on_copy == ("0.003", "0.01")
    assert (dropout.dataset, dropout.copy_of_it) == ("cifar10", JPEG)
    assert dropout.shown.startswith("2.27 points higher")
    assert dropout.shown_on_copy.startswith("1.83 points higher")
    assert dropout.differs.startswith("-0.44 points [-")  # 1.83 - 2.27
    assert not dropout.is_clear


def row(**values: object) -> CopyRow:
    """Return a row of both, that came to the same."""
    told = {"shown": "", "shown_on_copy": "", "differs": "", "rates": ("1", "1")}
    names = {"study": "s", "label": "It helps", "dataset": "cifar10", "copy_of_it": JPEG}
    words = {"verdict": "same way", "verdict_on_copy": "same way", "is_clear": False}
    return CopyRow.model_validate({**told, **names, **words, "rates_on_copy": ("1", "1"), **values})


def test_differences_are_counted() -> None:
    """What is clear, and of what was decided on both, what came to another verdict."""
    rows = [
        row(),
        row(verdict="other way", is_clear=True),
        row(verdict="open"),
        row(verdict="shown", verdict_on_copy="open", is_clear=True),
    ]

    said = in_short(rows)

    assert said.startswith("4 comparisons made of both: in 2 ")
    assert "2 decided on both: 1 with another verdict" in said
    assert list(copies_table(rows).verdicts) == [
        "same way", "other way; same way", "open; same way", "shown; open",
    ]  # fmt: skip


def test_a_report_says_each_question_once() -> None:
    """The copy's studies are shown one by one, after all others, and speak nowhere else."""
    report = gather(Results(EVIDENCE))
    superseded = {section.name for section in FOUND} - {one.name for one in originals(FOUND)}

    assert superseded >= {COPY.name}
    assert {section.name for section in report.sections} == {one.name for one in begun(FOUND)[0]}
    last = report.sections[-len(superseded) :]
    assert {section.name for section in last} == superseded
    assert not {f"{one.study}@{one.dataset}" for one in report.forest} & superseded
    said = [f for claim in report.claims for f in (*claim.own, *claim.elsewhere)]
    assert not {finding.study for finding in said} & superseded
    assert [one["label"] for one in report.document["copies"]] == [
        one.label for one in report.copies
    ]


def test_pages_let_a_copy_speak_on_its_own_page_alone() -> None:
    """What is complete on CIFAR-10 has no row of the copy on the other pages."""
    kept = originals(FOUND)
    of_the_copy = {one.label: one.shown for one in forest([COPY])}

    for label, shown in of_the_copy.items():
        assert f"{label} | - | {shown}" not in evidence_text(kept)
        assert shown not in overview_text(kept)
        if label != "no LRN against the whole network":  # is shown there, without a verdict here
            assert shown in jpeg_text(FOUND)
