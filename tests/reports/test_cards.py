"""How long cards would take: reckoned by hand from what the paper says of its own."""

import pytest

from alexnet.presets import paper
from reports.commands.cards import Card, on_cards, seconds_of_a_run, use_in_2012


def test_the_papers_cards_take_as_long_as_the_paper_says() -> None:
    """Two of them, in one: five to six days for 90 cycles through 1.2 million images."""
    both = Card("two GTX 580", 2 * 1.581e12)

    least, most = seconds_of_a_run(paper().but(training={"epochs": 90}), 1_200_000, both)

    assert least == pytest.approx(5 * 86_400)
    assert most == pytest.approx(6 * 86_400)


def test_a_part_of_the_peak_is_used() -> None:
    """By hand: 90 x 1.2e6 x 6 x 724,406,816 operations in five days of 2 x 1.581e12 a second."""
    done = 90 * 1.2e6 * 6 * 724_406_816

    assert use_in_2012() == pytest.approx(
        (done / 6 / 86_400 / 3.162e12, done / 5 / 86_400 / 3.162e12)
    )


def test_eight_cards_take_a_run_each() -> None:
    """Nine runs are two rounds of eight cards, and nine of one."""
    config = paper().but(training={"epochs": 90})
    least, most = seconds_of_a_run(config, 1_200_000)
    one, eight, how = on_cards([config], 1_200_000, 9)

    assert one == f"one NVIDIA A100: {least * 9 / 86_400:.0f} days to {most * 9 / 86_400:.0f} days"
    assert eight == f"8 of them: {least * 2 / 3600:.1f} h to {most * 2 / 3600:.1f} h"
    assert "not measured" in how


def test_a_config_that_takes_fewer_images_takes_less() -> None:
    """As many as it says, or all that there are."""
    config = paper()
    whole, half = (
        seconds_of_a_run(config.but(training={"images": images}), 1_000_000)[0]
        for images in (None, 500_000)
    )

    assert whole == pytest.approx(2 * half)
    assert seconds_of_a_run(config, 500_000)[0] == pytest.approx(half)
