"""The Open Inference Protocol's suite: which server is judged, and by which of its models."""

import contextlib

import pytest

import oip_model
import oip_options
import oip_values
from oip_grpc import GrpcServer
from oip_http import HttpServer


def pytest_addoption(parser):
    oip_options.add_to(parser)


def pytest_configure(config):
    config.addinivalue_line("markers", "conformance(suite): counted by modelmill's scoreboard under this suite")


@pytest.fixture(scope="session")
def options(request, tmp_path_factory):
    given = oip_options.of(request.config)
    with contextlib.ExitStack() as stack:
        if not given.url:
            import oip_own_server  # what only our own repository has

            given = stack.enter_context(oip_own_server.serving(tmp_path_factory.mktemp("open_inference"), given))
        yield given


@pytest.fixture(scope="session")
def http(options):
    return HttpServer(options.url, options.headers)


@pytest.fixture(scope="session")
def grpc(options):
    if not options.grpc_url:
        pytest.skip("no --grpc-url: the protocol asks for HTTP or gRPC, not for both")
    server = GrpcServer(options.grpc_url, options.headers)
    yield server
    server.close()


@pytest.fixture(scope="session")
def models(http, options):
    """All that are asked."""
    names = options.models or oip_model.listed(http)
    assert names, "the server has no model"
    return [oip_model.described(http, name, options) for name in names]


@pytest.fixture(scope="session")
def model(models):
    """One of those that can be asked in JSON."""
    for model in models:
        if model.speaks_json and model.inputs and model.outputs:
            return model
    pytest.skip("no model has inputs and outputs that are all of types with a form in JSON")


@pytest.fixture(scope="session")
def versioned(models):
    for model in models:
        if model.versions and model.speaks_json:
            return model
    pytest.skip("no model tells versions, which servers needn't have")


@pytest.fixture
def of_type(models):
    """of_type(DATATYPE): a model with inputs and outputs of that data type alone, else with one such input."""

    def find(datatype):
        echoes = [one for one in models if one.is_echo and one.types == {datatype}]
        others = [one for one in models if any(tensor.datatype == datatype for tensor in one.inputs)]
        usable = [one for one in echoes + others if one.types <= set(oip_values.TYPES)]
        if not usable:
            pytest.skip(f"no model has an input of {datatype}")
        return usable[0]

    return find


@pytest.fixture
def binary(http):
    """Skips where the server doesn't announce the extension."""
    extensions = http.get("/v2").json().get("extensions") or []
    if "binary_tensor_data" not in extensions:
        pytest.skip("the server announces no extension binary_tensor_data")
