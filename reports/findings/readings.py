"""A study of readings: the ratio of each, ranked."""

import pandas as pd

from reports.analysis.comparison import Comparison
from reports.analysis.effect import Effect
from reports.wording.formatting import times
from reports.wording.sentences import estimate, interval


def ranked(comparison: Comparison) -> list[Effect]:
    """Return the readings that have a pair of runs, the largest ratio first."""
    found = [effect for effect in comparison.effects if effect.estimate is not None]
    return sorted(found, key=lambda effect: -(effect.estimate or 0.0))


def readings_table(comparison: Comparison) -> pd.DataFrame:
    """Return a row a reading, ranked; what has no runs yet comes last."""
    none = [effect for effect in comparison.effects if effect.estimate is None]
    rows = [
        [
            str(place) if effect.pairs else "",
            effect.contrast.compared,
            times(effect.mean),
            times(effect.mean_against),
            estimate(effect) if effect.pairs else "not run",
            interval(effect),
            f"{effect.pairs} of {effect.planned}",
        ]
        for place, effect in enumerate((*ranked(comparison), *none), 1)
    ]
    columns = ["", "reading", "epochs", "epochs of the other", "times", "95 % interval", "seeds"]
    return pd.DataFrame(rows, columns=columns)
