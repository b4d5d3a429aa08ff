"""Servers that tests share: one for each set of models, started when first used and stopped at the end."""

import contextlib

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

import clients
import models
import repositories
import servers


def pytest_collection_modifyitems(config, items):
    if not servers.binary().exists():
        pytest.exit(f"{servers.binary()} is not built; MODELMILL_BUILD names another build folder", returncode=2)


def _serve(tmp_path_factory, name, make_arguments):
    folder = tmp_path_factory.mktemp(name)
    with servers.serving(folder, *make_arguments(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def main_server(tmp_path_factory):
    """repositories.main_repository() and a plain file, `mlp`."""
    yield from _serve(
        tmp_path_factory,
        "main",
        lambda folder: [
            repositories.main_repository(folder / "models"),
            models.save(models.mlp(), folder / "mlp.onnx"),
            "--log-format=json",
            "--access-log",
            "--allow-client-shm=/",
        ],
    )


@pytest.fixture(params=clients.KINDS)
def client(request, main_server):
    client = clients.Client(request.param, main_server.address)
    yield client
    client.close()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    """Real models out of packages, as single files."""
    yield from _serve(tmp_path_factory, "real", lambda folder: repositories.real_models(folder / "models"))


@pytest.fixture(scope="session")
def betrayer_server(tmp_path_factory):
    """Models that look as if they could be batched, as single files without a word of configuration."""
    yield from _serve(tmp_path_factory, "betrayers", lambda folder: repositories.betrayers(folder / "models"))


@pytest.fixture
def serve(tmp_path):
    """serve(*arguments) starts a server of the test's own."""
    with contextlib.ExitStack() as stack:
        count = 0

        def start(*arguments, **options):
            nonlocal count
            count += 1
            server = servers.Server(tmp_path / f"server{count}", *arguments, **options)
            stack.callback(server.kill)
            return server

        yield start


@pytest.fixture
def gate(tmp_path):
    """What holds up the executions of gated models while the test has it closed."""
    gate = repositories.Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def serve_gated(serve, tmp_path, gate):
    """serve_gated(name, config) starts a server with one model that begins when it likes and ends when `gate` is open."""

    def start(name, config, backend="gate"):
        repositories.add_gated_identity(tmp_path / "models", name, gate, config, backend)
        folder = servers.build_dir() / "test_backends/server"
        return serve(tmp_path / "models", "--backend-directory", folder)

    return start


@pytest.fixture
def stub(slow):
    """Calls of the module's own server, `slow`."""
    with grpc.insecure_channel(slow.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)
