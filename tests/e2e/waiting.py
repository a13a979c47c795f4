"""Waits for a condition, and no longer than necessary."""

import time

# Long for steps that take milliseconds on an idle machine: only a failure waits for the whole time.
SOON = 60


def eventually(condition, what: str, within: float = SOON, every: float = 0.02):
    """Returns the result of `condition` once it is truthy."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)
