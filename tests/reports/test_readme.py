"""What the README says of results: in words, the nearest to the paper and most surprising first."""

import pytest

from ablations.contrast import Contrast
from ablations.metrics import FinalError, Metric, TimeTo
from ablations.results import Results
from reports.analysis.effect import Effect, Verdict
from reports.evidence import EVIDENCE
from reports.findings.sections import sections
from reports.readme import FIRST, overview_text
from reports.wording.sentences import BRIEFLY, said

HELPS = Contrast(arm="with", against="without", direction="lower", margin=0.005)


@pytest.mark.parametrize(
    ("contrast", "metric", "numbers", "words"),
    [
        (HELPS, FinalError(), (-0.0123, -0.02, -0.0046), "with: 1.23 points lower [0.46, 2.00]"),
        (HELPS, FinalError(), (0.003, -0.001, 0.007), "with: 0.30 points higher [-0.10, 0.70]"),
        (HELPS, FinalError(), (-0.003, -0.007, 0.001), "with: 0.30 points lower [-0.10, 0.70]"),
        (HELPS, FinalError(), (0.003, None, None), "with: 0.30 points higher"),
        (HELPS.but(label="one idea"), FinalError(), (0.0, None, None),
         "one idea: 0.00 points higher"),
        (HELPS.but(arm_labels=(("with", "ReLU"),)), TimeTo(training_error=0.25), (3.5, 3.0, 4.0),
         "ReLU: 3.50 times as fast [3.00, 4.00]"),
    ],
)  # fmt: skip
def test_an_effect_is_said_with_its_direction(
    contrast: Contrast, metric: Metric, numbers: tuple[float | None, ...], words: str
) -> None:
    """Sizes are positive where they go as the word says, and the ends of intervals turn with it."""
    estimate, low, high = numbers
    effect = Effect(
        contrast=contrast, metric=metric, pairs=2, planned=2, estimate=estimate, low=low, high=high
    )

    assert said(effect) == words


def test_every_word_that_decides_is_explained() -> None:
    """Those of the paper's own images, and of others."""
    decided: set[Verdict] = {"holds", "weaker", "stronger", "reversed", "absent", "same way",
                             "other way", "no effect"}  # fmt: skip
    assert decided == BRIEFLY.keys()


def test_the_first_rows_are_different_claims_in_sentences() -> None:
    """Of the evidence that ships, the nearest to the paper's images first."""
    found = sections(Results(EVIDENCE))
    lines = [line for line in overview_text(found).splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    says: dict[str, list[tuple[int, str]]] = {}
    for section in found:
        for effect in section.comparison.effects:
            of_it = (section.nearness, effect.verdict)
            says.setdefault(effect.contrast.says, []).append(of_it)

    assert len(rows) == FIRST
    assert len({row[0] for row in rows}) == FIRST
    nearness = []
    for name, *_, verdict in rows:
        claim, _, study = name.partition(" (")
        verdicts = {one for _, one in says[claim] if one in BRIEFLY}
        assert verdict in verdicts
        assert bool(study) == (len(verdicts) > 1)  # decided differently by several studies
        nearness.append(min(near for near, one in says[claim] if one == verdict))
    assert nearness == sorted(nearness)
    assert len(overview_text(found).splitlines()) <= 25
