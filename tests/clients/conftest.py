"""A simulated Region for each test, with a recorder between the Region and its clients. Run by `make test-clients`.
"""

from contextlib import contextmanager

import pytest
from recorder import Statistics
from world import World

STATISTICS = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--ecs-sim", required=True, help="the binary of the simulator")


def pytest_configure(config):
    config.addinivalue_line("markers", "first: begins what takes long")
    config.addinivalue_line("markers", "last: looks at what the other tests did or began")
    config.stash[STATISTICS] = Statistics()


def pytest_collection_modifyitems(items):
    # Slow tests start first, and tests that check the work of all others run last.
    def place(item):
        return int(item.get_closest_marker("last") is not None) - int(item.get_closest_marker("first") is not None)

    items.sort(key=place)


@pytest.fixture
def statistics(pytestconfig):
    return pytestconfig.stash[STATISTICS]


@pytest.fixture(scope="session")
def open_world(pytestconfig):
    """Opens a world for a `with` block, and fails if an answer in it deviated from AWS's model."""

    @contextmanager
    def opened():
        with World(pytestconfig.getoption("ecs_sim")) as world:
            yield world
            pytestconfig.stash[STATISTICS].add(world.recorder.exchanges)
            assert world.recorder.problems == []

    return opened


@pytest.fixture
def world(open_world):
    """ECS, SQS, SNS and Application Auto Scaling, without other clients."""
    with open_world() as world:
        yield world


def pytest_terminal_summary(terminalreporter, config):
    statistics, say = config.stash[STATISTICS], terminalreporter.write_line
    if not statistics.calls and not statistics.matches:
        return
    terminalreporter.section("clients")
    calls = ", ".join(f"{count} {client}" for client, count in sorted(statistics.calls.items()))
    say(f"{statistics.calls.total()} calls, and as many answers checked against botocore's model: {calls}")
    for service in sorted({service for service, _ in statistics.operations}):
        outcomes = [outcomes for (asked, _), outcomes in statistics.operations.items() if asked == service]
        done = [outcome for outcome in outcomes if any(how == "done" for _, how in outcome)]
        say(f"{service}: {len(done)} operations carried out, {len(outcomes) - len(done)} refused as not offered")
    for rule, count in sorted(statistics.matches.items()):
        say(f"rule {rule}: {count} events")
