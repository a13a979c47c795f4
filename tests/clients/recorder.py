"""A recording proxy between clients and the simulated services on loopback."""

import http.client
import json
import re
import threading
import urllib.parse
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import checker

# Time limit of a request. All services answer at once, so a slower answer is lost.
ANSWER_SECONDS = 30

SERVICES = {"AmazonEC2ContainerServiceV20141113": "ecs", "AmazonSQS": "sqs", "AnyScaleFrontendService": "application-autoscaling"}
CLIENTS = {"aws-cli": "AWS CLI", "Boto3": "boto3"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    service: str
    operation: str
    client: str
    request: bytes
    status: int
    headers: dict
    body: bytes

    @property
    def error_code(self):
        if self.status < 400:
            return None
        if self.service == "sns":
            found = re.search(rb"<Code>([^<]*)</Code>", self.body)
            return found[1].decode() if found else ""
        return json.loads(self.body).get("__type", "").rpartition("#")[2]


class Recorder:
    """A proxy. It checks every answer and collects the deviations in `problems`."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.exchanges = []
        self.problems = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = ANSWER_SECONDS
            wbufsize = -1  # sends head and body together, so that neither waits for an acknowledgement
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, answer = recorder.forward(self.path, dict(self.headers), body)
                recorder.keep(self.headers, body, status, headers, answer)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """No log line for each request."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        # The interval is how long stopping takes.
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def forward(self, path, headers, body):
        connection = http.client.HTTPConnection(self.upstream, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            answer = response.read()
        finally:
            connection.close()
        for name in ("connection", "date"):
            answered.pop(name, None)
        return response.status, {**answered, "content-length": str(len(answer))}, answer

    def keep(self, request_headers, body, status, headers, answer):
        target, _, operation = request_headers.get("X-Amz-Target", "").rpartition(".")
        if not target:
            operation = urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
        agent = request_headers.get("User-Agent", "")
        client = next((name for prefix, name in CLIENTS.items() if agent.startswith(prefix)), "by hand")
        exchange = Exchange(SERVICES.get(target, "sns"), operation, client, body, status, headers, answer)
        self.exchanges.append(exchange)
        self.problems += checker.problems_of(exchange)


class Statistics:
    """The activity of all tests of a run: calls by client, their outcomes by operation, and events compared with
    rules.
    """

    def __init__(self):
        self.calls = Counter()
        self.operations = {}
        self.matches = Counter()

    def add(self, exchanges):
        for exchange in exchanges:
            self.calls[exchange.client] += 1
            answered = self.operations.setdefault((exchange.service, exchange.operation), set())
            answered.add((exchange.client, "refused" if exchange.status >= 400 else "done"))

    def outcomes(self, service, operation):
        """Pairs of client and outcome."""
        return self.operations.get((service, operation), set())
