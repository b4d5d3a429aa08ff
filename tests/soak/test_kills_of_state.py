"""A server that is killed while clients set labels and defaults, load and unload. What a call has been answered for is
so again at the next start; of the one call that was on its way, either what was before it or what it asked for."""

import contextlib
import copy
import http.client
import json
import random
import threading
import time

import pytest
from changing_models import predict, served_versions, write_version
from kill_loop import Victim, kill_again_and_again
from servers import wait_until

KILLS = 70
CHANGING_SECONDS = 0.3  # within which the server is killed
VERSIONS = (1, 2, 3)
LABELS = ("stable", "canary")
LOADED = ("n", "o")


class Client(threading.Thread):
    """Makes one call after the other until the server is gone. `known` is what has been answered, `asked` what it is
    with the call that got no answer."""

    def __init__(self, server, known, chance):
        super().__init__()
        self.server, self.chance = server, chance
        self.known, self.asked = known, copy.deepcopy(known)
        self.calls, self.failure = 0, None

    def call(self):
        """(method, path, body) of a call, which `self.asked` then has."""
        raise NotImplementedError

    def run(self):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            while not self.failure:
                self.asked = copy.deepcopy(self.known)
                method, path, body = self.call()
                connection.request(method, path, json.dumps(body))
                reply = connection.getresponse()
                text = reply.read()
                if reply.status != 200:
                    self.failure = f"{method} {path} {body}: {reply.status} {text!r}"
                self.known = self.asked
                self.calls += 1


class Labels(Client):
    """{"labels": ..., "default_version": ...} of model m."""

    def call(self):
        version = self.chance.choice(VERSIONS)
        if self.chance.random() < 0.25:
            unset = self.chance.random() < 0.5
            self.asked["default_version"] = VERSIONS[-1] if unset else version
            return "DELETE" if unset else "PUT", "/admin/models/m/default", {"version": version}
        label = self.chance.choice(LABELS)
        if label in self.asked["labels"] and self.chance.random() < 0.3:
            del self.asked["labels"][label]
            return "DELETE", f"/admin/models/m/labels/{label}", {}
        self.asked["labels"][label] = version
        return "PUT", f"/admin/models/m/labels/{label}", {"version": version}


class Loads(Client):
    """The models, besides m, that are loaded."""

    def call(self):
        model = self.chance.choice(LOADED)
        what = "unload" if model in self.asked else "load"
        self.asked ^= {model}
        return "POST", f"/v2/repository/models/{model}/{what}", {}


class Changing(Victim):
    def __init__(self, folder, chance):
        super().__init__(folder, chance)
        repository = folder / "models"
        for version in VERSIONS:
            write_version(repository, "m", version, config="version_policy { all { } }")
        for name in LOADED:
            write_version(repository, name, 1, config="")
        self.state = folder / "state"
        self.arguments = [
            repository, "--state-dir", self.state, "--model-control-mode=explicit", "--load-model=m",
        ]  # fmt: skip
        self.calls = 0
        # What may be.
        self.of_labels = [{"labels": {}, "default_version": VERSIONS[-1]}]
        self.of_loads = [set()]

    def check(self, server):
        told = server.get_json("/admin/models/m")
        labels = {"labels": told.get("labels", {}), "default_version": told["default_version"]}
        assert labels in self.of_labels, f"{labels} is none of {self.of_labels}"
        for label, version in labels["labels"].items():
            assert predict(server, f"m/versions/{label}")[1]["y"][0] == version
        assert predict(server, "m")[1]["y"][0] == labels["default_version"]
        loaded = {name for name in LOADED if served_versions(server, name)}
        assert loaded in self.of_loads, f"{loaded} is none of {self.of_loads}"
        self.of_labels, self.of_loads = [labels], [loaded]
        super().check(server)

    def kill_changing(self, server):
        seeds = self.chance.random(), self.chance.random()
        clients = [
            Labels(server, self.of_labels[0], random.Random(seeds[0])),
            Loads(server, self.of_loads[0], random.Random(seeds[1])),
        ]
        began = time.monotonic()
        for client in clients:
            client.start()
        wait_until(lambda: all(client.calls or client.failure for client in clients), "a first call", 60)
        self.wait_within(max(0.0, CHANGING_SECONDS - (time.monotonic() - began)))
        server.kill()
        for client in clients:
            client.join()
            assert client.failure is None, client.failure
        self.of_labels, self.of_loads = [[client.known, client.asked] for client in clients]
        self.calls += sum(client.calls for client in clients)

    kills = (kill_changing,)

    def check_left(self):
        assert not list(self.state.rglob("*.corrupt"))

    def __str__(self):
        return f"{self.calls} changes"


@pytest.mark.timeout(1200)
def test_what_clients_decided_outlasts_kills(tmp_path, capsys):
    kill_again_and_again(Changing, tmp_path, KILLS, capsys)
