"""The AWS CLI with the simulator: each operation that it offers, once with success and once with an error, by
commands as people write them.
"""

from botocore import xform_name
from offered import PAIRS
from world import ACCOUNT, CLUSTER, GATED, TARGET, TOPIC, arn

WEB_TASK = "{task}"  # values in braces are filled in once they are known
API = f"--cluster {CLUSTER} --service api"
SCALABLE = f"--service-namespace ecs --resource-id {TARGET['ResourceId']} --scalable-dimension {TARGET['ScalableDimension']}"

# Operation, a successful command, a failing command, and its error. They run in order in one world.
COMMANDS = [
    ("CreateCluster", "--cluster-name audio", "--cluster-name 'a b'", "InvalidParameterException"),
    ("DescribeClusters", f"--clusters {CLUSTER} nowhere --include TAGS", f"--clusters {'a ' * 101}", "InvalidParameterException"),
    (
        "CreateService",
        f"--cluster {CLUSTER} --service-name api --task-definition api:1 --desired-count 2 --deployment-controller type=EXTERNAL",
        f"--cluster {CLUSTER} --service-name web --task-definition web:1 --desired-count 2",
        "InvalidParameterException",
    ),
    ("ListServices", f"--cluster {CLUSTER}", "--cluster nowhere", "ClusterNotFoundException"),
    (
        "DescribeServices",
        f"--cluster {CLUSTER} --services web api",
        "--cluster nowhere --services web",
        "ClusterNotFoundException",
    ),
    (
        "ListTasks",
        f"--cluster {CLUSTER} --service-name web",
        f"--cluster {CLUSTER} --service-name nobody",
        "ServiceNotFoundException",
    ),
    ("DescribeTasks", f"--cluster {CLUSTER} --tasks {WEB_TASK}", f"--tasks {WEB_TASK}", "ClusterNotFoundException"),
    (
        "UpdateTaskProtection",
        f"--cluster {CLUSTER} --tasks {WEB_TASK} --protection-enabled --expires-in-minutes 5",
        f"--cluster {CLUSTER} --tasks {WEB_TASK} --protection-enabled --expires-in-minutes 2881",
        "InvalidParameterException",
    ),
    ("GetTaskProtection", f"--cluster {CLUSTER} --tasks {WEB_TASK}", "--cluster nowhere", "ClusterNotFoundException"),
    (
        "UpdateService",
        f"--cluster {CLUSTER} --service web --desired-count 3 --force-new-deployment",
        f"--cluster {CLUSTER} --service nobody --desired-count 3",
        "ServiceNotFoundException",
    ),
    (
        "ListServiceDeployments",
        f"--cluster {CLUSTER} --service web",
        f"--cluster {CLUSTER} --service nobody",
        "ServiceNotFoundException",
    ),
    (
        "DescribeServiceDeployments",
        "--service-deployment-arns {deployment} {paused}",
        f"--service-deployment-arns {'a ' * 21}",
        "InvalidParameterException",
    ),
    (
        "StopServiceDeployment",
        "--service-deployment-arn {deployment} --stop-type ROLLBACK",
        f"--service-deployment-arn {arn('service-deployment', f'{CLUSTER}/web/none')}",
        "ServiceDeploymentNotFoundException",
    ),
    (
        "ContinueServiceDeployment",
        "--service-deployment-arn {paused} --hook-id {hook} --action CONTINUE",
        "--service-deployment-arn {paused} --hook-id none",
        "InvalidParameterException",
    ),
    (
        "CreateTaskSet",
        f"{API} --task-definition api:2 --scale value=50,unit=PERCENT",
        f"{API} --task-definition api:0",
        "ClientException",
    ),
    ("DescribeTaskSets", API, f"--cluster {CLUSTER} --service web", "InvalidParameterException"),
    (
        "UpdateServicePrimaryTaskSet",
        f"{API} --primary-task-set {{task_set}}",
        f"{API} --primary-task-set ecs-svc/1",
        "TaskSetNotFoundException",
    ),
    ("DeleteTaskSet", f"{API} --task-set {{first_task_set}} --force", f"{API} --task-set ecs-svc/1", "TaskSetNotFoundException"),
    (
        "RunTask",
        f"--cluster {CLUSTER} --task-definition once:1",
        f"--cluster {CLUSTER} --task-definition once:1 --count 11",
        "InvalidParameterException",
    ),
    (
        "StopTask",
        f"--cluster {CLUSTER} --task {WEB_TASK} --reason enough",
        f"--cluster {CLUSTER} --task {'0' * 32}",
        "InvalidParameterException",
    ),
    (
        "TagResource",
        f"--resource-arn {arn('cluster', CLUSTER)} --tags key=a,value=b",
        f"--resource-arn {arn('cluster', 'nowhere')} --tags key=a,value=b",
        "ResourceNotFoundException",
    ),
    (
        "ListTagsForResource",
        f"--resource-arn {arn('cluster', CLUSTER)}",
        f"--resource-arn {arn('cluster', 'nowhere')}",
        "InvalidParameterException",
    ),
    (
        "DeleteService",
        f"--cluster {CLUSTER} --service web --force",
        f"--cluster {CLUSTER} --service nobody",
        "ServiceNotFoundException",
    ),
    ("CreateQueue", "--queue-name orders", "--queue-name 'a b'", "InvalidParameterValue"),
    ("GetQueueUrl", "--queue-name orders", "--queue-name nothing", "AWS.SimpleQueueService.NonExistentQueue"),
    ("ListQueues", "--queue-name-prefix ord --max-results 1", "--max-results 1001", "InvalidParameterValue"),
    (
        "GetQueueAttributes",
        "{queue} --attribute-names All",
        "{no_queue} --attribute-names All",
        "AWS.SimpleQueueService.NonExistentQueue",
    ),
    ("SendMessage", "{queue} --message-body a", "{queue} --message-body a --delay-seconds 901", "InvalidParameterValue"),
    ("ReceiveMessage", "{queue}", "{queue} --max-number-of-messages 11", "InvalidParameterValue"),
    (
        "ChangeMessageVisibility",
        "{queue} --receipt-handle {handle} --visibility-timeout 60",
        "{queue} --receipt-handle made-up --visibility-timeout 60",
        "ReceiptHandleIsInvalid",
    ),
    ("DeleteMessage", "{queue} --receipt-handle {handle}", "{queue} --receipt-handle made-up", "ReceiptHandleIsInvalid"),
    (
        "SendMessageBatch",
        "{queue} --entries Id=a,MessageBody=a Id=b,MessageBody=b",
        "{queue} --entries Id=a,MessageBody=a Id=a,MessageBody=b",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    ),
    (
        "DeleteMessageBatch",
        "{queue} --entries Id=a,ReceiptHandle=made-up",
        "{queue} --entries Id=a,ReceiptHandle=x Id=a,ReceiptHandle=y",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    ),
    ("PurgeQueue", "{queue}", "{no_queue}", "AWS.SimpleQueueService.NonExistentQueue"),
    (
        "Publish",
        f"--topic-arn {TOPIC} --message a --subject s",
        f"--topic-arn {TOPIC} --message a --subject '{'s' * 101}'",
        "InvalidParameter",
    ),
    (
        "PublishBatch",
        f"--topic-arn {TOPIC} --publish-batch-request-entries Id=a,Message=a",
        f"--topic-arn {TOPIC} --publish-batch-request-entries Id=a,Message=a Id=a,Message=b",
        "BatchEntryIdsNotDistinct",
    ),
    (
        "RegisterScalableTarget",
        f"{SCALABLE} --min-capacity 1 --max-capacity 4",
        f"{SCALABLE} --min-capacity 5 --max-capacity 4",
        "ValidationException",
    ),
    ("DescribeScalableTargets", "--service-namespace ecs", "--service-namespace kafka", "ValidationException"),
    (
        "DeregisterScalableTarget",
        SCALABLE,
        f"{SCALABLE.replace('/web', '/nobody')}",
        "ObjectNotFoundException",
    ),
]
SERVICE_OF = {operation: service for service, operation in PAIRS}


