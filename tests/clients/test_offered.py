"""Whatever the simulator offers was called by boto3 and by the AWS CLI, with good input and with bad, in the tests before."""

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
    """So the list that is read from the source is whole."""
    others = set(service_model(service).operation_names) - set(OFFERED[service])
    assert others, "AWS has more"
    for operation in sorted(others) + ["DescribeMood"]:
        if service == "sns":
            status, code = world.form(f"Action={operation}&Version=2010-03-31")
            assert (status, code) == (400, "InvalidAction")
        else:
            status, code, _ = world.by_hand(service, operation, {})
            assert (status, code) == (404, "UnknownOperationException")
