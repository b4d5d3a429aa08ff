"""What the server and its models say of themselves, over HTTP."""

import pytest

import oip_values
from oip_http import model_path

pytestmark = pytest.mark.conformance("Open Inference HTTP")


def test_the_server(http):
    answer = http.get("/v2")
    assert answer.status == 200, answer
    assert answer.headers.get("Content-Type", "").startswith("application/json"), answer.headers.get("Content-Type")
    said = answer.json()
    assert isinstance(said["name"], str) and said["name"]
    assert isinstance(said["version"], str) and said["version"]


def test_its_extensions(http):
    extensions = http.get("/v2").json()["extensions"]
    assert isinstance(extensions, list) and all(isinstance(one, str) for one in extensions), extensions


def check_tensors(tensors):
    names = [one["name"] for one in tensors]
    assert len(set(names)) == len(names), names
    for one in tensors:
        assert isinstance(one["name"], str) and one["name"], one
        assert one["datatype"] in oip_values.TYPES or one["datatype"] in oip_values.EXTENSIONS, one
        assert all(isinstance(size, int) and not isinstance(size, bool) and size >= -1 for size in one["shape"]), one


def test_models(http, models):
    for model in models:
        answer = http.get(model_path(model.name))
        assert answer.headers.get("Content-Type", "").startswith("application/json"), answer.headers.get("Content-Type")
        said = answer.json()
        assert said["name"] == model.name
        assert isinstance(said["platform"], str), said
        check_tensors(said["inputs"])
        check_tensors(said["outputs"])


def test_versions_are_text(http, models):
    told = {model.name: http.get(model_path(model.name)).json().get("versions") for model in models}
    if not any(told.values()):
        pytest.skip("no model tells versions, which servers needn't have")
    for name, versions in told.items():
        assert versions is None or all(isinstance(one, str) for one in versions), (name, versions)


def test_versions(http, versioned):
    for version in versioned.versions:
        answer = http.get(model_path(versioned.name, version))
        assert answer.status == 200, answer
        assert answer.json()["name"] == versioned.name


@pytest.mark.parametrize("version", ["", "1"])
def test_a_model_that_is_not_there(http, version):
    answer = http.get(model_path("no_model_of_this_name", version))
    assert answer.is_error, answer
    assert isinstance(answer.json()["error"], str) and answer.json()["error"], answer


def test_a_version_that_is_not_there(http, versioned):
    answer = http.get(model_path(versioned.name, "987654321"))
    assert answer.is_error, answer
    assert isinstance(answer.json()["error"], str) and answer.json()["error"], answer
