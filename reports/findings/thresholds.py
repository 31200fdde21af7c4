"""A study of times, read at another training error than it was registered for."""

import math

from ablations.metrics import TimeTo
from ablations.study import Contrast
from alexnet.learning_curve import running_curve, time_to
from reports.analysis.comparison import compare
from reports.findings.sections import Section
from reports.wording.formatting import percent


class ThresholdError(ValueError):
    """A training error that times cannot be read at; the message says why and the way out."""


def at_threshold(section: Section, error: float) -> Section:
    """Return what a study of times comes to at another training error, from the same runs.

    Its title says so, and no number of the paper is beside it: that is of the registered one.

    Args:
        section: What was registered, its records, and what they come to.
        error: The running training error, a fraction.

    Raises:
        ThresholdError: If the study compares no times, or a run does not pass there.
    """
    plan = section.plan
    registered = plan.definition.metric
    if not isinstance(registered, TimeTo) or plan.about.shows != "effects":
        raise ThresholdError(
            f"{plan.definition.study} shows no times to one training error; leave threshold out"
        )
    if not 0 < error < 1:
        raise ThresholdError(f"{error:g} is no error between 0 and 1; 25 % is 0.25")
    if error == registered.training_error:
        return section
    _refuse_what_is_not_passed(section, error)
    metric = TimeTo(training_error=error)
    contrasts = tuple(_without_paper(contrast, metric) for contrast in plan.definition.contrasts)
    view = plan.model_copy(
        update={
            "definition": plan.definition.model_copy(
                update={"metric": metric, "contrasts": contrasts}
            ),
            "about": plan.about.but(
                title=f"{plan.about.title}, read at {percent(error)}, "
                f"registered at {percent(registered.training_error)}"
            ),
        }
    )
    comparison = compare(view, section.records, plan.definition.seeds)
    return section.model_copy(update={"plan": view, "comparison": comparison})


def _without_paper(contrast: Contrast, metric: TimeTo) -> Contrast:
    if contrast.metric is not None and not isinstance(contrast.metric, TimeTo):
        return contrast
    direction = contrast.predicts(contrast.metric or metric)  # of the number that is left out
    return contrast.but(metric=None, paper=None, direction=direction)


def _refuse_what_is_not_passed(section: Section, error: float) -> None:
    """Refuse an error that a run starts below, or ends above."""
    curves = [
        running_curve(record.curve)
        for of_arm in section.records.values()
        for record in of_arm.values()
        if record.curve
    ]
    if not curves:
        return  # nothing is drawn of them
    begins = min(float(curve.errors[0]) for curve in curves)
    if error >= begins:
        raise ThresholdError(
            f"a run begins at {percent(begins)} training error, so that no time to "
            f"{percent(error)} was measured; use one below {math.floor(1000 * begins) / 1000:g}"
        )
    if any(time_to(error, curve) is None for curve in curves):
        passed = math.ceil(1000 * max(float(curve.errors.min()) for curve in curves)) / 1000
        raise ThresholdError(
            f"not every run came to {percent(error)} training error before it ended; use a "
            f"threshold of {passed:g} or more"
        )
