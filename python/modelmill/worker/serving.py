"""The loops that take executions from the server: one after another, or many at once with asyncio."""

import asyncio
import contextlib
import contextvars
import logging
import socket
import struct
import traceback

from modelmill.errors import Error

from . import frames
from .batch import Batch
from .frames import Frame
from .memory import Full

_IDLE_SECONDS = 5
current_execution = contextvars.ContextVar("modelmill_execution", default=0)
log = logging.getLogger("modelmill")


@contextlib.contextmanager
def execution(number):
    """Calls of other models are made on behalf of this execution."""
    token = current_execution.set(number)
    try:
        yield
    finally:
        current_execution.reset(token)


def error_text(error):
    return f"{type(error).__name__}: {error}"


def traceback_text(error):
    """Without the frames of this package that lead to the model's code."""
    found = error.__traceback__
    while found is not None and found.tb_next is not None and found.tb_frame.f_globals.get("__name__", "").startswith("modelmill."):  # fmt: skip
        found = found.tb_next
    return "".join(traceback.format_exception(type(error), error, found)).rstrip()


class Serving:
    def __init__(self, link, flavour):
        self.link, self.flavour = link, flavour
        self.batches = {}
        self.ended = False

    def take(self, kind, number, body):
        """Handles a frame. True: the batch `number` is to be executed."""
        if kind == Frame.EXECUTE:
            self.batches[number] = Batch(self.link, number, body)
            return True
        if kind == Frame.STOP:
            self.ended = True
        elif number in self.batches:
            (request,) = frames.NUMBER.unpack(body)
            if kind == Frame.ACK:
                self.batches[number].unacknowledged[request] -= 1
            elif kind == Frame.CANCEL:
                self.batches[number].cancelled.add(request)
        return False

    def wake_when_idle(self):
        """From now on receive() raises BlockingIOError after a while without a frame."""
        self.link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _IDLE_SECONDS, 0))

    def tidy(self):
        """Gives back what is held for nobody."""
        with self.link.lock:
            self.link.flush_freed()
            self.link.memory.trim()

    def fail(self, batch, which, error):
        """The request's answer is the error; None: that of all that have no answer yet."""
        if isinstance(error, Error):
            return batch.fail(which, error.code, str(error))
        if isinstance(error, Full):
            text = "the outputs don't fit into the worker's shared memory; raise the model's parameter 'shared_memory_mb'"
            return batch.fail(which, "RESOURCE_EXHAUSTED", text)
        log.error("%s", traceback_text(error))
        batch.fail(which, "INTERNAL", error_text(error))

    def end(self, batch):
        """After its execution: whatever was forgotten is an error."""
        if batch.open:
            batch.fail(None, "INTERNAL", "the model's code gave no answer to this request")
        self.batches.pop(batch.number, None)


class OneByOne(Serving):
    """On the main thread, which reads the link itself."""

    def run(self):
        self.flavour.make()
        for awaitable in self.flavour.start():
            asyncio.run(wait(awaitable))
        yield  # it is ready
        self.wake_when_idle()
        while not self.ended:
            self._step(0)
            while self.batches:
                batch = next(iter(self.batches.values()))
                try:
                    self.flavour.execute(batch, self)
                finally:
                    self.end(batch)
                batch = None
        for awaitable in self.flavour.stop():
            asyncio.run(wait(awaitable))

    def _step(self, flags):
        try:
            frame = self.link.receive(flags)
        except BlockingIOError:
            if not flags:
                self.tidy()
            return False
        if frame is None:
            self.ended = True
            raise SystemExit(0)
        self.take(*frame)
        return True

    def wait_until(self, condition):
        while not condition():
            self._step(0)

    def is_cancelled(self, batch, request):
        while request not in batch.cancelled and self._step(socket.MSG_DONTWAIT):
            pass
        return request in batch.cancelled


class ManyAtOnce(Serving):
    """On an event loop; each execution is a task."""

    def run(self):
        self.flavour.make()
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        for awaitable in self.flavour.start():
            self.loop.run_until_complete(awaitable)
        yield  # it is ready
        self.over, self.moved, self.tasks = asyncio.Event(), asyncio.Event(), set()
        self.loop.add_reader(self.link.fileno(), self._on_readable)
        self.loop.run_until_complete(self.over.wait())
        for awaitable in self.flavour.stop():
            self.loop.run_until_complete(awaitable)

    def _on_readable(self):
        try:
            while True:
                frame = self.link.receive(socket.MSG_DONTWAIT)
                if frame is None:
                    raise SystemExit(0)
                if self.take(*frame):
                    task = self.loop.create_task(self._execute(self.batches[frame[1]]))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
                if not self.link.has_frame():
                    break
        except BlockingIOError:
            pass
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()
        if self.ended:
            self.over.set()

    async def _execute(self, batch):
        try:
            await self.flavour.execute(batch, self)
        finally:
            self.end(batch)

    async def wait_until(self, condition):
        while not condition():
            await self.moved.wait()

    def is_cancelled(self, batch, request):
        return request in batch.cancelled


async def wait(awaitable):
    return await awaitable
