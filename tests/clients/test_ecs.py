"""ECS as boto3 sees it: protection, services, deployments, tasks, clusters and tags. The fixture `world` compares
each answer on the wire with botocore's model.
"""

from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from world import CLUSTER, GATED, arn, code_of


def protect(world, tasks, **more):
    return world.ecs.update_task_protection(cluster=CLUSTER, tasks=tasks, protectionEnabled=True, **more)


def protected_for(world, task, minutes, **more):
    """Requests protection and returns the answer, after a check of its expiration time."""
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)  # the clock of ECS has no microseconds
    [answered] = protect(world, [task], **more)["protectedTasks"]
    after = datetime.now(timezone.utc)
    assert before <= answered["expirationDate"] - timedelta(minutes=minutes) <= after
    return answered


def create(world, name, **more):
    more = {"desiredCount": 1, "taskDefinition": f"{name}:1", **more}
    return world.ecs.create_service(cluster=CLUSTER, serviceName=name, **more)["service"]


# Protection.


def test_a_task_is_protected_until_the_moment_that_is_answered_and_no_longer_when_released(world):
    [task, other] = world.tasks()
    answered = protected_for(world, task, 60, expiresInMinutes=60)
    response = world.ecs.get_task_protection(cluster=CLUSTER, tasks=[task, other])["protectedTasks"]
    assert response == [answered, {"taskArn": other, "protectionEnabled": False}]
    released = world.ecs.update_task_protection(cluster=CLUSTER, tasks=[task], protectionEnabled=False)
    assert released["protectedTasks"] == [{"taskArn": task, "protectionEnabled": False}]
    assert released["failures"] == []


def test_a_protection_lasts_two_hours_unless_told_otherwise_and_up_to_two_days(world):
    [task, _] = world.tasks()
    protected_for(world, task, 120)
    for minutes in (1, 2880):
        protected_for(world, task, minutes, expiresInMinutes=minutes)
    for minutes in (0, -1, 2881):
        assert code_of(protect, world=world, tasks=[task], expiresInMinutes=minutes) == "InvalidParameterException"


def test_a_task_goes_by_its_arn_and_by_its_id_and_a_cluster_by_both_too(world):
    [task, _] = world.tasks()
    for named in (task, task.rpartition("/")[2]):
        for cluster in (CLUSTER, arn("cluster", CLUSTER)):
            response = world.ecs.get_task_protection(cluster=cluster, tasks=[named])
            assert [protected["taskArn"] for protected in response["protectedTasks"]] == [task]


def test_what_cannot_be_protected_is_a_failure_in_a_good_answer(world):
    [standalone] = world.ecs.run_task(cluster=CLUSTER, taskDefinition="once:1")["tasks"]
    missing = arn("task", f"{CLUSTER}/{'0' * 32}")
    elsewhere = world.tasks()[0].replace("111122223333", "999922223333")
    response = protect(world, [missing, standalone["taskArn"], elsewhere])
    assert response["protectedTasks"] == []
    reasons = {failure["arn"]: failure["reason"] for failure in response["failures"]}
    assert reasons == {missing: "MISSING", standalone["taskArn"]: "TASK_NOT_VALID", elsewhere: "MISSING"}
    release = {"tasks": [standalone["taskArn"]], "protectionEnabled": False}
    [failure] = world.ecs.update_task_protection(cluster=CLUSTER, **release)["failures"]
    assert failure["reason"] == "TASK_NOT_VALID"


def test_protection_is_refused_while_protected_tasks_hold_a_deployment_up(world):
    assert protect(world, world.tasks())["failures"] == []
    world.ecs.update_service(cluster=CLUSTER, service="web", forceNewDeployment=True)
    response = world.ecs.get_task_protection(cluster=CLUSTER, tasks=world.tasks())["protectedTasks"]
    new = [task["taskArn"] for task in response if not task["protectionEnabled"]]
    assert len(new) == 2
    response = protect(world, new)
    assert [failure["reason"] for failure in response["failures"]] == ["DEPLOYMENT_BLOCKED"] * 2


