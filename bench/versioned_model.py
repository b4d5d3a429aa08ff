"""A server whose models come and go as clients say, and a model there whose versions are swapped."""

import http.client
import json
import os
import shutil
import threading
import time

import numpy as np
import onnx
from plain_call import call
from processes import Process

# All versions have as many digits, however many swaps there are, so that all answers have as many bytes.
FIRST_VERSION = 100_001


def explicit_server(bench, name, repository, *arguments):
    """With V2's explicit control; what is loaded at the start is in `arguments`."""
    return Process(
        "modelmill",
        [bench.build / "modelmill", "serve", repository, "--port", 0, "--io-threads", 2, "--log-level", "warning",
         "--model-control-mode=explicit", *arguments],
        bench.folder / f"{name}.log",
    )  # fmt: skip


def control(server, model, what):
    """Loads or unloads a model, and says how many ms it took."""
    began = time.perf_counter()
    status, text = call(server.url, "POST", f"/v2/repository/models/{model}/{what}", b"")
    if status != 200:
        raise RuntimeError(f"{what} of '{model}': {status} {text[:500]!r}")
    return (time.perf_counter() - began) * 1000


def check_served(server, model):
    """A VersionedModel's last version, and no other."""
    _, text = call(server.url, "GET", f"/v2/models/{model.name}")
    versions = json.loads(text)["versions"]
    if versions != [str(model.version)]:
        raise RuntimeError(f"'{model.name}' has versions {versions}, not {model.version} alone")


def save_scaled(file, factor, path):
    """The model of `file` with `factor` times its outputs."""
    model = onnx.load(file)
    graph = model.graph
    names = {output.name: f"{output.name}.before_scaling" for output in graph.output}
    for node in graph.node:
        for tensors in (node.input, node.output):
            for i, name in enumerate(tensors):
                tensors[i] = names.get(name, name)
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32(factor), "scaling"))
    for name, inner in names.items():
        graph.node.append(onnx.helper.make_node("Mul", [inner, "scaling"], [name]))
    onnx.save(model, path)


class VersionedModel:
    """A model's folder, of which the latest version is served. Its versions have as many different contents as
    `variants` says, in turn; of several, each answers with a factor of its own (factor_of) times what the model does,
    whose outputs are FP32 then."""

    def __init__(self, repository, name, file, variants=1):
        self.repository = repository
        self.name = name
        self.version = FIRST_VERSION - 1
        self.served = 0  # the last version whose load has been answered
        self.files = [repository.parent / f"{name}.{variant}.onnx" for variant in range(variants)]
        (repository / name).mkdir(parents=True)
        for variant, path in enumerate(self.files):
            if variants == 1:
                shutil.copyfile(file, path)
            else:
                save_scaled(file, 2**variant, path)
        (repository / name / "config.pbtxt").write_text("version_policy { latest { num_versions: 1 } }\n")
        self.add_version()

    def _variant(self, version):
        return (version - FIRST_VERSION) % len(self.files)

    def factor_of(self, version):
        """A power of two, of which products are exact."""
        return 2 ** self._variant(version)

    def add_version(self):
        """A folder that is there at once, whole."""
        self.version += 1
        making = self.repository.parent / f"making-{self.name}"
        making.mkdir()
        os.link(self.files[self._variant(self.version)], making / "model.onnx")
        making.rename(self.repository / self.name / str(self.version))

    def swap(self, server):
        """The next version in the place of the last one, whose folder goes; ms of the load."""
        self.add_version()
        took = control(server, self.name, "load")
        self.served = self.version
        shutil.rmtree(self.repository / self.name / str(self.version - 1))
        return took


class Swapping:
    """Swaps a model's versions while a block runs, one after the other, and loads and unloads another model between
    them. Two swaps begin at least `interval` seconds apart."""

    def __init__(self, server, model, other, interval):
        self.server, self.model, self.other, self.interval = server, model, other, interval
        self.load_ms = []
        self._failure = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self.load_ms.append(self.model.swap(self.server))
                control(self.server, self.other, "load")
                control(self.server, self.other, "unload")
                self._stop.wait(max(0.0, began + self.interval - time.monotonic()))
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            self._failure = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self._thread.join()
        if self._failure and kind is None:
            raise self._failure
