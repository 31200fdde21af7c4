"""The studies, one screen each."""

import difflib

from ablations.studies import relu_vs_tanh
from ablations.study import Study

STUDIES: dict[str, Study] = {study.name: study for study in (relu_vs_tanh.STUDY,)}


class UnknownStudyError(ValueError):
    """There is no study of that name; the message suggests the nearest."""


def find_study(name: str) -> Study:
    """Return a study by its name.

    Raises:
        UnknownStudyError: If there is none.
    """
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(STUDIES)
        raise UnknownStudyError(f"there is no study {name!r}; {hint}")
    return STUDIES[name]