def test_a_protection_call_takes_one_to_ten_tasks_and_a_question_a_hundred(world):
    [task, _] = world.tasks()
    assert len(protect(world, [task] * 10)["protectedTasks"]) == 10
    for tasks in ([], [task] * 11):
        assert code_of(protect, world=world, tasks=tasks) == "InvalidParameterException"
    get = world.ecs.get_task_protection
    assert len(get(cluster=CLUSTER, tasks=[task] * 100)["protectedTasks"]) == 100
    assert code_of(get, cluster=CLUSTER, tasks=[task] * 101) == "InvalidParameterException"
    assert code_of(get, cluster="nowhere", tasks=[task]) == "ClusterNotFoundException"
    assert (
        code_of(world.ecs.update_task_protection, cluster="nowhere", tasks=[task], protectionEnabled=True)
        == "ClusterNotFoundException"
    )


def test_a_call_too_many_is_throttled(world):
    # The bucket with the slowest refill, five per second, so that any machine is fast enough to empty it.
    for done in range(1_000):
        try:
            world.ecs.update_service(cluster=CLUSTER, service="web", desiredCount=2)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            assert done >= 50
            return
    pytest.fail("missing was throttled")


def test_a_client_that_checks_nothing_is_refused_by_the_service(world):
    """Requests that boto3 itself rejects reach the service from other clients."""
    with pytest.raises(ParamValidationError):
        world.ecs.update_task_protection(cluster=CLUSTER, tasks=["a"])
    careless = world.client("ecs", validated=False)
    assert code_of(careless.update_task_protection, cluster=CLUSTER, tasks=["a"]) == "InvalidParameterException"
    assert code_of(careless.update_task_protection, tasks=["a"], protectionEnabled=True) == "InvalidParameterException"
    assert code_of(careless.get_task_protection) == "InvalidParameterException"
    assert code_of(careless.describe_services, cluster=CLUSTER, services=["web"], include=["MOOD"]) == "InvalidParameterException"
    wrong_type = {"cluster": CLUSTER, "tasks": ["a"], "protectionEnabled": "yes"}
    assert code_of(careless.update_task_protection, **wrong_type) == "SerializationException"


# Services.


def test_services_are_described_with_tags_if_asked_for_and_the_others_are_failures(world):
    create(world, "api", tags=[{"key": "team", "value": "video"}])
    response = world.ecs.describe_services(cluster=CLUSTER, services=["api", "missing", arn("service", f"{CLUSTER}/web")])
    assert [service["serviceName"] for service in response["services"]] == ["api", "web"]
    assert response["failures"] == [{"arn": arn("service", f"{CLUSTER}/missing"), "reason": "MISSING"}]
    assert "tags" not in response["services"][0]
    response = world.ecs.describe_services(cluster=CLUSTER, services=["api"], include=["TAGS"])
    assert response["services"][0]["tags"] == [{"key": "team", "value": "video"}]
    describe = world.ecs.describe_services
    for services in ([], ["web"] * 11):
        assert code_of(describe, cluster=CLUSTER, services=services) == "InvalidParameterException"
    assert code_of(describe, services=["web"]) == "ClusterNotFoundException", "there is no cluster `default`"


def test_services_come_page_by_page(world):
    names = [f"s{number:02}" for number in range(11)]
    for name in names:
        create(world, name, desiredCount=0)
    pages = list(world.ecs.get_paginator("list_services").paginate(cluster=CLUSTER))
    assert [len(page["serviceArns"]) for page in pages] == [10, 2], "ten unless told otherwise"
    pages = list(world.ecs.get_paginator("list_services").paginate(cluster=CLUSTER, PaginationConfig={"PageSize": 5}))
    assert [len(page["serviceArns"]) for page in pages] == [5, 5, 2]
    listed = {name.rpartition("/")[2] for page in pages for name in page["serviceArns"]}
    assert listed == {*names, "web"}
    for wrong in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "made up"}):
        assert code_of(world.ecs.list_services, cluster=CLUSTER, **wrong) == "InvalidParameterException"
    assert code_of(world.ecs.list_services, cluster="nowhere") == "ClusterNotFoundException"


