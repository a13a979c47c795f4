"""The instances of the function. An invocation takes a free one, and waits if there is none."""

import queue


class Instances:
    def __init__(self):
        self._free = queue.Queue()

    def add(self, function):
        self._free.put(function)

    def invoke(self, payload):
        function = self._free.get()
        try:
            return function.invoke(payload)
        finally:
            self._free.put(function)
