"""A socket to the server, and the shared memory that goes with it."""

import socket
import threading

from . import frames
from .frames import Frame
from .memory import OwnMemory, ServerMemory

_CONTROL_SPACE = socket.CMSG_SPACE(4 * 16)


class Link:
    """Frames both ways. Any thread sends; one at a time receives."""

    def __init__(self, fd, limit=0):
        self.socket = socket.socket(fileno=fd)
        self.socket.setblocking(True)
        self.socket.set_inheritable(False)
        self.server = ServerMemory()
        self.memory = OwnMemory(limit, self._announce)
        self.lock = threading.RLock()  # of sending, and of the memory
        self._buffer = bytearray(1 << 16)
        self._begin = self._end = 0
        self._fds = []
        self._freed = []  # appended to by the garbage collector, on any thread

    def fileno(self):
        return self.socket.fileno()

    def limit_memory(self, limit):
        self.memory = OwnMemory(limit, self._announce)

    def send(self, kind, number, *parts):
        with self.lock:
            data = frames.frame(kind, number, *parts)
            if self._freed:
                data = self._take_freed() + data
            self.socket.sendall(data)

    def free(self, number):
        """Tells the server, together with the next frame, that what came with frame `number` is not looked at."""
        self._freed.append(number)

    def flush_freed(self):
        if self._freed:
            with self.lock:
                self.socket.sendall(self._take_freed())

    def _take_freed(self):
        taken = b""
        while self._freed:
            taken += frames.frame(Frame.FREE, self._freed.pop())
        return taken

    def _announce(self, region):
        body = frames.REGION.pack(region.number, region.size)
        header = frames.HEADER.pack(frames.HEADER.size + len(body), Frame.REGION, 1, 0)
        socket.send_fds(self.socket, [header + body], [region.fd])

    def receive(self, flags=0):
        """(kind, id, body) of the next frame, which lives until the one after; None: the server has gone. With
        MSG_DONTWAIT it raises BlockingIOError when there is none."""
        while True:
            have = self._end - self._begin
            if have >= frames.HEADER.size:
                size, kind, has_fd, number = frames.HEADER.unpack_from(self._buffer, self._begin)
                if have >= size:
                    body = memoryview(self._buffer)[self._begin + frames.HEADER.size : self._begin + size]
                    self._begin += size
                    if kind != Frame.REGION:
                        return kind, number, body
                    self.server.add(*frames.REGION.unpack(body), self._fds.pop(0))
                    continue
                if size > len(self._buffer) - self._begin:
                    self._make_room(size)
            elif len(self._buffer) - self._begin < frames.HEADER.size:
                self._make_room(frames.HEADER.size)
            if not self._read(flags):
                return None

    def has_frame(self):
        """receive() would return without a look at the socket."""
        have = self._end - self._begin
        return have >= frames.HEADER.size and have >= frames.HEADER.unpack_from(self._buffer, self._begin)[0]

    def _make_room(self, size):
        # A new one, because bodies of before may still be looked at.
        grown = bytearray(max(len(self._buffer), 2 * size))
        grown[: self._end - self._begin] = self._buffer[self._begin : self._end]
        self._buffer, self._begin, self._end = grown, 0, self._end - self._begin

    def _read(self, flags):
        if self._begin == self._end:
            self._begin = self._end = 0
        into = memoryview(self._buffer)[self._end :]
        try:
            got, control, _, _ = self.socket.recvmsg_into([into], _CONTROL_SPACE, flags | socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return False
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._fds += [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
        self._end += got
        return got > 0
