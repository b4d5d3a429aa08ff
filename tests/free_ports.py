"""Ports for servers that must be told theirs before they listen."""

import fcntl
import os
import pathlib
import socket
import tempfile

BLOCK = 200  # ports, which one process of tests has for itself
LEAST = 12_000


def _first_of_connections():
    """The system gives the ends of connections, and servers that ask for any port, those from here on."""
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768


class _Block:
    """Ports that neither the system nor another process of tests gives to anybody while this one runs."""

    def __init__(self):
        folder = pathlib.Path(tempfile.gettempdir()) / f"modelmill-test-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        for begin in range(LEAST, _first_of_connections() - BLOCK, BLOCK):
            self._lock = open(folder / str(begin), "w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                continue
            self._ports = range(begin, begin + BLOCK)
            self._next = 0
            return
        raise AssertionError(f"no {BLOCK} ports are free from {LEAST} on; see ip_local_port_range")

    def take(self):
        """One that nobody listens on; those that were given long ago are given again."""
        for _ in self._ports:
            port = self._ports[self._next % BLOCK]
            self._next += 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise AssertionError(f"somebody listens on all ports from {self._ports.start} to {self._ports.stop - 1}")


_block = None


def free_ports(count):
    """So many different ports."""
    global _block
    if _block is None:
        _block = _Block()
    return [_block.take() for _ in range(count)]
