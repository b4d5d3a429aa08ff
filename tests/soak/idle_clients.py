"""Holds connections that have been used once and rest: idle_clients.py HOST PORT COUNT. Two thirds speak
HTTP/1.1, and a third HTTP/2, whose connections have tables and buffers of nghttp2's own.

Prints how many are open. For each line on standard input all of them send one more request, and how many were answered is
printed. At the end of standard input they are closed.
"""

import re
import resource
import selectors
import socket
import sys
import time

import http2_frames as h2

PATH = "/v2/health/live"
PATIENCE = 60  # seconds for all answers of a round


class Idle:
    def __init__(self, address, http2):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setblocking(False)
        self.http2 = http2
        self.received = bytearray()
        self.stream = -1
        self.opening = h2.PREFACE + h2.settings() if http2 else b""

    def ask(self):
        self.stream += 2
        if self.http2:
            block = h2.head("GET", PATH)
            request = self.opening + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, self.stream, block)
        else:
            request = f"GET {PATH} HTTP/1.1\r\nHost: soak\r\n\r\n".encode()
        self.opening = b""
        try:
            self.socket.send(request)
        except OSError:
            pass  # the missing answer will tell

    def read(self):
        """True when the answer is complete, False when it is not, None when the connection has ended."""
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            return None
        self.received += data
        if not self.http2:
            head, _, body = self.received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            answered = head.startswith(b"HTTP/1.1 200") and length is not None and len(body) == int(length[1])
            if answered:
                self.received.clear()
            return answered
        answered = False
        for kind, flags, stream, _ in h2.take_frames(self.received):
            if kind == h2.SETTINGS and not flags & h2.ACK:
                self.socket.send(h2.SETTINGS_ACK)
            if kind == h2.GOAWAY:
                return None
            answered |= stream == self.stream and kind in (h2.HEADERS, h2.DATA) and bool(flags & h2.END_STREAM)
        return answered


def ask_all(clients):
    """How many of them were answered."""
    answered = 0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.ask()
            selector.register(client.socket, selectors.EVENT_READ, client)
        until = time.monotonic() + PATIENCE
        while selector.get_map() and time.monotonic() < until:
            for key, _ in selector.select(until - time.monotonic()):
                done = key.data.read()
                if done is not False:
                    answered += done is True
                    selector.unregister(key.fileobj)
    return answered


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    clients = [Idle((host, port), http2=i % 3 == 2) for i in range(count)]
    # In portions, since these are meant to be idle rather than a burst.
    print(sum(ask_all(clients[i : i + 100]) for i in range(0, count, 100)), flush=True)
    for _ in sys.stdin:
        print(sum(ask_all(clients[i : i + 100]) for i in range(0, count, 100)), flush=True)
    for client in clients:
        client.socket.close()


if __name__ == "__main__":
    main()
