"""The smoke as a JUnit file, which every CI shows: one case an arm, one suite a study."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from alexnet.durable import write_atomically
from reports.smoke.outcomes import MOVED, Outcome

FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""What XML cannot hold in any way of writing it, such as a terminal's colours."""


def write_junit(path: Path, outcomes: Sequence[Outcome], seconds: Mapping[str, float]) -> None:
    """Write what became of every arm.

    Args:
        path: The file.
        outcomes: Of every arm, those of a study together.
        seconds: Of training and evaluation, by arm; those of a shared training at its first arm.
    """
    root = ElementTree.Element("testsuites", name="smoke ablations")
    by_study = sorted(outcomes, key=lambda one: one.arm.partition("/")[0])
    for study, of_study in groupby(by_study, key=lambda one: one.arm.partition("/")[0]):
        cases = list(of_study)
        about = {"name": study, **_counts(cases, seconds)}
        suite = ElementTree.SubElement(root, "testsuite", about)
        for one in cases:
            suite.append(_case(study, one, seconds.get(one.arm, 0.0)))
    ElementTree.indent(root)
    write_atomically(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _counts(cases: Sequence[Outcome], seconds: Mapping[str, float]) -> dict[str, str]:
    kinds = [one.kind for one in cases]
    return {
        "tests": str(len(kinds)),
        "failures": str(sum(kind in MOVED for kind in kinds)),
        "errors": str(kinds.count("failed")),
        "skipped": str(kinds.count("left out")),
        "time": f"{sum(seconds.get(one.arm, 0.0) for one in cases):.3f}",
    }


def _case(study: str, one: Outcome, seconds: float) -> ElementTree.Element:
    arm = one.arm.partition("/")[2]
    case = ElementTree.Element("testcase", classname=study, name=arm, time=f"{seconds:.3f}")
    text = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", one.text)
    if one.kind in MOVED:
        ElementTree.SubElement(case, "failure", message=text, type=one.kind)
    elif one.kind == "failed":
        ElementTree.SubElement(case, "error", message=text, type=one.kind)
    elif one.kind == "left out":
        ElementTree.SubElement(case, "skipped", message=text)
    return case
