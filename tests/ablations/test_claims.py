"""The table of claims, against the paper's list and the arithmetic of the 2012 logs."""

import pytest

from ablations.claims import CLAIMS
from ablations.studies import GROUPS, STUDIES
from reports.findings.ledger import number


def test_the_thirty_claims_are_there_in_order() -> None:
    """C01 to C30; every one says something, on something."""
    assert list(CLAIMS) == [f"C{number:02}" for number in range(1, 31)]
    for claim in CLAIMS.values():
        assert claim.says.endswith("."), claim.id
        assert claim.setting, claim.id


@pytest.mark.parametrize(
    ("claim", "with_idea", "without"),
    [
        ("C02", (37.4727, 16.9987), (39.0247, 18.2953)),  # ten views, centre: #145-2010
        ("C10", (37.4727, 16.9987), (39.1680, 18.2287)),  # #145-2010, #145-half
        ("C13", (40.6640, 18.2100), (42.0340, 19.3620)),  # #145, #148
        ("C15", (40.6640, 18.2100), (41.0580, 18.5100)),  # #145, #147
    ],
)
def test_logged_effects_are_differences_of_logged_errors(claim, with_idea, without) -> None:
    """Top-1 and top-5 as the 2012 code printed them; the paper prints them to one digit."""
    logged = [one.value for one in CLAIMS[claim].log]
    printed = [one.value for one in CLAIMS[claim].paper]
    differences = [a - b for a, b in zip(with_idea, without, strict=True)]

    assert logged == pytest.approx(differences, abs=1e-9)
    rounding = 0.1 if claim == "C02" else 0.0  # the paper prints two errors, not their difference
    assert printed == pytest.approx([round(value, 1) for value in logged], abs=rounding + 1e-9)


def test_no_log_contradicts_what_the_paper_prints() -> None:
    """To the digits that it prints, where the log is of the same network."""
    compared = 0
    for claim in CLAIMS.values():
        for printed, logged in zip(claim.paper, claim.log, strict=False):
            same = printed.unit == logged.unit and not logged.of
            if same and claim.id != "C02":  # a difference of two printed errors
                assert printed.value == round(logged.value, 1), claim.id
                compared += 1

    assert compared == 8  # C01, C10, C13, C15, top-1 and top-5


def test_claims_that_need_imagenet_say_so() -> None:
    """Reports read claims and no studies; those have to agree."""
    for claim in CLAIMS.values():
        bases = STUDIES[claim.study].bases if claim.study else {"none": None}
        assert claim.needs_imagenet == all(name.startswith("imagenet") for name in bases), claim.id


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_claims_and_studies_name_each_other(study) -> None:
    """The ledger's command runs what tests the claim; numbers are the claim's, or its reverse."""
    checks = GROUPS["checks on the paper and on ourselves"]
    names = {other.name for other in checks}
    assert study.claim is None or study.name in names or CLAIMS[study.claim].study == study.name
    for contrast in study.contrasts:
        if contrast.claim is None or contrast.paper is None:
            continue
        if CLAIMS[contrast.claim].kind == "result":  # what is printed is no effect
            continue
        printed = CLAIMS[contrast.claim].paper[0]
        scale = 1 if printed.unit == "times" else 0.01
        assert abs(contrast.paper) == pytest.approx(abs(printed.value) * scale), contrast.between
    for claim in CLAIMS.values():
        assert claim.study is None or claim.study in STUDIES


def test_numbers_are_read_as_the_paper_prints_them() -> None:
    """Units and all."""
    shown = {id_: [number(one) for one in CLAIMS[id_].paper] for id_ in ("C01", "C04", "C13")}

    assert shown["C01"] == ["37.5 % top-1", "17.0 % top-5"]
    assert shown["C04"] == ["60,000,000 parameters", "650,000 neurons"]
    assert shown["C13"] == ["-1.4 points top-1", "-1.2 points top-5"]
    assert number(CLAIMS["C05"].paper[0]) == "1 % (at most, of the parameters)"
