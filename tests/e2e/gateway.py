"""The path from the function to AWS: one loopback endpoint for all services. It forwards each call to the emulator of
its service, counts it, and lets a test intervene between a call and its answer.

The gateway invents no answers: the function receives the emulator's answer or none.
"""

import http.client
import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

SERVICES = {
    "AmazonEC2ContainerServiceV20141113": "ECS",
    "AmazonSQS": "SQS",
    "AnyScaleFrontendService": "Application Auto Scaling",
    "DynamoDB_20120810": "DynamoDB",
}
# Longer than the function waits for any answer, so that the function gives up first.
_EMULATOR_SECONDS_MAX = 60
# Headers of a connection, not of a call: the emulator sets its own.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Call:
    """A call of the function and its result."""

    service: str
    operation: str
    caller: str  # its access key id: each instance of the function has another one
    request: dict
    started_at: float = field(default_factory=time.time)
    answered_at: float | None = None
    status: int | None = None
    answer: bytes = b""

    @property
    def exception(self):
        """The name of the exception in the answer."""
        if self.status is None or self.status < 400:
            return None
        name = re.search(rb'"__type"\s*:\s*"(?:[^"]*#)?([^"]*)"|<Code>([^<]*)<', self.answer)
        return (name[1] or name[2]).decode() if name else str(self.status)


@dataclass
class Answer:
    """An answer of an emulator."""

    status: int
    headers: list
    body: bytes


class Gateway:
    """`emulators` maps each service to the port of its emulator."""

    def __init__(self, emulators):
        self.calls = []
        self.keeps_items = True  # in the calls; hundreds of thousands of them need a gigabyte
        self._emulators = emulators
        self._between = None
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def of(self, service, *operations):
        """The calls of a service so far, or those of some of its operations, ordered by start."""
        return [call for call in self.calls if call.service == service and call.operation in (operations or [call.operation])]

    @contextmanager
    def between(self, intervention):
        """In this context, `intervention(call, forward)` ends each call: with the answer of `forward()`, or with
        `None`, which closes the connection without an answer.
        """
        assert self._between is None, "one at a time"
        self._between = intervention
        try:
            yield
        finally:
            self._between = None

    def carry_out(self, call, request):
        """Answers a call, or ends it without an answer."""
        self.calls.append(call)
        between = self._between
        answer = between(call, lambda: self._forward(call, request)) if between else self._forward(call, request)
        if answer:
            call.answered_at, call.status, call.answer = time.time(), answer.status, answer.body
        if not self.keeps_items and call.service == "DynamoDB":
            call.request = {name: call.request[name] for name in ("TableName", "IndexName") if name in call.request}
            call.answer = call.answer if call.exception else b""
        return answer

    def _forward(self, call, request):
        method, path, headers, body = request
        connection = http.client.HTTPConnection("127.0.0.1", self._emulators[call.service], timeout=_EMULATOR_SECONDS_MAX)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the function opens dozens of connections at once


def _call_of(headers, body):
    caller = re.search(r"Credential=([^/]*)/", headers.get("Authorization", ""))
    caller = caller[1] if caller else ""
    target = headers.get("X-Amz-Target")
    if target:
        service, operation = target.split(".")
        return Call(SERVICES[service], operation, caller, json.loads(body or b"{}"))
    form = dict(parse_qsl(body.decode()))
    return Call("SNS", form["Action"], caller, form)


def _handler_of(gateway):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            try:
                answer = gateway.carry_out(_call_of(self.headers, body), (self.command, self.path, headers, body))
                if answer is not None:
                    self._answer(answer)
                    return
            except OSError:
                pass  # the emulator or the function is gone: the other side finds its connection closed
            self.close_connection = True

        def _answer(self, answer):
            self.send_response_only(answer.status)
            for name, value in answer.headers:
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_):
            pass  # the calls are recorded, not printed

    return Handler
