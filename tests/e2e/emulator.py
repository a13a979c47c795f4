"""Emulated AWS services (moto) on a free port of loopback: CloudFormation, DynamoDB, EventBridge, IAM, SNS, SQS.
Prints the port and serves until it is killed.

Serves one request at a time, unlike moto's own server. moto's PutItem checks the condition and stores in two steps,
so the condition could hold for two concurrent requests. In DynamoDB this is one atomic step.
"""

import logging
import threading
import time

from moto.core import utils
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_unix_time_of = utils.unix_time


def unix_time(moment=None):
    """moto's own function takes ten times as long to return the time, and moto calls it twelve times for every
    message in the queue for each message that it returns.
    """
    return time.time() if moment is None else _unix_time_of(moment)


utils.unix_time = unix_time
dispatch = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environment, start_response):
    with turn:
        return list(dispatch(environment, start_response))


class Connection(WSGIRequestHandler):
    """Kept open between requests, as AWS's are."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise an answer waits for the client's delayed acknowledgement


logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no log line for each request
server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Connection)
print(server.port, flush=True)
server.serve_forever()
