"""The scheduled sweep repairs what no message reported."""

from stack import CLUSTER
from waiting import eventually


def test_the_sweep_protects_again_a_busy_task_that_has_lost_its_protection(deploy):
    world = deploy()
    world.deliver()
    busy, idle = (world.worker(world.idle_task()) for _ in range(2))
    sent = [busy.tell("started", "encode-17"), idle.tell("started", "encode-18")]
    world.jobs.await_done([one.id for one in sent])
    world.jobs.await_done([idle.tell("finished", "encode-18").id])
    until = world.protected_until(busy.task)
    released = world.ecs.update_task_protection(cluster=CLUSTER, tasks=[busy.task], protectionEnabled=False)
    assert [one["taskArn"] for one in released["protectedTasks"]] == [busy.task]
    world.fire_the_schedule()
    eventually(lambda: world.events.handled, "the sweep is over")
    ((_, invoked),) = world.events.handled
    assert invoked.error is None
    assert abs(world.protected_until(busy.task) - until) < 60
    assert world.protected_until(idle.task) is None
    assert world.gateway.of("DynamoDB", "Query"), "it has not asked for what is open"
