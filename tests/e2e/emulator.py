"""Emulated AWS services (moto) on a free port of loopback: CloudFormation, DynamoDB, EventBridge, IAM, SNS, SQS. Prints the port
and serves until it is killed.

One request at a time, unlike moto's own server: its PutItem looks at the condition and stores in two steps, so that of two
requests at once both could find the condition true. In DynamoDB that is one step.
"""

import logging
import threading
import time

from moto.core import utils
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_unix_time_of = utils.unix_time


def unix_time(moment=None):
    """moto's own takes ten times as long to tell the present, and for each message that it hands out it asks for every message
    in the queue twelve times."""
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
    disable_nagle_algorithm = True  # or an answer waits for the client's delayed acknowledgement


logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Connection)
print(server.port, flush=True)
server.serve_forever()
