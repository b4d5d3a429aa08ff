"""The log's settings, changed by Triton's clients, and what the log then has."""

import json

import pytest

import clients
import models
import servers
from clients import InferenceServerException

FIRST = {
    "log_file": "",
    "log_info": True,
    "log_warning": True,
    "log_error": True,
    "log_verbose_level": 0,
    "log_format": "default",
}


@pytest.fixture(scope="module")
def logging_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logging")
    model = models.save(models.mlp(), folder / "mlp.onnx")
    with servers.serving(folder, model, "--access-log", "--log-format=json") as server:
        yield server


@pytest.fixture(params=clients.KINDS)
def log_client(request, logging_server):
    with clients.Client(request.param, logging_server.address) as client:
        yield client
        client.update_log_settings({**{name: value for name, value in FIRST.items() if name != "log_file"}})


def plain(client, answer):
    if not client.is_grpc:
        return answer
    return {name: next(iter(value.values())) for name, value in answer["settings"].items()}


def settings(client):
    return plain(client, client.get_log_settings(as_json=True) if client.is_grpc else client.get_log_settings())


def update(client, **changes):
    options = {"as_json": True} if client.is_grpc else {}
    return plain(client, client.update_log_settings(changes, **options))


def test_they_are_told(log_client):
    assert settings(log_client) == FIRST


def test_levels(log_client, logging_server):
    def asked(mark):
        """Whether a request is in the log; each has a path of its own."""
        logging_server.get(f"/v2/models/{log_client.kind}-{mark}")
        return f"/v2/models/{log_client.kind}-{mark}" in logging_server.log()

    assert asked("one")
    assert update(log_client, log_info=False) == {**FIRST, "log_info": False}
    assert not asked("two")
    assert update(log_client, log_info=True, log_verbose_level=2) == {**FIRST, "log_verbose_level": 2}
    assert asked("three")


def test_the_format(log_client, logging_server):
    def line(mark):
        path = f"/v2/models/{log_client.kind}-{mark}"
        logging_server.get(path)
        return next(line for line in logging_server.log().splitlines() if path in line)

    assert json.loads(line("a"))["event"] == "access"
    update(log_client, log_format="ISO8601")
    assert " info access " in line("b")
    update(log_client, log_format="json")
    assert json.loads(line("c"))["event"] == "access"
    with pytest.raises(InferenceServerException, match="invalid argument for log_format, got: xml"):
        update(log_client, log_format="xml")


def test_no_file_is_named_by_clients(log_client, tmp_path):
    with pytest.raises(InferenceServerException, match="log file location can not be updated through network protocol"):
        update(log_client, log_file=str(tmp_path / "log"))
    assert not (tmp_path / "log").exists()
    assert settings(log_client) == FIRST
