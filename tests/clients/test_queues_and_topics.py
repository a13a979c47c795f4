"""SQS, SNS and Application Auto Scaling as boto3 sees them. The fixture `world` compares each answer on the wire with
botocore's model; boto3 itself compares the digests of SQS with the sent data.
"""

import json

import pytest
from world import ACCOUNT, CLUSTER, REGION, TARGET, TOPIC, code_of


@pytest.fixture
def queue(world):
    return world.sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]


# SQS. Its error codes are those of its older protocol, which boto3 still shows.


def test_queues_are_made_found_and_listed(world, queue):
    assert world.sqs.get_queue_url(QueueName="orders")["QueueUrl"] == queue
    assert world.sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "60"})["QueueUrl"] == queue
    assert queue in world.sqs.list_queues(QueueNamePrefix="ord")["QueueUrls"]
    assert "QueueUrls" not in world.sqs.list_queues(QueueNamePrefix="nothing")
    assert code_of(world.sqs.create_queue, QueueName="orders", Attributes={"VisibilityTimeout": "61"}) == "QueueAlreadyExists"
    assert code_of(world.sqs.create_queue, QueueName="a b") == "InvalidParameterValue"
    assert code_of(world.sqs.create_queue, QueueName="b", Attributes={"VisibilityTimeout": "43201"}) == "InvalidAttributeValue"
    assert code_of(world.sqs.create_queue, QueueName="b", Attributes={"Mood": "fine"}) == "InvalidAttributeName"
    assert code_of(world.sqs.get_queue_url, QueueName="nothing") == "AWS.SimpleQueueService.NonExistentQueue"


def test_queues_come_page_by_page(world):
    for number in range(5):
        world.sqs.create_queue(QueueName=f"paged-{number}")
    pages = world.sqs.get_paginator("list_queues").paginate(QueueNamePrefix="paged-", PaginationConfig={"PageSize": 2})
    assert [[url.rpartition("-")[2] for url in page["QueueUrls"]] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]
    for size in (0, 1001):
        assert code_of(world.sqs.list_queues, MaxResults=size) == "InvalidParameterValue"


def test_a_queue_tells_its_attributes(world, queue):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
    response = world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (response["QueueArn"], response["VisibilityTimeout"]) == (arn, "60")
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 5}
    for name, count in (("poorly", 5), ("poorly-too", "5")):
        attributes = {"RedrivePolicy": json.dumps({**policy, "maxReceiveCount": count}), "SqsManagedSseEnabled": "true"}
        made = world.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        response = world.sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["RedrivePolicy"])["Attributes"]
        assert json.loads(response["RedrivePolicy"]) == policy
    assert "Attributes" not in world.sqs.get_queue_attributes(QueueUrl=made)
    ask = world.sqs.get_queue_attributes
    assert code_of(ask, QueueUrl=made, AttributeNames=["Mood"]) == "InvalidAttributeName"
    assert code_of(ask, QueueUrl=f"{queue}-gone", AttributeNames=["All"]) == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_message_is_sent_received_delayed_and_deleted(world, queue):
    attributes = {
        "kind": {"DataType": "String", "StringValue": "a"},
        "count": {"DataType": "Number", "StringValue": "1"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = world.sqs.send_message(QueueUrl=queue, MessageBody="<body> & more", MessageAttributes=attributes)
    names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    [message] = world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, **names)["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "<body> & more")
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in world.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    handle = message["ReceiptHandle"]
    world.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    [again] = world.sqs.receive_message(QueueUrl=queue, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}
    world.sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    response = world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert response["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "0"}


def test_what_sqs_does_not_take_is_refused(world, queue):
    sqs = world.sqs
    send, receive, change = sqs.send_message, sqs.receive_message, sqs.change_message_visibility
    assert code_of(send, QueueUrl=queue, MessageBody="\x00") == "InvalidMessageContents"
    assert code_of(send, QueueUrl=queue, MessageBody="") == "MissingParameter"
    assert code_of(send, QueueUrl=queue, MessageBody="a", DelaySeconds=901) == "InvalidParameterValue"
    assert code_of(send, QueueUrl=queue, MessageBody="a" * (1024 * 1024 + 1)) == "InvalidParameterValue"
    gone = f"{queue}-gone"
    assert code_of(send, QueueUrl=gone, MessageBody="a") == "AWS.SimpleQueueService.NonExistentQueue"
    assert code_of(receive, QueueUrl=gone) == "AWS.SimpleQueueService.NonExistentQueue"
    for count in (0, 11):
        assert code_of(receive, QueueUrl=queue, MaxNumberOfMessages=count) == "InvalidParameterValue"
    assert code_of(change, QueueUrl=queue, ReceiptHandle="made up", VisibilityTimeout=1) == "ReceiptHandleIsInvalid"
    assert code_of(sqs.delete_message, QueueUrl=queue, ReceiptHandle="made up") == "ReceiptHandleIsInvalid"
    send(QueueUrl=queue, MessageBody="a")
    [message] = receive(QueueUrl=queue)["Messages"]
    handle = message["ReceiptHandle"]
    assert code_of(change, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=43201) == "InvalidParameterValue"
    change(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    not_in_flight = "AWS.SimpleQueueService.MessageNotInflight"
    assert code_of(change, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1) == not_in_flight


def test_messages_go_and_are_deleted_in_batches(world, queue):
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(10)]
    sent = world.sqs.send_message_batch(
        QueueUrl=queue, Entries=[*entries[:9], {"Id": "9", "MessageBody": "a", "DelaySeconds": 901}]
    )
    assert [entry["Id"] for entry in sent["Successful"]] == [str(number) for number in range(9)]
    assert [(entry["Id"], entry["SenderFault"], entry["Code"]) for entry in sent["Failed"]] == [
        ("9", True, "InvalidParameterValue")
    ]
    received = world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    deleted = [{"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]} for message in received]
    response = world.sqs.delete_message_batch(QueueUrl=queue, Entries=[*deleted, {"Id": "no", "ReceiptHandle": "made up"}])
    assert len(response["Successful"]) == 9
    assert [entry["Code"] for entry in response["Failed"]] == ["ReceiptHandleIsInvalid"]
    prefix = "AWS.SimpleQueueService"
    for batch, code in (
        ([], "EmptyBatchRequest"),
        ([*entries, {"Id": "b", "MessageBody": "b"}], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "a"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "a"}], "InvalidBatchEntryId"),
        ([{"Id": str(number), "MessageBody": "a" * 700_000} for number in range(2)], "BatchRequestTooLong"),
    ):
        assert code_of(world.sqs.send_message_batch, QueueUrl=queue, Entries=batch) == f"{prefix}.{code}"
    assert code_of(world.sqs.delete_message_batch, QueueUrl=queue, Entries=[]) == f"{prefix}.EmptyBatchRequest"


def test_a_queue_is_emptied(world, queue):
    world.sqs.send_message(QueueUrl=queue, MessageBody="a")
    world.sqs.purge_queue(QueueUrl=queue)
    assert "Messages" not in world.sqs.receive_message(QueueUrl=queue)
    assert code_of(world.sqs.purge_queue, QueueUrl=f"{queue}-gone") == "AWS.SimpleQueueService.NonExistentQueue"


# SNS.


def test_a_message_is_published(world):
    texts = json.dumps({"default": "<it> & more", "email": "mail"})
    kinds = {"kind": {"DataType": "String", "StringValue": "a"}}
    first = world.sns.publish(TopicArn=TOPIC, Message="a", Subject="s")
    second = world.sns.publish(TopicArn=TOPIC, Message=texts, MessageStructure="json", MessageAttributes=kinds)
    assert first["MessageId"] != second["MessageId"]
    for wrong in (
        {"Message": ""},
        {"Message": "a" * 262_145},
        {"Message": "a", "Subject": ""},
        {"Message": "a", "Subject": "a" * 101},
        {"Message": "a", "Subject": "line\nline"},
        {"Message": "no JSON", "MessageStructure": "json"},
        {"Message": "{}", "MessageStructure": "json"},
    ):
        assert code_of(world.sns.publish, TopicArn=TOPIC, **wrong) == "InvalidParameter", wrong
    assert code_of(world.sns.publish, Message="a") == "InvalidParameter", "to nobody"
    assert code_of(world.client("sns", validated=False).publish, TopicArn=TOPIC) == "InvalidParameter", "nothing"


def test_messages_are_published_in_batches(world):
    publish = world.sns.publish_batch
    response = publish(
        TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "a", "Message": "a"}, {"Id": "b", "Message": "b", "Subject": ""}]
    )
    assert [entry["Id"] for entry in response["Successful"]] == ["a"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in response["Failed"]] == [("b", "InvalidParameter", True)]
    for entries, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": str(number), "Message": "a"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "a"}, {"Id": "a", "Message": "b"}], "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "a"}], "InvalidBatchEntryId"),
        ([{"Id": str(number), "Message": "a" * 140_000} for number in range(2)], "BatchRequestTooLong"),
    ):
        assert code_of(publish, TopicArn=TOPIC, PublishBatchRequestEntries=entries) == code


