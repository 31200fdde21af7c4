"""From records to numbers: effects with intervals, tests and verdicts."""
