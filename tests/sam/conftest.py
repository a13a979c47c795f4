"""One stage for all tests of a run. Run by `make test-sam`."""

import pytest
from stage import CannotRun, Stage


@pytest.fixture(scope="session")
def stage():
    """The built function in SAM's container, with a simulated Region behind it."""
    try:
        with Stage() as stage:
            yield stage
    except CannotRun as problem:
        # Not skipped: a run without tests must not look like a success.
        pytest.exit(str(problem), returncode=1)
