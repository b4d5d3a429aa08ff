"""Every runtime at once in one process, under load: their libraries' inner symbols, threads and memory do not meet.

A model of each runtime is asked by all clients all the time, and each answer is compared with the framework's own,
while a second model of one runtime after another comes and goes."""

import concurrent.futures
import contextlib
import importlib
import pathlib
import shutil
import threading

import pytest

import servers
from changing_models import control
from clients import Client
from kit import assert_close
from stand import FrameworkProcess, config_of, make_models

MODELS = {
    "onnxruntime": ["mlp"],
    "openvino": ["mlp"],
    "tensorflow": ["mlp"],
    "pytorch": ["mlp", "packed"],
    "xgboost": ["regression"],
    "lightgbm": ["regression"],
    "python": ["mlp"],
}
KITS = [importlib.import_module(f"kits.{backend}").KIT for backend in MODELS]
LIBRARIES = (
    "libonnxruntime.so", "libopenvino_c.so", "libtensorflow_cc.so",
    "libtorch_cpu.so", "libxgboost.so", "lib_lightgbm.so",
)  # fmt: skip
CLIENTS = 16
TURNS, MOST_TURNS = 40, 5000  # of each client; it goes on until every second model has come and gone
SIZES = ((1,), (2,), (5,))


class Served:
    """A model that stays, `name`, and the same again that comes and goes, `visitor`."""

    def __init__(self, kit, model):
        self.kit, self.model = kit, model
        self.name = f"{kit.backend}_{model.name}"
        self.visitor = f"{self.name}_again"
        self.requests = [model.draw(sizes, seed) for seed, sizes in enumerate(SIZES)]
        self.expected = []

    def put(self, repository):
        made = make_models(self.kit) / self.model.name
        for name in (self.name, self.visitor):
            shutil.copytree(made, repository / name)
            (repository / name / "config.pbtxt").write_text(config_of(self.kit, self.model))

    def check(self, client, name, turn):
        index = turn % len(self.requests)
        result = client.infer(name, self.requests[index])
        answer = {output: result.as_numpy(output) for output in self.model.outputs}
        assert_close(self.model, answer, self.expected[index], f"{name}, request {turn}")


def frameworks_answer(repository, kit, served):
    """What the frameworks themselves answer, each in a process of its own."""
    with contextlib.closing(FrameworkProcess(kit)) as framework:
        for one in served:
            one.expected = framework.answers(repository / one.name / "1", one.requests)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """(the repository, what is in it, the environment that leads to all runtimes)"""
    kits = {kit.backend: kit for kit in KITS}
    written = {path.stem for path in (pathlib.Path(__file__).parent / "kits").glob("*.py")}
    written = {name for name in written if not name.endswith("_side")}
    assert written == set(kits), "every backend that has a kit takes part"
    for kit in KITS:
        if not kit.python.exists() or kit.runtime_path() is None:
            pytest.fail(f"{kit.runtime} is not installed in {kit.venv}: run tools/setup test")
    repository = tmp_path_factory.mktemp("all") / "models"
    served = [Served(kits[backend], kits[backend].model(name)) for backend, names in MODELS.items() for name in names]
    for one in served:
        one.put(repository)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tasks = [
            pool.submit(frameworks_answer, repository, kit, [one for one in served if one.kit is kit]) for kit in KITS
        ]
        for task in tasks:
            task.result()
    environment = {name: value for kit in KITS for name, value in kit.environment().items()}
    return repository, served, environment


def come_and_go(server, served, failed):
    """Loads, asks and unloads the second model of each; gives up when a client has failed."""
    with contextlib.closing(Client("grpc", server.address)) as client:
        for one in served:
            if failed.is_set():
                return
            assert control(server, one.visitor, "load") == (200, ""), one.visitor
            for turn in range(len(SIZES)):
                one.check(client, one.visitor, turn)
            assert control(server, one.visitor, "unload") == (200, ""), one.visitor


def test_all_runtimes_in_one_process_under_load(everything, tmp_path):
    repository, served, environment = everything
    with servers.serving(tmp_path, repository, "--model-control-mode=explicit", env=environment) as server:
        for one in served:
            assert control(server, one.name, "load") == (200, ""), one.name
        changed, failed = threading.Event(), threading.Event()

        def work(number):
            with contextlib.closing(Client("http" if number % 2 else "grpc", server.address)) as client:
                turn = 0
                while turn < TURNS or (turn < MOST_TURNS and not changed.is_set()):
                    one = served[(number + turn) % len(served)]
                    try:
                        one.check(client, one.name, number + turn // len(served))
                    except BaseException:
                        failed.set()
                        raise
                    turn += 1
                return turn

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(work, number) for number in range(CLIENTS)]
            try:
                come_and_go(server, served, failed)
            finally:
                changed.set()
            turns = [client.result() for client in clients]
        assert min(turns) >= TURNS
        with open(f"/proc/{server.process.pid}/maps") as maps:
            loaded = maps.read()
        assert [name for name in LIBRARIES if name not in loaded] == [], "all of them are in this one process"
        for one in served:
            assert server.executions(one.name) > 0
        assert control(server, served[0].name, "unload") == (200, "")
        with contextlib.closing(Client("grpc", server.address)) as client:
            for one in served[1:]:
                one.check(client, one.name, 0)
