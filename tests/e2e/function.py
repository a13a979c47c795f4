"""The real `bootstrap`, as Lambda would run it: one instance, which has one invocation at a time."""

import http.client
import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import child

# Beyond the function's own timeout, the emulator must notice the end.
_GRACE_SECONDS = 30
# The first invocation under cargo-lambda is answered after the function is built.
_BUILD_SECONDS_MAX = 600


@dataclass
class Invoked:
    """The result of an invocation: an answer or an error."""

    answer: object = None
    error: str | None = None


class Function:
    """An instance, with the address at which it is invoked."""

    def __init__(self, log: Path, timeout_seconds: int):
        self.log = log
        self.patience_seconds = timeout_seconds + _GRACE_SECONDS
        self.port = None
        self.path = None
        self.process = None
        self.invocations = 0

    def invoke(self, payload: str) -> Invoked:
        """One at a time; the caller ensures this."""
        self.invocations += 1
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience_seconds)
        try:
            connection.request("POST", self.path, payload.encode(), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        answer = json.loads(body) if body else None
        failed = response.status != 200 or (isinstance(answer, dict) and "errorType" in answer)
        return Invoked(error=body) if failed else Invoked(answer=answer)

    def lines(self, *levels):
        """Its own log lines: all of them, or those of some levels."""
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith('{"timestamp"'):
                lines.append(json.loads(line))
        return [line for line in lines if line["level"] in (levels or [line["level"]])]

    def stop(self):
        child.stop(self.process)


class RuntimeInterfaceEmulator(Function):
    """Under AWS's Lambda Runtime Interface Emulator, which the SAM CLI includes."""

    def __init__(self, emulator, bootstrap, environment, log, timeout_seconds):
        super().__init__(log, timeout_seconds)
        self.path = "/2015-03-31/functions/function/invocations"
        self._bootstrap = bootstrap
        self._pid_file = log.with_suffix(".pid")
        self._killing = threading.Lock()

        def begin(port, runtime_api_port):
            addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
            addresses += ["--runtime-api-address", f"127.0.0.1:{runtime_api_port}"]
            # The emulator starts the function with the first invocation, and again after each of its deaths.
            itself = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$1"', str(self._pid_file), str(bootstrap)]
            limits = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_seconds)}
            return child.start([str(emulator), *addresses, *itself], log, env=environment | limits)

        self.process, (self.port, _) = child.start_on_free_ports(2, begin)

    def kill(self) -> bool:
        """Kills the function but not the emulator, as a lost host would. Returns whether there was a process to kill.
        """
        with self._killing:
            try:
                pid = int(self._pid_file.read_text())
                # Another process may have this number by now.
                if Path(os.readlink(f"/proc/{pid}/exe")) != Path(self._bootstrap).resolve():
                    return False
                os.kill(pid, signal.SIGKILL)
            except (OSError, ValueError):
                return False
            return True

    def stop(self):
        self.kill()
        super().stop()


class CargoLambdaWatch(Function):
    """Under `cargo lambda watch`, which builds it first, as on a developer's machine: for that machine, in the debug
    profile.
    """

    def __init__(self, cargo_lambda, project, environment, log, timeout_seconds):
        super().__init__(log, timeout_seconds)
        self.patience_seconds += _BUILD_SECONDS_MAX
        self.path = "/2015-03-31/functions/bootstrap/invocations"

        def begin(port):
            # Without a configured build target, and without a watch on files, which others may be changing.
            words = ["lambda", "watch", "--bin", "bootstrap", "--ignore-changes"]
            address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
            return child.start([str(cargo_lambda), *words, *address], log, env=environment, cwd=project)

        self.process, (self.port,) = child.start_on_free_ports(1, begin)

    def stop(self):
        # If it were killed, it would leave the function behind.
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.stop(self.process)
