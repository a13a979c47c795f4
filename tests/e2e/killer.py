"""Kills instances of the function while they work, at times drawn from a seed."""

import threading

# An invocation makes about forty calls here, so most kills happen within an invocation, and some between two.
CALLS_UNTIL_A_KILL_MAX = 40
# The longest pause after an answer: enough for the function to read it and continue, or to finish its invocation.
PAUSE_SECONDS_MAX = 0.03
MOMENTS = ("before", "during", "after")


class Killer:
    """Intervenes between the function and AWS. Kills each instance at one of its next calls: before the call has
    arrived, after its effect and before its answer, or shortly after the answer.
    """

    def __init__(self, functions, random, kills, calls_until_a_kill_max=CALLS_UNTIL_A_KILL_MAX):
        self.by_moment = dict.fromkeys(MOMENTS, 0)
        self.enough = threading.Event()
        self._functions, self._random, self._wanted = functions, random, kills
        self._calls_max = calls_until_a_kill_max
        self._turn = threading.Lock()
        self._next = [self._draw() for _ in functions]

    @property
    def kills(self):
        return sum(self.by_moment.values())

    def __call__(self, call, forward):
        number = int(call.caller.removeprefix("FUNCTION"))
        moment, pause = self._moment_of(number)
        if moment is None:
            return forward()
        if moment == "before":
            self._kill(number, moment)
            return None
        answer = forward()
        if moment == "during":
            self._kill(number, moment)
            return None
        threading.Timer(pause, self._kill, (number, moment)).start()
        return answer

    def _draw(self):
        calls = self._random.randint(1, self._calls_max)
        return calls, self._random.choice(MOMENTS), self._random.uniform(0, PAUSE_SECONDS_MAX)

    def _moment_of(self, number):
        """When to kill the instance during this call, if at all."""
        with self._turn:
            calls, moment, pause = self._next[number]
            if self.enough.is_set():
                return None, 0
            if calls > 1:
                self._next[number] = (calls - 1, moment, pause)
                return None, 0
            self._next[number] = self._draw()
            return moment, pause

    def _kill(self, number, moment):
        with self._turn:
            if not self.enough.is_set() and self._functions[number].kill():
                self.by_moment[moment] += 1
                if self.kills >= self._wanted:
                    self.enough.set()
