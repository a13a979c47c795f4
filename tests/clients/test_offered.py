"""Checks that the previous tests called every operation of the simulator with boto3 and the AWS CLI, with valid and
invalid input.
"""

import pytest
from checker import service_model
from offered import OFFERED, PAIRS


@pytest.mark.last
@pytest.mark.parametrize(("service", "operation"), PAIRS)
def test_each_operation_was_done_and_refused_for_each_client(statistics, service, operation):
    wanted = {(client, outcome) for client in ("boto3", "AWS CLI") for outcome in ("done", "refused")}
    assert wanted <= statistics.outcomes(service, operation)


@pytest.mark.parametrize("service", OFFERED)
def test_what_the_source_does_not_list_is_not_offered(world, service):
    """This shows that the list read from the source is complete."""
    others = set(service_model(service).operation_names) - set(OFFERED[service])
    assert others, "AWS has more"
    for operation in sorted(others) + ["DescribeMood"]:
        if service == "sns":
            status, code = world.form(f"Action={operation}&Version=2010-03-31")
            assert (status, code) == (400, "InvalidAction")
        else:
            status, code, _ = world.by_hand(service, operation, {})
            assert (status, code) == (404, "UnknownOperationException")
