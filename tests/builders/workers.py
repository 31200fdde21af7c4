"""What workers say, waited for."""

import time

import pytest

from ablations.workers.protocol import Event, Workers

LONG = 180  # seconds that a slow machine may take


def until(workers: Workers, kinds: type | tuple[type, ...]) -> Event:
    """Return the first event of some kinds."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        for event in workers.events(timeout=1.0):
            if isinstance(event, kinds):
                return event
    pytest.fail(f"no {kinds} in {LONG} seconds")