# Application Auto Scaling.


def test_scalable_targets_are_registered_described_and_taken_away(world):
    world.scaling.register_scalable_target(**TARGET, MinCapacity=3, MaxCapacity=4)
    [target] = world.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (TARGET["ResourceId"], 3, 4)
    suspended = {"DynamicScalingInSuspended": True}
    world.scaling.register_scalable_target(**TARGET, SuspendedState=suspended)
    [again] = world.scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[TARGET["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (again["CreationTime"], again["MinCapacity"]) == (target["CreationTime"], 3)
    assert again["SuspendedState"]["DynamicScalingInSuspended"] is True
    world.scaling.deregister_scalable_target(**TARGET)
    assert world.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert code_of(world.scaling.deregister_scalable_target, **TARGET) == "ObjectNotFoundException"


def test_scalable_targets_come_page_by_page(world):
    for number in range(7):
        target = {**TARGET, "ResourceId": f"service/{CLUSTER}/s{number}"}
        world.scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=number)
    pages = world.scaling.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace="ecs", PaginationConfig={"PageSize": 3}
    )
    assert [[target["MaxCapacity"] for target in page["ScalableTargets"]] for page in pages] == [[0, 1, 2], [3, 4, 5], [6]]
    describe = world.scaling.describe_scalable_targets
    assert code_of(describe, ServiceNamespace="ecs", NextToken="made up") == "InvalidNextTokenException"
    for size in (0, 51):
        assert code_of(describe, ServiceNamespace="ecs", MaxResults=size) == "ValidationException"


def test_what_is_no_count_of_a_service_is_refused(world):
    register = world.scaling.register_scalable_target
    for wrong in (
        {"MinCapacity": 5, "MaxCapacity": 4},
        {"MinCapacity": 1},
        {"MinCapacity": -1, "MaxCapacity": 4},
        {"MinCapacity": 1, "MaxCapacity": 4, "ResourceId": "table/x"},
        {"MinCapacity": 1, "MaxCapacity": 4, "ServiceNamespace": "dynamodb"},
        {"MinCapacity": 1, "MaxCapacity": 4, "ScalableDimension": "dynamodb:table:ReadCapacityUnits"},
    ):
        assert code_of(register, **{**TARGET, **wrong}) == "ValidationException", wrong
    assert code_of(world.scaling.describe_scalable_targets, ServiceNamespace="kafka") == "ValidationException"