class Known:
    """Values for later commands, taken from earlier answers."""

    def __init__(self, world):
        queue = f"{world.recorder.endpoint}/{ACCOUNT}/orders"
        gated = world.ecs.create_service(cluster=CLUSTER, serviceName="gated", **GATED)["service"]
        paused = gated["currentServiceDeployment"]
        [described] = world.ecs.describe_service_deployments(serviceDeploymentArns=[paused])["serviceDeployments"]
        self.names = {"paused": paused, "hook": described["lifecycleHookDetails"][0]["hookId"]}
        self.names |= {"task": world.tasks()[0], "queue": f"--queue-url {queue}", "no_queue": f"--queue-url {queue}-gone"}

    def learn(self, operation, answer):
        if operation == "CreateService":
            self.names["first_task_set"] = answer["service"]["taskSets"][0]["id"]
        elif operation == "UpdateService":
            self.names["deployment"] = answer["service"]["currentServiceDeployment"]
        elif operation == "CreateTaskSet":
            self.names["task_set"] = answer["taskSet"]["id"]
        elif operation == "ReceiveMessage":
            self.names["handle"] = answer["Messages"][0]["ReceiptHandle"]


def test_the_cli_does_each_operation_and_shows_each_refusal(world):
    known = Known(world)
    for operation, good, bad, error in COMMANDS:
        command = f"{SERVICE_OF[operation]} {xform_name(operation, '-')}"
        code, _, complaint = world.cli(f"{command} {bad.format(**known.names)}")
        assert code != 0 and f"({error})" in complaint, f"{command} {bad}: {complaint}"
        code, answer, complaint = world.cli(f"{command} {good.format(**known.names)}")
        assert (code, complaint) == (0, ""), f"{command} {good}: {complaint}"
        known.learn(operation, answer)


def test_there_are_commands_for_each_operation():
    assert [operation for operation, *_ in COMMANDS] != []
    assert {(SERVICE_OF[operation], operation) for operation, *_ in COMMANDS} == set(PAIRS)


def test_the_cli_turns_pages(world):
    for number in range(12):
        world.ecs.create_service(cluster=CLUSTER, serviceName=f"s{number:02}", taskDefinition="s:1", desiredCount=0)
    asked = len(world.recorder.exchanges)
    _, answer, _ = world.cli(f"ecs list-services --cluster {CLUSTER}")
    assert len(answer["serviceArns"]) == 13
    assert len(world.recorder.exchanges) == asked + 2


def test_what_the_cli_does_not_understand_it_does_not_send(world):
    protect = "update-task-protection --cluster a"
    for command in (protect, f"{protect} --tasks b --protection-enabled --mood fine", "describe-mood"):
        code, _, complaint = world.cli(f"ecs {command}")
        assert code != 0 and complaint
    assert world.recorder.exchanges == []
