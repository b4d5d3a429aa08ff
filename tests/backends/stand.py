"""What a kit's tests stand on: its models in a repository, a server that has them, and the framework beside it."""

import contextlib
import hashlib
import pathlib
import pickle
import shutil
import subprocess

import framework_main
import servers
from clients import Client
from kit import made_folder

FOLDER = pathlib.Path(__file__).parent
BATCHING = "max_batch_size: 64\ninstance_group [ { count: 1 } ]\ndynamic_batching { max_queue_delay_microseconds: 20000 }\n"
ONE_BY_ONE = "max_batch_size: 0\ninstance_group [ { count: 1 } ]\n"


class FrameworkProcess:
    """framework_main.py in the kit's Python; ends with close()."""

    def __init__(self, kit):
        self._process = subprocess.Popen(
            [kit.python, FOLDER / "framework_main.py", f"{kit.backend}_side"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=servers.environment(),
        )  # fmt: skip

    def _call(self, command, *arguments):
        pickle.dump((command, arguments), self._process.stdin)
        self._process.stdin.flush()
        outcome, result = pickle.load(self._process.stdout)
        assert outcome == "ok", f"{command} in the framework's Python:\n{result}"
        return result

    def make(self, folder):
        self._call("make", str(folder))

    def answers(self, folder, requests):
        encoded = self._call("answer", str(folder), [framework_main.encode(arrays) for arrays in requests])
        return [framework_main.decode(outputs) for outputs in encoded]

    def loads(self, folder, arrays, settled, count):
        return self._call("loads", str(folder), framework_main.encode(arrays), settled, count)

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


def make_models(kit):
    """The folder with what the framework made; kept from run to run while the module that makes it is the same."""
    sources = [FOLDER / "kits" / f"{kit.backend}_side.py", servers.ROOT / "tests/models.py"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = made_folder(kit) / digest
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        making = folder.parent / "making"
        making.mkdir(parents=True)
        with contextlib.closing(FrameworkProcess(kit)) as framework:
            framework.make(making)
        making.rename(folder)
    return folder


def config_of(kit, model):
    more = BATCHING if "batches" in model.roles else ONE_BY_ONE if {"slow", "long"} & {*model.roles} else ""
    return f'backend: "{kit.backend}"\n{more}{model.config}\n'


def put(made, model, folder, config=None):
    """A model of make_models() with its only version, and a config.pbtxt."""
    shutil.copytree(made / model, folder)
    if config is not None:
        (folder / "config.pbtxt").write_text(config)
    return folder


def answer(server, model, inputs):
    status, reply = server.post_json(f"/predict/{model}", inputs)
    assert status == 200, reply
    return reply


class Stand:
    """Made once for all tests of a kit. The server has every model, in Triton's layout."""

    def __init__(self, kit, folder):
        self.kit = kit
        self.folder = folder
        self.repository = folder / "models"
        made = make_models(kit)
        for model in kit.models:
            shutil.copytree(made / model.name, self.repository / model.name)
            (self.repository / model.name / "config.pbtxt").write_text(config_of(kit, model))
        self.framework = FrameworkProcess(kit)
        self.server = servers.Server(folder / "server", self.repository, env=kit.environment())

    def version_folder(self, model):
        return self.repository / model.name / "1"

    def answers(self, model, requests):
        """What the framework itself answers to each of `requests`."""
        return self.framework.answers(self.version_folder(model), requests)

    def client(self, kind="grpc", server=None):
        return contextlib.closing(Client(kind, (server or self.server).address))

    def ask(self, client, model, arrays, **options):
        """{output: array} of the server."""
        result = client.infer(model.name, arrays, **options)
        return {name: result.as_numpy(name) for name in model.outputs}

    def close(self):
        try:
            self.server.assert_alive()
            self.server.stop()
        finally:
            self.server.kill()
            self.framework.close()
