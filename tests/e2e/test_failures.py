"""Real failures: the function is killed, AWS does not answer, ECS throttles."""

import json
import signal
import socket
import threading
from contextlib import suppress

import pytest
from stack import CLUSTER
from waiting import eventually


class AtTheFirst:
    """Intervenes in the first call of an operation, and lets all others pass."""

    def __init__(self, operation, do):
        self.operation, self.do = operation, do
        self.happened = threading.Event()

    def __call__(self, call, forward):
        if call.operation != self.operation or self.happened.is_set():
            return forward()
        self.happened.set()
        return self.do(call, forward)


def started(world, count, **fields):
    """Starts jobs on this many tasks. Returns the tasks and the ids of the messages."""
    workers = [world.worker(world.idle_task()) for _ in range(count)]
    sent = [worker.tell("started", "encode-17", **fields) for worker in workers]
    return [worker.task for worker in workers], {one.id for one in sent}


def assert_all_protected(world, tasks):
    protections = world.protections(tasks)
    assert [task for task in tasks if not protections[task]["protectionEnabled"]] == []


@pytest.mark.parametrize("effect", ["before ECS has heard of it", "after ECS has done it"])
def test_a_batch_whose_function_is_killed_in_the_middle_of_it_is_delivered_again_whole(deploy, effect):
    world = deploy(services={"web": 30})
    world.come_again_after(2)
    tasks, sent = started(world, 30)
    (function,) = world.functions

    def kill(call, forward):
        if effect == "after ECS has done it":
            forward()
        assert function.kill()

    with world.gateway.between(AtTheFirst("UpdateTaskProtection", kill)):
        world.deliver()
        world.jobs.await_done(sent)
    ids, invoked, _ = world.jobs.batches[0]
    assert "killed" in invoked.error
    again = {id for ids, _, _ in world.jobs.batches[1:] for id in ids}
    assert set(ids) <= again
    assert_all_protected(world, tasks)
    assert world.left_in("DeadLetterQueue") == 0


def test_while_dynamodb_and_sqs_do_not_answer_nothing_is_lost_and_what_takes_effect_late_does_no_harm(deploy):
    # The emulator is frozen and not restarted: a restart would lose its queues and its table, unlike AWS. The calls
    # in flight take effect when it continues, after the function has given them up.
    world = deploy(services={"web": 20})
    world.come_again_after(3)
    tasks, sent = started(world, 20)

    def freeze(call, forward):
        world.emulator.send_signal(signal.SIGSTOP)
        return forward()

    with world.gateway.between(AtTheFirst("PutItem", freeze)):
        world.deliver()
        try:
            gone = eventually(lambda: world.log_lines("WARN", "ERROR"), "the function gives up waiting for DynamoDB")
        finally:
            world.emulator.send_signal(signal.SIGCONT)
        world.jobs.await_done(sent)
    assert any("store" in line["message"] for line in gone)
    assert_all_protected(world, tasks)
    finished = [world.worker(task).tell("finished", "encode-17").id for task in tasks]
    # The abandoned call may be a recorded one, which counts for two minutes.
    world.jobs.await_done(finished, within=150)
    assert not any(one["protectionEnabled"] for one in world.protections(tasks).values())


def test_while_ecs_throttles_the_account_protection_comes_later_and_for_all(deploy):
    world = deploy(services={"web": 100})
    # In case it is throttled for longer than an invocation lasts.
    world.expected_errors = {"could not request task protection; its messages will be retried"}
    world.come_again_after(3)
    tasks, sent = started(world, 100)

    def is_throttled():
        return any(call.exception == "ThrottlingException" for call in world.gateway.of("ECS", "UpdateTaskProtection"))

    # The bucket belongs to the account: another caller, with more requests than the limit, leaves the function almost
    # nothing.
    with SomebodyElse(world.endpoint_of("ECS")) as somebody:
        assert somebody.is_throttled.wait(timeout=60)
        world.deliver()
        eventually(is_throttled, "the function is throttled")
    world.jobs.await_done(sent)
    assert_all_protected(world, tasks)
    assert world.left_in("DeadLetterQueue") == 0


class SomebodyElse:
    """Continuously sends ECS requests that share the bucket with the function's calls, without waiting for the
    answers. So there is always another request ahead of the function's, however slow the machine is.
    """

    def __init__(self, endpoint):
        self.is_throttled = threading.Event()
        self._host = endpoint.removeprefix("http://")
        self._enough = threading.Event()

    def __enter__(self):
        host, port = self._host.split(":")
        self._connection = socket.create_connection((host, int(port)))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._ask, self._listen)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        self._connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._connection.close()

    def _ask(self):
        body = json.dumps({"cluster": CLUSTER, "tasks": ["0" * 32]})
        head = [
            "POST / HTTP/1.1",
            f"Host: {self._host}",
            "X-Amz-Target: AmazonEC2ContainerServiceV20141113.GetTaskProtection",
            "Content-Type: application/x-amz-json-1.1",
            f"Content-Length: {len(body)}",
        ]
        request = "\r\n".join([*head, "", body]).encode()
        with suppress(OSError):
            while not self._enough.is_set():
                self._connection.sendall(request)

    def _listen(self):
        with suppress(OSError):
            while answers := self._connection.recv(65536):
                if b"ThrottlingException" in answers:
                    self.is_throttled.set()
