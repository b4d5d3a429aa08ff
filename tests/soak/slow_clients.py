"""Clients that hold a server up: slow_clients.py HOST PORT COUNT SECONDS MODEL.

Each sends or reads far less than a client that means it, until the server ends it, or for SECONDS. Prints how many have
connected, and at the end {kind: [clients, those ended by the server]} as JSON. MODEL answers raw FP32 with as much.
"""

import asyncio
import json
import socket
import sys

import http2_frames as h2

PAUSE = 0.2  # between two bytes
LARGE = 1 << 20  # of a reply that is not read
SMALL_BUFFER = 4096
DRAIN_SECONDS = 20


class Slow:
    def __init__(self, address, model, small_buffer):
        self.address = address
        self.path = f"/v2/models/{model}/infer"
        self.socket = socket.socket()
        if small_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self.socket.setblocking(False)
        self.received = bytearray()

    async def connect(self):
        await asyncio.get_running_loop().sock_connect(self.socket, self.address)

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self, most=65536):
        """Reads for a pause; raises EOFError when the server has ended the connection."""
        try:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, most), PAUSE)
        except TimeoutError:
            return
        if not data:
            raise EOFError
        self.received += data

    async def read_all(self):
        while True:
            await self.read()

    async def trickle(self, piece, ended=lambda: False):
        while not ended():
            await self.send(piece)
            await self.read()

    def http1_head(self, length):
        head = f"POST {self.path} HTTP/1.1\r\nHost: soak\r\nContent-Length: {length}\r\n"
        return (head + "Inference-Header-Content-Length: 0\r\n\r\n").encode()

    def http2_ended(self):
        """The server has answered, reset the stream, or said that it goes."""
        return any(
            kind in (h2.RST_STREAM, h2.GOAWAY) or (stream == 1 and kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM)
            for kind, flags, stream, _ in h2.take_frames(self.received)
        )  # fmt: skip


async def silent(slow):
    await slow.read_all()


async def http1_head(slow):
    await slow.send(b"GET /v2 HTTP/1.1\r\nx-slow: ")
    await slow.trickle(b"x")


async def http1_body(slow):
    await slow.send(slow.http1_head(LARGE))
    await slow.trickle(b"\0")


async def http1_reader(slow):
    await slow.send(slow.http1_head(LARGE) + bytes(LARGE))
    while True:
        await asyncio.sleep(PAUSE)
        await slow.read(16)


async def http2_head(slow):
    block = h2.head("GET", "/v2", x_slow="x" * 100)
    await slow.send(h2.PREFACE + h2.settings() + h2.frame(h2.HEADERS, h2.END_STREAM, 1, block[:1]))
    while not slow.http2_ended():
        await slow.read()


async def http2_body(slow):
    block = h2.head("POST", slow.path, content_length=str(LARGE), inference_header_content_length="0")
    await slow.send(h2.PREFACE + h2.settings() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, block))
    await slow.trickle(h2.frame(h2.DATA, 0, 1, b"\0"), slow.http2_ended)


async def http2_reader(slow):
    block = h2.head("GET", "/v2")
    request = h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, block)
    await slow.send(h2.PREFACE + h2.settings(initial_window=0) + request)
    while not slow.http2_ended():
        await slow.read()


KINDS = [silent, http1_head, http1_body, http1_reader, http2_head, http2_body, http2_reader]


async def was_ended(slow, kind, seconds):
    """Whether the server has ended it within that time."""
    try:
        await asyncio.wait_for(kind(slow), seconds)
    except (EOFError, OSError):
        pass
    except TimeoutError:
        if kind is not http1_reader:
            return False
        # What the kernels had taken still comes, and then the end: of a reply that is not whole, if it was cut.
        try:
            await asyncio.wait_for(slow.read_all(), DRAIN_SECONDS)
        except (EOFError, OSError):
            return len(slow.received) < LARGE
        except TimeoutError:
            return False
    return True


async def main():
    host, port, count, seconds, model = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
    clients = []
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        slow = Slow((host, port), model, kind is http1_reader)
        await slow.connect()
        clients.append((kind, slow))
    print(len(clients), flush=True)
    ended = await asyncio.gather(*(was_ended(slow, kind, seconds) for kind, slow in clients))
    report = {kind.__name__: [0, 0] for kind in KINDS}
    for (kind, slow), by_server in zip(clients, ended):
        report[kind.__name__][0] += 1
        report[kind.__name__][1] += by_server
        slow.socket.close()
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
