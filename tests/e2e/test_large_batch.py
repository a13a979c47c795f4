"""The largest payload that Lambda delivers."""

from event_source import PAYLOAD_BYTES_MAX

# The data that SQS and Lambda add to a body: ids, attributes, a receipt handle.
RECORD_BYTES = 800
JOBS_A_TASK = 5


def test_a_batch_of_six_megabytes_is_carried_out_whole(deploy):
    world = deploy(services={"web": 200})
    size = int(world.stack.event_source("JobQueue")["BatchSize"])
    workers = [world.worker(world.idle_task()) for _ in range(200)]
    # The template's maximum number of messages in one batch, each of a size that just fits into one payload.
    body_bytes = PAYLOAD_BYTES_MAX // size - RECORD_BYTES
    entries = []
    for number in range(size):
        worker, job = workers[number // JOBS_A_TASK % len(workers)], f"job-{number}"
        body = worker.message("started", job, maxDurationMinutes=30 + number % JOBS_A_TASK, padding="")
        entries.append({"Id": str(number), "MessageBody": body.replace('""', f'"{"x" * (body_bytes - len(body))}"')})
    sent = [id for at in range(0, size, 10) for id in send(world, entries[at : at + 10])]
    # The maximum in Lambda: the emulator takes longer to return a thousand messages than the template's one second.
    world.deliver(MaximumBatchingWindowInSeconds=300)
    world.jobs.await_done(sent, within=240)
    ((ids, invoked, payload_bytes),) = world.jobs.batches
    assert set(ids) == set(sent)
    assert 0.98 * PAYLOAD_BYTES_MAX < payload_bytes <= PAYLOAD_BYTES_MAX
    assert invoked.answer == {"batchItemFailures": []}
    for at in range(0, len(workers), 100):
        protections = world.protections([worker.task for worker in workers[at : at + 100]])
        assert all(one["protectionEnabled"] for one in protections.values())


def send(world, entries):
    answer = world.sqs.send_message_batch(QueueUrl=world.stack.outputs["JobQueueUrl"], Entries=entries)
    assert not answer.get("Failed"), answer
    return [one["MessageId"] for one in answer["Successful"]]
