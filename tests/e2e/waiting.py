"""Waiting for a condition, and no longer than for it."""

import time

# Long for what takes milliseconds on a machine with nothing else to do: only what never happens waits for so long.
SOON = 60


def eventually(condition, what: str, within: float = SOON, every: float = 0.02):
    """What `condition` answers once that is true in any sense."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)