def test_services_are_filtered_as_asked_for(world):
    def listed(**filters):
        return len(world.ecs.list_services(cluster=CLUSTER, **filters)["serviceArns"])

    assert listed(launchType="FARGATE", schedulingStrategy="REPLICA", resourceManagementType="CUSTOMER") == 1
    for others in ({"launchType": "EC2"}, {"schedulingStrategy": "DAEMON"}, {"resourceManagementType": "ECS"}):
        assert listed(**others) == 0


CONFIGURATIONS = {
    "ROLLING": {
        "maximumPercent": 150,
        "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    },
    "BLUE_GREEN": {"bakeTimeInMinutes": 5},
    "LINEAR": {"bakeTimeInMinutes": 0, "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 3}},
    "CANARY": {"bakeTimeInMinutes": 1440, "canaryConfiguration": {"canaryPercent": 0.1, "canaryBakeTimeInMinutes": 0}},
}


@pytest.mark.parametrize("strategy", CONFIGURATIONS)
def test_a_service_is_described_as_it_was_made(world, strategy):
    wanted = {"strategy": strategy, **CONFIGURATIONS[strategy]}
    service = create(world, "api", desiredCount=3, deploymentConfiguration=wanted)
    response = service["deploymentConfiguration"]
    assert {name: response[name] for name in wanted} == wanted
    assert (service["desiredCount"], service["pendingCount"], service["runningCount"]) == (3, 3, 0)
    assert service["deployments"][0]["status"] == "PRIMARY"
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert service["taskDefinition"] == arn("task-definition", "api:1")
    deployed = world.ecs.update_service(cluster=CLUSTER, service="api", taskDefinition="api:2")["service"]
    assert [deployment["taskDefinition"].rpartition("/")[2] for deployment in deployed["deployments"]] == ["api:2", "api:1"]


def test_a_service_that_ecs_would_not_make_is_refused(world):
    wrong = {
        "no task definition": {"taskDefinition": None},
        "no count": {"desiredCount": None},
        "fewer than none": {"desiredCount": -1},
        "no name": {"serviceName": "a b"},
        "a name too long": {"serviceName": "a" * 256},
        "a name that is taken": {"serviceName": "web"},
        "percentages below those of ECS": {"deploymentConfiguration": {"maximumPercent": 99}},
        "a bake time beyond a day": {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}},
        "steps that are too small": {
            "deploymentConfiguration": {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}}
        },
        "no strategy of ECS": {"deploymentConfiguration": {"strategy": "PURPLE"}},
        "no controller of ECS": {"deploymentController": {"type": "NOBODY"}},
    }
    good = {"cluster": CLUSTER, "serviceName": "api", "taskDefinition": "api:1", "desiredCount": 1}
    for what, change in wrong.items():
        asked = {name: value for name, value in {**good, **change}.items() if value is not None}
        assert code_of(world.ecs.create_service, **asked) == "InvalidParameterException", what
    assert code_of(world.ecs.create_service, **{**good, "cluster": "nowhere"}) == "ClusterNotFoundException"
    for definition in ("api:0", "api:x", "a b", "arn:aws:ecs:eu-west-1:999922223333:task-definition/api:1"):
        assert code_of(world.ecs.create_service, **{**good, "taskDefinition": definition}) == "ClientException", definition
    for unsimulated in ({"launchType": "EC2"}, {"schedulingStrategy": "DAEMON"}):
        assert code_of(world.ecs.create_service, **good, **unsimulated) == "UnsupportedFeatureException"
    assert len(world.ecs.list_services(cluster=CLUSTER)["serviceArns"]) == 1, "nothing came of any of them"


def test_a_task_definition_without_revision_is_the_latest(world):
    assert create(world, "api", taskDefinition="worker")["taskDefinition"] == arn("task-definition", "worker:1")
    world.ecs.update_service(cluster=CLUSTER, service="api", taskDefinition="worker:10")
    world.ecs.update_service(cluster=CLUSTER, service="api", taskDefinition="worker:9")
    updated = world.ecs.update_service(cluster=CLUSTER, service="api", taskDefinition="worker")["service"]
    assert updated["taskDefinition"] == arn("task-definition", "worker:10")


