"""Everything that a scenario needs, isolated from other scenarios: emulated AWS with the template's stack, a
simulated ECS, the real function between them, and the deliveries to it.
"""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import boto3
import child
import figures
from asynchronous import AsynchronousInvocations, put_event
from botocore.config import Config
from event_source import EventSourceMapping
from function import RuntimeInterfaceEmulator
from gateway import SERVICES, Gateway
from instances import Instances
from permissions import Permissions
from stack import CLUSTER, INVOCATIONS, Stack
from waiting import eventually
from worker import Worker

REGION, ACCOUNT = "eu-west-1", "111122223333"  # where the simulated ECS is


@dataclass(frozen=True)
class Programs:
    """The programs to start."""

    project: Path
    bootstrap: Path
    ecs_sim: Path
    runtime_interface_emulator: Path
    cargo_lambda: Path
    python: Path
    aws: Path


class World:
    """Processes and clients for one scenario. It exists until it is closed."""

    def __init__(self, programs, template, folder, services=None, parameters=None):
        self.programs, self.folder = programs, folder
        self._stops = []
        self.emulator, emulator_port = self._start_emulator()  # the process, for tests that freeze it
        self._ports = {service: emulator_port for service in [*SERVICES.values(), "SNS"]}
        self._ports["ECS"] = self._ports["Application Auto Scaling"] = self._start_simulator(services or {"web": 2})
        # Without a linger, a finish is done when its task is unprotected, so that scenarios need not wait.
        defaults = {"ClusterName": CLUSTER, "LingerSeconds": "0"}
        self.stack = Stack(template, self.client, defaults | (parameters or {}))
        self.gateway = Gateway(self._ports)
        self._stops.append(self.gateway.stop)
        self.permissions = Permissions(self.stack.statements(), f"{REGION}:{ACCOUNT}")
        self.ecs, self.sqs = self.client("ecs"), self.client("sqs")
        self.functions, self.instances = [], Instances()
        self.expected_errors = set()  # errors that a scenario makes the function log
        self._errors = []
        self._idle = self._tasks_of(services or {"web": 2})

    # Participants

    def start_functions(self, count=1, settings=None):
        """Starts this many instances of the function. `settings` replace the template's."""
        properties = self.stack.template.properties("Function")
        for _ in range(count):
            number = len(self.functions)
            log = self.folder / f"function-{number}.log"
            environment = self.environment(f"FUNCTION{number}") | (settings or {})
            emulator, bootstrap = self.programs.runtime_interface_emulator, self.programs.bootstrap
            self.run(RuntimeInterfaceEmulator(emulator, bootstrap, environment, log, properties["Timeout"]))

    def run(self, function):
        """Adds an instance, which stops with the others."""

        def stop():
            # Collected before it is stopped, because the stop itself may be an error to it.
            self._errors += [line for line in function.lines("ERROR") if line["message"] not in self.expected_errors]
            function.stop()

        self._stops.append(stop)
        self.functions.append(function)
        self.instances.add(function)

    def environment(self, access_key_id):
        """The environment of the function: its own variables as in the template, and those that Lambda adds."""
        properties = self.stack.template.properties("Function")
        return self.stack.environment() | {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.gateway.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key_id,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_LAMBDA_FUNCTION_NAME": "taskhold",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties["MemorySize"]),
            "AWS_LAMBDA_LOG_LEVEL": self.stack.resolve(properties["LoggingConfig"]["ApplicationLogLevel"]),
        }

    def deliver(self, **changed):
        """Starts all deliveries to the function: job messages, rechecks and events. `changed` overrides settings of
        the job queue's event source for this scenario.
        """
        invoke = self.instances.invoke
        self.jobs = self._poll("JobQueue", invoke, changed)
        self.rechecks = self._poll("RecheckQueue", invoke, {})
        properties = self.stack.template.of_type("AWS::Lambda::EventInvokeConfig")["FunctionEventInvokeConfig"]["Properties"]
        dead_letters = self.stack.resolve(self.stack.template.properties("Function")["DeadLetterConfig"]["TargetArn"])
        assert dead_letters.endswith(self.stack.queue("DeadLetterQueue").rsplit("/", 1)[1]), dead_letters
        attempts = 1 + properties["MaximumRetryAttempts"]
        queues = self.stack.queue(INVOCATIONS), self.stack.queue("DeadLetterQueue")
        self.events = AsynchronousInvocations(self.client("sqs"), queues[0], invoke, attempts, queues[1])
        self._stops.append(self.events.stop)

    def _poll(self, queue, invoke, changed):
        settings = self.stack.event_source(queue) | changed
        mapping = EventSourceMapping(self.client("sqs"), settings, self.stack.queue(queue), invoke)
        self._stops.append(mapping.stop)
        return mapping

    def come_again_after(self, seconds):
        """Sets the visibility timeout of job messages, which is three minutes in the template. Only the time is
        shortened.
        """
        url = self.stack.queue("JobQueue")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})

    def client(self, name):
        """A boto3 client that bypasses the gateway: its calls are not the function's."""
        return boto3.client(
            name,
            endpoint_url=self.endpoint_of("ECS" if name == "ecs" else "SQS"),
            region_name=REGION,
            aws_access_key_id="TEST",
            aws_secret_access_key="secret",
            config=Config(max_pool_connections=50),
        )

    def endpoint_of(self, service):
        return f"http://127.0.0.1:{self._ports[service]}"

    # Actions and observations of a scenario

    def idle_task(self, service="web"):
        """The ARN of a task that no scenario has used."""
        return self._idle[service].pop(0)

    def idle_tasks(self, service):
        """The ARNs of all tasks of a service that no scenario has used."""
        tasks, self._idle[service] = self._idle[service], []
        return tasks

    def worker(self, task):
        return Worker(self.sqs, self.stack.outputs["JobQueueUrl"], task)

    def protections(self, tasks):
        """The protection of up to 100 tasks in ECS, by their ARNs."""
        answer = self.ecs.get_task_protection(cluster=CLUSTER, tasks=tasks)
        assert answer["failures"] == [], answer
        return {one["taskArn"]: one for one in answer["protectedTasks"]}

    def protected_until(self, task):
        """The end of a task's protection in seconds since the epoch; `None` if it has none."""
        protection = self.protections([task])[task]
        return protection["expirationDate"].timestamp() if protection["protectionEnabled"] else None

    def put_event(self, shape, resource, **detail):
        put_event(self.client("events"), self.programs.project / "events" / shape, resource, **detail)

    def fire_the_schedule(self):
        """Fires the template's schedules: EventBridge invokes the function."""
        (payload,) = self.stack.schedules()
        self.sqs.send_message(QueueUrl=self.stack.queue(INVOCATIONS), MessageBody=payload)

    def received(self, queue_url, count=10):
        """Receives up to this many of the messages that a queue can deliver now."""
        messages = self.sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=count, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
        ).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def left_in(self, queue):
        """The number of messages in a queue of the template, whether they can be received or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        url = self.stack.queue(queue)
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def await_one(self, queue_url, wanted, what, within=60):
        """Waits for a wanted message in a queue; drops the others."""
        return eventually(lambda: next(filter(wanted, self.received(queue_url)), None), what, within, every=0.2)

    # The end

    def close(self):
        """Stops everything, youngest first."""
        while self._stops:
            self._stops.pop()()
        counts = Counter(f"{call.service} {call.operation}" for call in self.gateway.calls)
        figures.note("calls", counts=counts)

    def complaints(self):
        """Calls of the function that its role does not allow, and errors that it has logged."""
        forbidden = [call for call in self.gateway.calls if not self.permissions.allow(call)]
        denied = [f"not allowed: {call.service} {call.operation} {json.dumps(call.request)[:200]}" for call in forbidden]
        return denied + [f"error: {line}" for line in self._errors]

    def log_lines(self, *levels):
        return [line for function in self.functions for line in function.lines(*levels)]

    def _start_emulator(self):
        log = self.folder / "aws.log"
        environment = os.environ | {"MOTO_ACCOUNT_ID": ACCOUNT}
        script = self.programs.project / "tests/e2e/emulator.py"
        process = child.start([self.programs.python, script], log, stdout=subprocess.PIPE, env=environment)
        self._stops.append(lambda: child.stop(process))
        return process, int(child.first_line(process, log))

    def _start_simulator(self, services):
        log = self.folder / "ecs-sim.log"
        words = [word for name, tasks in services.items() for word in ("--service", f"{name}={tasks}")]
        process = child.start([self.programs.ecs_sim, "serve", "--port", "0", *words], log, stdout=subprocess.PIPE)
        self._stops.append(lambda: child.stop(process))
        return int(child.first_line(process, log).split("http://127.0.0.1:")[1].split()[0])

    def _tasks_of(self, services):
        tasks = {}
        for service in services:
            pages = self.ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, serviceName=service)
            tasks[service] = [arn for page in pages for arn in page["taskArns"]]
        return tasks
