"""The operations that the simulator offers, read from its source."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "ecs-sim" / "src"

# Where each service dispatches its operations: one arm of a `match` for each.
DISPATCHERS = {
    "ecs": "control_plane/api.rs",
    "sqs": "queue/api.rs",
    "sns": "http/topics.rs",
    "application-autoscaling": "autoscaling.rs",
}

OFFERED = {
    service: re.findall(r'^ +"([A-Z][A-Za-z]+)" =>', (SOURCE / path).read_text(), re.MULTILINE)
    for service, path in DISPATCHERS.items()
}

PAIRS = [(service, operation) for service, operations in OFFERED.items() for operation in operations]
