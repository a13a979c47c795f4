"""Processes that a test starts on loopback. None of them outlives the test."""

import ctypes
import signal
import socket
import subprocess
from pathlib import Path

from waiting import eventually

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_PORTS_TRIED_MAX = 5


def _die_with_the_test():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, log: Path, **options) -> subprocess.Popen:
    """Starts a process whose output goes to `log`. It is killed when its parent ends, for any reason.

    Call it from the main thread only: to the kernel, the parent of a process is the thread that started it.
    """
    with log.open("ab") as words:
        options = {"stdin": subprocess.DEVNULL, "stdout": words, "stderr": words, "start_new_session": True} | options
        return subprocess.Popen(command, preexec_fn=_die_with_the_test, **options)


def stop(process: subprocess.Popen) -> None:
    process.kill()
    process.wait(timeout=10)


def first_line(process: subprocess.Popen, log: Path) -> str:
    """The first line that a process prints to our pipe."""
    line = process.stdout.readline().decode()
    assert line, f"{process.args[0]} ended at once:\n{log.read_text()}"
    return line


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_on_free_ports(ports: int, begin) -> tuple[subprocess.Popen, list[int]]:
    """Starts a process that needs free ports, and waits until it listens. `begin` starts it on the given ports.

    Retries with other ports if the process ends at once: another process may have taken the port in the meantime.
    """
    for _ in range(_PORTS_TRIED_MAX):
        chosen = [free_port() for _ in range(ports)]
        process = begin(*chosen)
        eventually(
            lambda: process.poll() is not None or all(listens(port) for port in chosen),
            f"{process.args[0]} listens",
            within=60,
        )
        if process.poll() is None:
            return process, chosen
    raise AssertionError(f"{process.args} ends as soon as it is started")
