"""Runs a command on a pseudo-terminal and answers its questions."""

import json
import os
import pty
import re
import select
import subprocess
import time
from dataclasses import dataclass, field

# How long a command may be silent. SAM takes seconds to start. The first time, when Python compiles it, a busy machine
# may need more than a minute.
SILENCE_SECONDS = 180
# `Name [value]: ` of scripts/deploy, and SAM's question. A question is the last output before the command waits.
QUESTION = r"(?:^|\n)({}|Deploy this changeset\?)(?: \[([^\n]*)\])?: $"


@dataclass
class Conversation:
    """The questions of a command with the offered values, in order, its output and its exit status."""

    offered: list = field(default_factory=list)
    output: str = ""
    status: int = None

    def names(self):
        return [name for name, _ in self.offered]

    def sent(self):
        """The parameters that SAM reports to send to CloudFormation."""
        return json.loads(re.search(r"Parameter overrides +: (.*)", self.output)[1])


def converse(command, names, answers, *, cwd, env):
    """Answers the questions for `names`, and SAM's: with `answers`, each list one after the other, or with Enter alone."""
    asks = re.compile(QUESTION.format("|".join(names)))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    answers = {name: list(answer) if isinstance(answer, list) else [answer] for name, answer in answers.items()}
    talk = Conversation()
    try:
        unanswered = ""
        while chunk := _read(ours):
            talk.output += chunk
            unanswered += chunk
            if question := asks.search(unanswered):
                name, value = question.groups()
                talk.offered.append((name, value))
                answer = answers[name].pop(0) if answers.get(name) else ""
                os.write(ours, f"{answer}\n".encode())
                unanswered = ""
        talk.status = process.wait(timeout=SILENCE_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
        os.close(ours)
    return talk


def _read(terminal):
    """The next output; empty at the end."""
    deadline = time.monotonic() + SILENCE_SECONDS
    while not select.select([terminal], [], [], 1)[0]:
        if time.monotonic() > deadline:
            raise TimeoutError("the command neither writes nor asks")
    try:
        return os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
    except OSError:  # Linux reports the closed other end so
        return ""
