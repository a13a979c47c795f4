"""Several concurrent instances of the function, which share only the state store."""

import threading

# Small batches and no window, so that both instances have work at the same time.
SMALL_BATCHES = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}


def test_two_instances_on_one_queue_end_as_one_does(deploy):
    world = deploy(functions=2, services={"web": 40})
    world.come_again_after(3)
    workers = [world.worker(world.idle_task()) for _ in range(40)]
    sent, busy = [], []
    for number, worker in enumerate(workers):
        sent.append(worker.tell("started", "first", maxDurationMinutes=30))
        sent.append(worker.tell("started", "second", maxDurationMinutes=90))
        sent.append(worker.tell("finished", "first"))
        if number % 2:
            sent.append(worker.tell("finished", "second"))
        else:
            busy.append(worker.task)
    world.deliver(**SMALL_BATCHES)
    # A task whose release and protection have met is certain only after two minutes (SEMANTICS.md, "A release never
    # leaves a live job unprotected").
    world.jobs.await_done([one.id for one in sent], within=180)
    protections = world.protections([worker.task for worker in workers])
    assert sorted(task for task, one in protections.items() if one["protectionEnabled"]) == sorted(busy)
    assert all(function.invocations > 0 for function in world.functions), "only one of them has worked"
    assert world.left_in("JobQueue") == world.left_in("DeadLetterQueue") == 0


def test_of_two_concurrent_writes_of_a_record_one_is_retried(deploy):
    world = deploy(functions=2)
    world.come_again_after(3)
    worker = world.worker(world.idle_task())
    sent = [worker.tell("started", "first", maxDurationMinutes=30)]
    first_is_held, second_is_kept = threading.Event(), threading.Event()

    def hold_the_first_store(call, forward):
        """Until the put of the other instance, which has loaded the same version, is stored."""
        if call.operation != "PutItem":
            return forward()
        if not first_is_held.is_set():
            first_is_held.set()
            sent.append(worker.tell("started", "second", maxDurationMinutes=90))
            assert second_is_kept.wait(timeout=60)
            return forward()
        answer = forward()
        second_is_kept.set()
        return answer

    with world.gateway.between(hold_the_first_store):
        world.deliver(**SMALL_BATCHES)
        world.jobs.await_done([sent[0].id])
        world.jobs.await_done([sent[1].id])
    exceptions = {call.exception for call in world.gateway.of("DynamoDB", "PutItem") if call.exception}
    assert exceptions == {"ConditionalCheckFailedException"}
    # Each must know the other's job: neither finish alone releases the task.
    world.jobs.await_done([worker.tell("finished", "first").id], within=180)
    assert world.protected_until(worker.task)
    world.jobs.await_done([worker.tell("finished", "second").id], within=180)
    assert world.protected_until(worker.task) is None
