"""Datasets: which there are, how they are prepared, and reading them back."""
