"""Texts that commands a terminal, break XML or compute in a spreadsheet: kept out at every door."""

import json
from pathlib import Path

import pytest

from ablations.plan import Plan, PlanError
from ablations.study import Base, FinalError, Study
from alexnet.presets import tiny
from alexnet.sealed import SealError, parsed
from alexnet.text import shown
from reports.page.tables import arms_table, write_table
from tests.builders.class_folders import images, prepared, written
from tests.builders.plans import HELPS, of_errors, resealed


@pytest.mark.parametrize(
    "text", ["\x00", "a\x1b[2J", "\x7f", "\x9b31m", "\ufffe", "\uffff", "\x0b", "\x85"]
)
def test_files_of_ours_hold_no_control_characters(text: str) -> None:
    """Neither as JSON writes them by their numbers nor as they are, in values and in keys."""
    for content in ({"name": text}, {text: 1}, {"list": [{"inside": f"x{text}y"}]}):
        with pytest.raises(SealError, match="control characters"):
            parsed(json.dumps(content).encode())
    if ord(text[-1]) >= 0x7F:
        with pytest.raises(SealError, match="control characters"):
            parsed(json.dumps({"name": text}, ensure_ascii=False).encode())


@pytest.mark.parametrize("text", ["a\nb\tc", "é", "世界", "😀", "\\u001b", "\u202e", "\u00a0"])
def test_other_letters_are_text(text: str) -> None:
    """Line breaks, and what looks like an escape and is none; emojis have two numbers."""
    for ascii_alone in (True, False):
        content = json.dumps({"name": text}, ensure_ascii=ascii_alone)
        assert parsed(content.encode()) == {"name": text}


def test_an_arm_cannot_have_a_name_that_nothing_can_show() -> None:
    """Of a study of one's own, in a sentence, before anything is registered."""
    bases = {"fashion_mini": Base(config=tiny(), metric=FinalError(), rates=(0.001,))}
    for name in ("", "a\x1b[2J"):
        arms = {"with": {}, name: {"inputs": {"flips": False}}}
        with pytest.raises(ValueError, match="cannot be the name of an arm"):
            Study(
                name="norm", question="?", arms=arms, contrasts=(HELPS.but(against=name),),
                bases=bases,
            )  # fmt: skip
    arms = {"with": {}, "without": {"inputs": {"flips": False}}}
    with pytest.raises(ValueError, match="control character, which no page can show"):
        Study(name="norm", question="\x07?", arms=arms, contrasts=(HELPS,), bases=bases)


def test_a_plan_with_control_characters_is_refused(tmp_path: Path) -> None:
    """As another's folder could bring it: the page would be no XML, the terminal would obey."""
    plan = of_errors(HELPS)
    path = tmp_path / f"{plan.name}.json"
    text = plan.to_json().replace('"with"', '"w\\u001b[2J"')
    path.write_bytes(resealed(json.loads(text)))

    with pytest.raises(PlanError, match="holds control characters"):
        Plan.read(path)


def test_a_plan_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    """A contrast, a choice or a rate of an arm that is not there: by whoever makes its digest."""
    plan = of_errors(HELPS)
    path = tmp_path / f"{plan.name}.json"
    whole = json.loads(plan.to_json())
    choice, definition = whole["choices"]["with"], whole["definition"]
    without_margin = definition["contrasts"][0] | {"margin": None, "paper": None}
    for edit in (
        {"choices": {"nobody": choice}},
        {"choices": {"with": choice | {"rate": 0.0}}},
        {"timings": {"nobody": {"seconds_per_step": 1.0, "batch": 1}}},
        {"definition": definition | {"tuned_as": {"with": "nobody"}}},
        {"definition": definition | {"rates": []}},
        {"definition": definition | {"contrasts": [without_margin]}},
        {"definition": definition | {"arms": {"with": definition["arms"]["with"]}}},
    ):
        path.write_bytes(resealed(whole | edit))
        with pytest.raises(PlanError, match="is of another version"):
            Plan.read(path)


def test_folders_with_odd_letters_are_classes_that_can_be_shown(tmp_path: Path) -> None:
    """What is no text is written as its number, and the manifest can be read."""
    odd = {name.replace("cat", "c\x1bt"): content for name, content in images().items()}

    found = prepared(written(tmp_path / "source", odd), tmp_path / "data")

    assert found.classes == ("c\\x1bt", "dog")
    assert prepared(tmp_path / "source", tmp_path / "data") == found
    assert shown("c\x1bt") == "c\\x1bt"


def test_a_cell_that_begins_like_a_formula_is_text(tmp_path: Path) -> None:
    """In the CSV, which spreadsheets open; numbers keep their signs."""
    from ablations.store import Store
    from reports.findings.records import comparison_of

    plan = of_errors(HELPS)
    renamed = plan.to_json().replace('"with"', json.dumps('=HYPERLINK("http://x")'))
    again = Plan.model_validate_json(
        json.dumps({k: v for k, v in json.loads(renamed).items() if k != "sha256"})
    )
    table = arms_table(again, comparison_of(again, Store(tmp_path)))
    write_table(table.assign(change="-1.83 [-2.31, -1.35]"), tmp_path, "arms")

    csv = (tmp_path / "arms.csv").read_text()
    assert "\"'=HYPERLINK(" in csv
    assert '"-1.83 [-2.31, -1.35]"' in csv
