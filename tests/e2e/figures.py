"""Counts and measurements of the tests, collected across the worker processes."""

import json
import os
from collections import Counter
from pathlib import Path

FOLDER = "E2E_FIGURES"  # environment variable with the folder that the processes share


def note(kind, **figures):
    with (Path(os.environ[FOLDER]) / f"{os.getpid()}.jsonl").open("a") as file:
        file.write(json.dumps({"kind": kind, **figures}) + "\n")


def noted(kind):
    lines = [line for path in sorted(Path(os.environ[FOLDER]).iterdir()) for line in path.read_text().splitlines()]
    return [one for one in map(json.loads, lines) if one["kind"] == kind]


def quantile(values, share):
    """The smallest value that is at least as large as this share of all values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


def summary():
    """Lines of the summary."""
    lines = []
    calls = Counter()
    for world in noted("calls"):
        calls.update({tuple(name.split(" ", 1)): count for name, count in world["counts"].items()})
    for service in sorted({service for service, _ in calls}):
        operations = {operation: count for (of, operation), count in calls.items() if of == service}
        counted = ", ".join(f"{operation} {count}" for operation, count in sorted(operations.items()))
        lines.append(f"the function called {service} {sum(operations.values())} times: {counted}")
    for measured in noted("latency"):
        floor = quantile(measured["floor_ms"], 0.5)
        p50, p99 = (quantile(measured["sent_to_confirmed_ms"], share) for share in (0.5, 0.99))
        lines.append(
            f"message sent to protection confirmed, {measured['how']}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, which is "
            f"{p50 / floor:.0f} and {p99 / floor:.0f} times a bare UpdateTaskProtection by boto3 ({floor:.1f} ms), "
            f"{len(measured['sent_to_confirmed_ms'])} messages"
        )
    lines += [killed["text"] for killed in noted("kills")]
    return lines
