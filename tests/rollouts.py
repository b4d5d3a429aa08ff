"""Rollouts of a model of which each version does something else, under load, and what the server says of them."""

import contextlib
import json
import threading
import time

import servers
import triton_repository

CONFIG = triton_repository.FP32_4 + " version_policy { all { } } parameters { key: \"memory_limit_mb\" value { string_value: \"400\" } }"
# Version 1 of the model m answers what it gets; the others do so too, but for what their BEHAVIOURS do: 2 is as good as 1,
# 3 fails, 4 is slow, 5 dies, 6 answers otherwise, 7 takes ever more memory, 8 much.
CODE = """
import os
import time

class TritonPythonModel:
    def execute(self, requests):
        more = 0
        {behaviour}
        x = [pb_utils.get_input_tensor_by_name(r, "x").as_numpy() for r in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", one + more)]) for one in x]
"""
HEAD = "import numpy as np\nimport triton_python_backend_utils as pb_utils\n"
BEHAVIOURS = {
    1: "time.sleep(0.002)",
    2: "time.sleep(0.002)",
    3: "raise ValueError('a bad version')",
    4: "time.sleep(0.1)",
    5: "if pb_utils.get_input_tensor_by_name(requests[0], 'x').as_numpy().flat[0] == 1: os._exit(1)",
    6: "more = 1",
    7: "globals().setdefault('kept', []).append(np.ones(20 << 17)); time.sleep(0.002)",  # 20 MiB more each time
    8: "globals().setdefault('kept', np.ones(150 << 17)); time.sleep(0.002)",
}


def write_models(folder, behaviours, config=CONFIG):
    for version, behaviour in behaviours.items():
        place = folder / "m" / str(version)
        place.mkdir(parents=True)
        (place / "model.py").write_text(HEAD + CODE.format(behaviour=behaviour))
    (folder / "m" / "config.pbtxt").write_text(f'backend: "python" {config}\n')
    return folder


def arguments(tmp_path):
    return (tmp_path / "models", f"--state-dir={tmp_path / 'state'}")


@contextlib.contextmanager
def serving(tmp_path):
    """A server of BEHAVIOURS, whose default is version 1."""
    write_models(tmp_path / "models", BEHAVIOURS)
    with servers.serving(tmp_path, *arguments(tmp_path)) as running:
        make_default(running, 1)
        yield running


def make_default(server, version):
    status, answer, _ = server.request("PUT", "/admin/models/m/default", json.dumps({"version": version}).encode())
    assert status == 200, answer


def default(server):
    return server.get_json("/admin/models/m")["default_version"]


def server_route(server):
    return server.get_json("/admin/routes/m")["route"]


def call(server, method, path="", body=None):
    data = None if body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/rollouts{path}", data)
    return status, json.loads(answer)


def start(server, to, **more):
    body = {"to": to, "from": 1, "steps": "20,50,100", "hold": "1s", "min_requests": 10, **more}
    status, answer = call(server, "POST", "/m", body)
    assert status == 200, answer
    return answer


def show(server):
    return server.get_json("/admin/rollouts/m")


def is_over(server):
    return show(server)["state"] not in ("running", "paused")


def decisions(server):
    """Oldest first."""
    return [entry["what"] for entry in reversed(call(server, "GET", "/m/history")[1]["history"])]


def without_holds(server):
    """Of tests in which it depends on the machine whether there is enough traffic at all times."""
    return [what for what in decisions(server) if what != "hold"]


class Load:
    """Requests of `m` from some clients while a block runs; what they got is counted by version."""

    def __init__(self, server, clients=6, pause=0.0):
        self.server = server
        self.pause = pause  # after each answer
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.good, self.bad, self.lost = {}, {}, 0
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self):
        body = json.dumps({"x": [1, 2, 3, 4]}).encode()
        while not self.over.is_set():
            try:
                status, _, headers = self.server.request(
                    "POST", "/predict/m", body, {"Content-Type": "application/json"}
                )
            except OSError:
                with self.lock:
                    self.lost += 1
                time.sleep(0.05)
                continue
            version = headers.get("x-served-version", "none")
            with self.lock:
                counts = self.good if status == 200 else self.bad
                counts[version] = counts.get(version, 0) + 1
            self.over.wait(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def answered(self):
        return sum(self.good.values()) + sum(self.bad.values())


def light_load(server):
    """Leaves room for copies, which come after all clients."""
    return Load(server, clients=2, pause=0.005)
