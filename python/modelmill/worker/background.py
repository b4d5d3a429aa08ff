"""Loops for models whose answers may come from any thread, also after an execution's code has returned."""

import asyncio
import queue
import threading
import time

from .memory import Full
from .serving import Serving, wait

_WINDOW = 512  # answers to a request that the server has yet to take
_PATIENCE = 10  # seconds, for room in the shared memory


class _Background(Serving):
    """A thread reads the link; executions run on the main thread. Answers of one request are sent by one thread at a
    time."""

    def __init__(self, link, flavour):
        super().__init__(link, flavour)
        self.moved = threading.Condition()

    def run(self):
        self.flavour.make()
        for awaitable in self.flavour.start():
            asyncio.run(wait(awaitable))
        self.prepare()
        yield  # it is ready
        threading.Thread(target=self._read, daemon=True, name="modelmill link").start()
        self.work()
        for awaitable in self.flavour.stop():
            asyncio.run(wait(awaitable))

    def _read(self):
        self.wake_when_idle()
        while not self.ended:
            try:
                frame = self.link.receive()
            except BlockingIOError:
                self.tidy()
                continue
            if frame is None:
                break
            kind, number, body = frame
            with self.link.lock:
                begins = self.take(kind, number, body)
            if begins:
                self.begin(self.batches[number])
            with self.moved:
                self.moved.notify_all()
        self.begin(None)

    def send(self, batch, which, indices, arrays, types, final, parameters):
        """One of a request's answers, when the server has taken enough of those before it."""
        with self.moved:
            self.moved.wait_for(lambda: batch.unacknowledged[which] < _WINDOW)
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                with batch.lock:
                    if which in batch.open:
                        batch.answer(which, indices, arrays, final, parameters, types)
                    return
            except Full:
                if time.monotonic() > until:
                    raise
                with self.moved:
                    self.moved.wait(0.05)

    def is_cancelled(self, batch, request):
        return request in batch.cancelled


class Background(_Background):
    """One execution after another."""

    def prepare(self):
        self._todo = queue.SimpleQueue()

    def begin(self, batch):
        self._todo.put(batch)

    def work(self):
        while (batch := self._todo.get()) is not None:
            self.flavour.execute(batch, self)
            batch = None


class BackgroundAsync(_Background):
    """Each execution is a task of an event loop."""

    def prepare(self):
        self._loop, self._tasks = asyncio.new_event_loop(), set()
        asyncio.set_event_loop(self._loop)

    def begin(self, batch):
        if batch is None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        else:
            self._loop.call_soon_threadsafe(self._start, batch)

    def _start(self, batch):
        task = self._loop.create_task(self.flavour.execute(batch, self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def work(self):
        self._loop.run_forever()
