"""The instances of the function that there are. An invocation takes one that is free, and waits if none is."""

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