def test_a_service_has_five_deployments_at_most(world):
    update = world.ecs.update_service
    # Enough spare capacity for protection, and for the tasks of all deployments.
    update(cluster=CLUSTER, service="web", desiredCount=6, deploymentConfiguration={"maximumPercent": 1000})
    for number in range(2, 6):
        deployment = world.described()["deployments"][0]["id"]
        assert protect(world, world.tasks(startedBy=deployment)[:1])["failures"] == []
        deployed = update(cluster=CLUSTER, service="web", forceNewDeployment=True)["service"]
        assert len(deployed["deployments"]) == number
    assert code_of(update, cluster=CLUSTER, service="web", forceNewDeployment=True) == "InvalidParameterException"
    assert update(cluster=CLUSTER, service="web", desiredCount=3)["service"]["desiredCount"] == 3
    assert code_of(update, cluster=CLUSTER, service="missing", desiredCount=3) == "ServiceNotFoundException"
    assert code_of(update, cluster=CLUSTER, service="web", desiredCount=-1) == "InvalidParameterException"


def test_a_service_with_tasks_is_deleted_by_force_only_and_drains(world):
    delete = world.ecs.delete_service
    protect(world, world.tasks()[:1])
    assert code_of(delete, cluster=CLUSTER, service="web") == "InvalidParameterException"
    assert code_of(delete, cluster=CLUSTER, service="missing", force=True) == "ServiceNotFoundException"
    assert delete(cluster=CLUSTER, service="web", force=True)["service"]["status"] == "DRAINING"
    assert world.described()["status"] == "DRAINING"
    assert code_of(world.ecs.update_service, cluster=CLUSTER, service="web", desiredCount=1) == "ServiceNotActiveException"
    assert world.ecs.list_services(cluster=CLUSTER)["serviceArns"] == []


# Tasks.


def test_tasks_come_page_by_page_and_filtered_as_asked_for(world):
    world.ecs.update_service(cluster=CLUSTER, service="web", desiredCount=7)
    [once] = world.ecs.run_task(cluster=CLUSTER, taskDefinition="once:3")["tasks"]
    pages = list(world.ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, PaginationConfig={"PageSize": 3}))
    assert [len(page["taskArns"]) for page in pages] == [3, 3, 2]
    assert len({task for page in pages for task in page["taskArns"]}) == 8
    deployment = world.described()["deployments"][0]["id"]
    for filters, count in (
        ({"serviceName": "web"}, 7),
        ({"startedBy": deployment}, 7),
        ({"family": "once"}, 1),
        ({"family": "on"}, 0),
        ({"desiredStatus": "STOPPED"}, 0),
        ({"desiredStatus": "PENDING"}, 0),
        ({"launchType": "FARGATE"}, 8),
        ({"launchType": "EC2"}, 0),
        ({"containerInstance": "a" * 32}, 0),
        ({"serviceName": "web", "family": "once"}, 0),
    ):
        assert len(world.tasks(**filters)) == count, filters
    world.ecs.stop_task(cluster=CLUSTER, task=once["taskArn"])
    assert world.tasks(desiredStatus="STOPPED") == [once["taskArn"]]
    create(world, "api")
    for filters in ({"serviceName": "web"}, {"startedBy": deployment}):
        assert len(world.tasks(**filters)) == 7, "without the task of another service"
    for wrong in (
        {"maxResults": 0},
        {"maxResults": 101},
        {"nextToken": "made up"},
        {"startedBy": deployment, "serviceName": "web"},
    ):
        assert code_of(world.ecs.list_tasks, cluster=CLUSTER, **wrong) == "InvalidParameterException", wrong
    assert code_of(world.ecs.list_tasks, cluster=CLUSTER, serviceName="missing") == "ServiceNotFoundException"


