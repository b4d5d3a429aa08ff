"""Clients that keep asking a model whose versions change under them, and check each answer against the version that it
names: version N of the model multiplies by N (models.scaled(N))."""

import contextlib
import http.client
import json
import threading
import time

ROWS = [[1.0, 2.0, 3.0, 4.0]]
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROWS}]})


class SwapLoad:
    """`clients` threads, each on a connection of its own. Failures are texts; latencies are seconds, by thread.

    A client asks again when it has its answer; with a `rate`, of requests a second of all clients together, when its
    turn comes, if that is later: turns that it was late for are left out."""

    def __init__(self, server, model, clients=8, rate=None):
        self.server, self.model = server, model
        self.interval = clients / rate if rate else 0.0  # seconds between a client's turns
        self.failures, self.versions = [], set()
        self.latencies = [[] for _ in range(clients)]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(times, one / clients)) for one, times in enumerate(self.latencies)
        ]

    def _ask(self, connection):
        connection.request("POST", f"/v2/models/{self.model}/infer", BODY, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            return f"{reply.status} {text[:300]!r}"
        answer = json.loads(text)
        version = int(answer["model_version"])
        expected = [version * value for value in ROWS[0]]
        if answer["outputs"][0]["data"] != expected:
            return f"version {version} answered {answer['outputs'][0]['data']}"
        self.versions.add(version)
        return None

    def _run(self, times, share):
        """`share`: of the interval, after which the client's first turn is."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        turn = time.perf_counter() + share * self.interval
        with contextlib.closing(connection):
            while not self._stop.wait(max(0.0, turn - time.perf_counter())):
                start = time.perf_counter()
                try:
                    failure = self._ask(connection)
                except (OSError, http.client.HTTPException) as error:
                    failure = repr(error)
                times.append(time.perf_counter() - start)
                if failure:
                    self.failures.append(failure)
                    return
                turn = max(turn + self.interval, time.perf_counter())

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def requests(self):
        return sum(map(len, self.latencies))


def sustained_rate(server, model, clients, seconds):
    """Requests a second that so many clients get answered, each of which asks again at once."""
    load = SwapLoad(server, model, clients)
    began = time.perf_counter()
    with load:
        time.sleep(seconds)
    took = time.perf_counter() - began
    assert load.failures == []
    return load.requests() / took
