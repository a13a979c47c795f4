"""An emulated DynamoDB (moto) on a free port of loopback. Prints the port and serves until it is killed.

One request at a time, unlike moto's own server: its PutItem looks at the condition and stores in two steps, so that of two
requests at once both could find the condition true. In DynamoDB that is one step.
"""

import logging

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
print(server.port, flush=True)
server.serve_forever()
