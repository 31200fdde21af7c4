"""What to say to who asks for something by a name that is not there."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name as a question, or all of them.

    >>> suggestion("papre", ["paper", "tiny"]), suggestion("x", ["paper", "tiny"])
    ('did you mean paper?', 'known: paper, tiny')
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