def test_a_task_is_run_described_and_stopped(world):
    run = world.ecs.run_task(cluster=CLUSTER, taskDefinition="once:3", count=2)["tasks"]
    assert [(task["group"], task["lastStatus"], task["desiredStatus"]) for task in run] == [
        ("family:once", "PENDING", "RUNNING")
    ] * 2
    stopped = world.ecs.stop_task(cluster=CLUSTER, task=run[0]["taskArn"], reason="enough")["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"], stopped["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
    missing = arn("task", f"{CLUSTER}/{'0' * 32}")
    response = world.ecs.describe_tasks(cluster=CLUSTER, tasks=[run[0]["taskArn"], "0" * 32])
    assert [task["taskArn"] for task in response["tasks"]] == [run[0]["taskArn"]]
    assert response["failures"] == [{"arn": missing, "reason": "MISSING"}]
    for tasks in ([], ["a"] * 101):
        assert code_of(world.ecs.describe_tasks, cluster=CLUSTER, tasks=tasks) == "InvalidParameterException"
    for count in (0, 11):
        assert code_of(world.ecs.run_task, cluster=CLUSTER, taskDefinition="once", count=count) == "InvalidParameterException"
    assert code_of(world.ecs.run_task, cluster="nowhere", taskDefinition="once") == "ClusterNotFoundException"
    assert code_of(world.ecs.stop_task, cluster=CLUSTER, task=missing) == "InvalidParameterException"


# Clusters and tags.


def test_clusters_are_made_described_and_tagged(world):
    made = world.ecs.create_cluster(clusterName="audio", tags=[{"key": "team", "value": "sound"}])["cluster"]
    assert (made["clusterArn"], made["status"]) == (arn("cluster", "audio"), "ACTIVE")
    assert world.ecs.create_cluster()["cluster"]["clusterName"] == "default"
    response = world.ecs.describe_clusters(clusters=["audio", "nowhere", CLUSTER], include=["TAGS", "STATISTICS"])
    assert [cluster["clusterName"] for cluster in response["clusters"]] == ["audio", CLUSTER]
    assert response["clusters"][0]["tags"] == [{"key": "team", "value": "sound"}]
    assert response["clusters"][1]["runningTasksCount"] == 2
    assert response["failures"] == [{"arn": arn("cluster", "nowhere"), "reason": "MISSING"}]
    assert world.ecs.describe_clusters()["clusters"][0]["clusterName"] == "default"
    for name in ("a b", "", "a" * 256, "arn:aws:ecs:eu-west-1:111122223333:cluster/a"):
        assert code_of(world.ecs.create_cluster, clusterName=name) == "InvalidParameterException", name
    assert code_of(world.ecs.describe_clusters, clusters=["a"] * 101) == "InvalidParameterException"


def test_services_and_clusters_have_tags(world):
    for resource in (arn("cluster", CLUSTER), arn("service", f"{CLUSTER}/web")):
        world.ecs.tag_resource(resourceArn=resource, tags=[{"key": "a", "value": "1"}, {"key": "b"}])
        world.ecs.tag_resource(resourceArn=resource, tags=[{"key": "a", "value": "2"}])
        tags = world.ecs.list_tags_for_resource(resourceArn=resource)["tags"]
        assert tags == [{"key": "a", "value": "2"}, {"key": "b", "value": ""}]
    missing = arn("service", f"{CLUSTER}/missing")
    assert code_of(world.ecs.list_tags_for_resource, resourceArn=missing) == "InvalidParameterException"
    assert code_of(world.ecs.tag_resource, resourceArn=missing, tags=[]) == "ResourceNotFoundException"


# Service deployments.


def test_a_paused_service_deployment_is_described_listed_continued_and_stopped(world):
    paused = create(world, "gated", **GATED)["currentServiceDeployment"]
    [described] = world.ecs.describe_service_deployments(serviceDeploymentArns=[paused])["serviceDeployments"]
    assert (described["status"], described["lifecycleStage"]) == ("IN_PROGRESS", "PRE_SCALE_UP")
    [hook] = described["lifecycleHookDetails"]
    assert (hook["targetType"], hook["status"], hook["timeoutAction"]) == ("PAUSE", "AWAITING_ACTION", "ROLLBACK")
    listed = world.ecs.list_service_deployments(cluster=CLUSTER, service="gated", status=["IN_PROGRESS"])
    assert [one["serviceDeploymentArn"] for one in listed["serviceDeployments"]] == [paused]
    proceed, named = world.ecs.continue_service_deployment, {"serviceDeploymentArn": paused}
    assert code_of(proceed, **named, hookId="none") == "InvalidParameterException"
    assert proceed(**named, hookId=hook["hookId"], action="CONTINUE")["serviceDeploymentArn"] == paused
    stop = world.ecs.stop_service_deployment
    assert stop(**named, stopType="ROLLBACK")["serviceDeploymentArn"] == paused
    missing = arn("service-deployment", f"{CLUSTER}/gated/none")
    response = world.ecs.describe_service_deployments(serviceDeploymentArns=[missing])
    assert (response["serviceDeployments"], response["failures"]) == ([], [{"arn": missing, "reason": "MISSING"}])
    assert code_of(stop, serviceDeploymentArn=missing) == "ServiceDeploymentNotFoundException"
    assert code_of(proceed, serviceDeploymentArn=missing, hookId="x") == "ServiceDeploymentNotFoundException"
    describe = world.ecs.describe_service_deployments
    assert code_of(describe, serviceDeploymentArns=[paused] * 21) == "InvalidParameterException"
    nobody = {"cluster": CLUSTER, "service": "nobody"}
    assert code_of(world.ecs.list_service_deployments, **nobody) == "ServiceNotFoundException"


# Task sets.


@pytest.mark.parametrize("controller", ["EXTERNAL", "CODE_DEPLOY"])
def test_task_sets_are_made_shifted_described_and_deleted(world, controller):
    service = create(world, "api", desiredCount=4, deploymentController={"type": controller})
    [blue] = service["taskSets"]
    assert service["deployments"] == []
    named = {"cluster": CLUSTER, "service": "api"}
    made = world.ecs.create_task_set(**named, taskDefinition="api:2", scale={"value": 50, "unit": "PERCENT"})["taskSet"]
    assert (made["status"], made["computedDesiredCount"], made["stabilityStatus"]) == ("ACTIVE", 2, "STABILIZING")
    shifted = world.ecs.update_service_primary_task_set(**named, primaryTaskSet=made["taskSetArn"])["taskSet"]
    assert shifted["status"] == "PRIMARY"
    response = world.ecs.describe_task_sets(**named, taskSets=[blue["id"], "ecs-svc/1"])
    assert [task_set["status"] for task_set in response["taskSets"]] == ["ACTIVE"]
    assert [failure["reason"] for failure in response["failures"]] == ["MISSING"]
    delete = world.ecs.delete_task_set
    assert code_of(delete, **named, taskSet=made["id"], force=True) == "InvalidParameterException", "the primary one"
    assert code_of(delete, **named, taskSet=blue["id"]) == "InvalidParameterException", "not scaled to 0"
    assert delete(**named, taskSet=blue["id"], force=True)["taskSet"]["status"] == "DRAINING"
    assert code_of(delete, **named, taskSet="ecs-svc/1") == "TaskSetNotFoundException"
    assert code_of(world.ecs.update_service_primary_task_set, **named, primaryTaskSet="ecs-svc/1") == "TaskSetNotFoundException"
    assert (
        code_of(world.ecs.create_task_set, **named, taskDefinition="api:2", scale={"value": 101}) == "InvalidParameterException"
    )
    assert code_of(world.ecs.update_service, **named, forceNewDeployment=True) == "InvalidParameterException"


def test_a_service_that_ecs_deploys_itself_has_no_task_sets(world):
    named = {"cluster": CLUSTER, "service": "web"}
    assert code_of(world.ecs.describe_task_sets, **named) == "InvalidParameterException"
    assert code_of(world.ecs.create_task_set, **named, taskDefinition="web:2") == "InvalidParameterException"
    missing = {"cluster": CLUSTER, "service": "missing"}
    assert code_of(world.ecs.describe_task_sets, **missing) == "ServiceNotFoundException"
