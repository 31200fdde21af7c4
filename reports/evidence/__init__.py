"""The plans and records that ship, and the path to them."""

from pathlib import Path

EVIDENCE = Path(__file__).parent
