"""The figure of a factorial design: every network with its ideas, every effect with its size."""

import numpy as np
import pytest

from ablations.plan import Plan
from ablations.planning import about, define
from ablations.store import Store
from ablations.studies import STUDIES
from reports.figures.captions import caption
from reports.figures.study import draw
from reports.findings.factorial import factorial_of
from reports.findings.sections import Section, section_of
from tests.builders.figure_texts import collisions, texts
from tests.builders.plans import MANIFEST, chosen
from tests.builders.records import PROVENANCE, measures_of, record_of

IDEAS = ("ReLU", "overlapping pooling", "LRN", "dropout", "colour noise")
EFFECTS = (-0.15, -0.004, 0.0, 0.02, -0.006)


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    """Return the paper's toggles on made-up runs, of which ReLU changes by far the most."""
    images = MANIFEST.model_copy(update={"name": "cifar10", "colour": True})
    study = STUDIES["toggles"]
    definition = define(study, "cifar10", images, 4, "bfloat16", smoke=False)
    words = about(study, "cifar10")
    plan = chosen(Plan(definition=definition, about=words, registered=PROVENANCE))
    rng, store = np.random.default_rng(0), Store(tmp_path_factory.mktemp("results"))
    for seed in plan.definition.seeds:
        for arm in plan.definition.arms:
            has = [arm == "all of them" or idea in arm for idea in IDEAS]
            error = 0.45 + np.dot(has, EFFECTS) + rng.normal(0, 0.005)
            measures = measures_of(error, error, error)
            store.add(record_of(plan.run(arm, seed), [0.9, 0.5], measures=measures))
    return section_of(plan, store)


def test_networks_are_sorted_and_say_what_they_have(section: Section) -> None:
    """Sixteen, the best first; those with ReLU before those without."""
    found = factorial_of(section)
    assert found is not None

    means = [np.mean(network.values) for network in found.networks]
    assert means == sorted(means)
    assert len(found.networks) == 16
    assert [network.has[0] for network in found.networks] == [True] * 8 + [False] * 8
    for network in found.networks:
        named = [network.arm == "all of them" or idea in network.arm for idea in IDEAS]
        assert list(network.has) == named
    assert (len(found.ideas), len(found.together)) == (5, 10)


def test_every_effect_is_drawn_where_it_is_and_one_beyond_the_axis_as_an_arrow(
    section: Section,
) -> None:
    """ReLU's 15 points would leave no room for the others'."""
    found, figure = factorial_of(section), draw(section)
    assert found is not None
    assert figure is not None
    *_, axes = figure.axes
    low, high = axes.get_xlim()
    drawn = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() in "o<>"}

    assert drawn[0].get_marker() == "<"
    assert low < drawn[0].get_xdata()[0] < 0
    for row, effect in enumerate((*found.ideas, *found.together)[1:], start=1):
        assert drawn[row].get_marker() == "o"
        assert drawn[row].get_xdata()[0] == pytest.approx(100 * effect.estimate)
        assert low < 100 * effect.low < 100 * effect.high < high


def test_the_figure_can_be_read(section: Section) -> None:
    """Every idea, every effect with its size, nothing over anything else, and a caption of it."""
    figure = draw(section)
    assert figure is not None
    written = texts(figure)

    for effect in section.comparison.effects:
        assert effect.contrast.compared in written
        assert any(text.startswith(f"{100 * effect.estimate:+.2f} points") for text in written)
    assert collisions(figure) == []
    assert "the networks from the best to the worst" in caption(section)
