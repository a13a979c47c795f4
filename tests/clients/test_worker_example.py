"""The worker on docs/workers.md: its code runs, and reports each job from start to end, also after SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "workers.md"
TASK_ARN = "arn:aws:ecs:eu-central-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a"
UNTIL = "2026-01-05T14:30:00Z"
GRANTED = {"protection": {"ProtectionEnabled": True, "ExpirationDate": UNTIL, "TaskArn": TASK_ARN}}
REFUSED = {"failure": {"Arn": TASK_ARN, "Reason": "DEPLOYMENT_BLOCKED"}}

# A boto3 that returns one short job and then a long one, and writes each call as a line of JSON.
BOTO3 = """
import json, os

class Sqs:
    received = 0
    def receive_message(self, **request):
        Sqs.received += 1
        order = {"id": f"job-{Sqs.received}", "title": "Episode", "steps": 1 if Sqs.received == 1 else 1000}
        attributes = {"ApproximateReceiveCount": "3"}
        message = {"ReceiptHandle": order["id"], "Body": json.dumps(order), "Attributes": attributes}
        return {"Messages": [message]}
    def __getattr__(self, name):
        def call(**request):
            with open(os.environ["CALLS"], "a") as calls:
                calls.write(json.dumps([name, request]) + "\\n")
        return call

def client(service, region_name):
    assert (service, region_name) == ("sqs", "eu-central-1")
    return Sqs()
"""


def endpoint(of_agent):
    class Endpoint(BaseHTTPRequestHandler):
        def answer(self, answer):
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer({"TaskARN": TASK_ARN})

        def do_PUT(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(of_agent)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def play(directory, of_agent, until, heartbeat_seconds=300):
    """Runs the worker until its calls satisfy `until`, stops it with SIGTERM, and returns its calls."""
    blocks = [rest.split("```")[0] for rest in PAGE.read_text().split("```python\n")[1:]]
    code = next(block for block in blocks if "def main" in block)
    assert "HEARTBEAT_SECONDS = 300" in code
    code = code.replace("HEARTBEAT_SECONDS = 300", f"HEARTBEAT_SECONDS = {heartbeat_seconds}")
    (directory / "worker.py").write_text(code)
    (directory / "boto3.py").write_text(BOTO3)
    calls = directory / "calls"
    calls.touch()

    def made():
        return [json.loads(line) for line in calls.read_text().splitlines(keepends=True) if line.endswith("\n")]

    server = endpoint(of_agent)
    url = f"http://127.0.0.1:{server.server_port}"
    variables = {"ECS_CONTAINER_METADATA_URI_V4": url, "ECS_AGENT_URI": url, "CALLS": str(calls)}
    variables |= {"JOB_QUEUE_URL": "jobs", "WORK_QUEUE_URL": "work", "PYTHONPATH": str(directory)}
    worker = subprocess.Popen([sys.executable, directory / "worker.py"], env=os.environ | variables)
    try:
        give_up = time.monotonic() + 30
        while not until(made()):
            assert worker.poll() is None and time.monotonic() < give_up, made()
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
    finally:
        worker.kill()
        server.shutdown()
    return made()


def test_each_job_is_reported_from_start_to_end_and_returned_at_sigterm(tmp_path):
    def both_started(calls):
        return sum("job.started" in str(call) for call in calls) == 2

    calls = play(tmp_path, GRANTED, both_started)
    messages = [json.loads(request["MessageBody"]) for name, request in calls if name == "send_message"]
    assert [(message["type"], message["jobId"], message["attempt"]) for message in messages] == [
        ("job.started", "job-1", 3),
        ("job.finished", "job-1", 3),
        ("job.started", "job-2", 3),
        ("job.finished", "job-2", 3),
    ]
    assert {message["taskArn"] for message in messages} == {TASK_ARN}
    by_agent = {"by": "agent", "until": UNTIL}
    assert [message.get("protection") for message in messages] == [by_agent, None, by_agent, None]
    others = [(name, request["ReceiptHandle"]) for name, request in calls if name != "send_message"]
    assert others == [("delete_message", "job-1"), ("change_message_visibility", "job-2")]


def test_a_running_job_sends_heartbeats_and_none_after_its_end(tmp_path):
    def sent(calls):
        return [json.loads(request["MessageBody"]) for name, request in calls if name == "send_message"]

    def two_heartbeats(calls):
        return sum((message["type"], message["jobId"]) == ("job.heartbeat", "job-2") for message in sent(calls)) == 2

    messages = sent(play(tmp_path, GRANTED, two_heartbeats, heartbeat_seconds=0.2))
    heartbeats = [message for message in messages if message["type"] == "job.heartbeat"]
    assert {(message["maxDurationMinutes"], message["protection"]["by"]) for message in heartbeats} == {(240, "agent")}
    for job in ("job-1", "job-2"):
        [*_, last] = [message["type"] for message in messages if message["jobId"] == job]
        assert last == "job.finished"


def test_a_job_is_returned_and_not_reported_when_ecs_refuses_protection(tmp_path):
    calls = play(tmp_path, REFUSED, bool)
    assert {name for name, _ in calls} == {"change_message_visibility"}
