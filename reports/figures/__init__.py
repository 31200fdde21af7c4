"""Findings in, pictures out."""
