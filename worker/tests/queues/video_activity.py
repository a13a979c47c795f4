import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from notes import note
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
def encode(seconds: float):
    info = activity.info()
    job = f"{info.workflow_run_id}/{info.activity_id}"
    note(job, "starts", attempt=info.attempt)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        activity.heartbeat()
        time.sleep(0.1)
    note(job, "ends", attempt=info.attempt)


@workflow.defn(sandboxed=False)
class Video:
    @workflow.run
    async def run(self, seconds: float):
        # An activity whose process is killed is started again after this time.
        patience = timedelta(seconds=3)
        await workflow.execute_activity(encode, seconds, activity_id="encode", heartbeat_timeout=patience,
                                        start_to_close_timeout=timedelta(minutes=2))


async def submit(client, seconds):
    # A process that is killed while it runs a workflow blocks it for task_timeout.
    times = {"task_timeout": timedelta(seconds=2), "execution_timeout": timedelta(minutes=10)}
    handle = await client.start_workflow(Video.run, seconds, id=uuid.uuid4().hex, task_queue="video", **times)
    return f"{handle.first_execution_run_id}/encode"


async def main():
    client = await Client.connect(os.environ["TEMPORAL"])
    if sys.argv[1:] == ["submit"]:
        print(json.dumps([await submit(client, seconds) for seconds in json.load(sys.stdin)]), flush=True)
        os._exit(0)  # the SDK's threads can abort a busy process that ends in the ordinary way
    with ThreadPoolExecutor(2) as threads:
        # Without cached workflows, those of a killed process are free at once.
        worker = Worker(client, task_queue="video", workflows=[Video], activities=[encode], activity_executor=threads,
                        max_concurrent_activities=2, max_cached_workflows=0, interceptors=[ProtectActivities()])
        await worker.run()


asyncio.run(main())
