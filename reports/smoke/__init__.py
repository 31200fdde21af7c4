"""The check for CI: short trainings of every arm, held against a baseline."""
