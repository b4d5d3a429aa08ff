"""Health of the server and readiness of models, over HTTP."""

import pytest

from oip_http import model_path

pytestmark = pytest.mark.conformance("Open Inference HTTP")

NOBODY = "no_model_of_this_name"


@pytest.mark.parametrize("probe", ["live", "ready"])
def test_the_server(http, probe):
    answer = http.get(f"/v2/health/{probe}")
    assert answer.status == 200, answer


@pytest.mark.parametrize("probe", ["live", "ready"])
def test_what_the_server_says_of_itself(http, probe):
    answer = http.get(f"/v2/health/{probe}")
    if not answer.body.strip():
        pytest.skip("the answer has no body; the protocol's own OpenAPI file has none either")
    said = answer.json()
    if said == {}:
        pytest.skip("the answer is an empty object; the protocol's own OpenAPI file asks for none")
    # The protocol's text calls both of them "live".
    assert any(said.get(key) is True for key in ("live", probe)), said


def test_models_are_ready(http, models):
    for model in models:
        answer = http.get(model_path(model.name) + "/ready")
        assert answer.status == 200, (model.name, str(answer))


def test_what_a_ready_model_says(http, models):
    answer = http.get(model_path(models[0].name) + "/ready")
    if not answer.body.strip():
        pytest.skip("the answer has no body; the protocol's own OpenAPI file has none either")
    said = answer.json()
    if said == {}:
        pytest.skip("the answer is an empty object; the protocol's own OpenAPI file asks for none")
    assert said.get("name") == models[0].name and said.get("ready") is True, said


def test_versions_are_ready(http, versioned):
    for version in versioned.versions:
        answer = http.get(model_path(versioned.name, version) + "/ready")
        assert answer.status == 200, (version, str(answer))


def test_a_model_that_is_not_there_is_not_ready(http):
    answer = http.get(model_path(NOBODY) + "/ready")
    assert answer.is_error, answer


def test_a_version_that_is_not_there_is_not_ready(http, versioned):
    answer = http.get(model_path(versioned.name, "987654321") + "/ready")
    assert answer.is_error, answer
