"""CloudEvents at the paths of KServe's V1 protocol, as Knative delivers them to a model and takes its answers."""

import json
import uuid

import pytest

import models

ROW = [1.0, 2.0, 3.0, 4.0]
ABOUT = {"specversion": "1.0", "id": "36077800", "source": "https://example.com/events", "type": "com.example.sampletype"}


@pytest.fixture
def model(tmp_path):
    return models.save(models.scaled(2), tmp_path / "double.onnx")


def binary(server, path, body, **more):
    headers = {"content-type": "application/json", **{f"ce-{name}": value for name, value in {**ABOUT, **more}.items()}}
    return server.request("POST", path, json.dumps(body).encode(), headers)


def structured(server, path, event):
    return server.request("POST", path, json.dumps(event).encode(), {"content-type": "application/cloudevents+json"})


def test_both_modes(serve, model):
    server = serve(model)
    for root in ("/v1", "/kserve/v1"):
        status, body, headers = binary(server, f"{root}/models/double:predict", {"instances": [ROW]})
        assert status == 200 and json.loads(body) == {"predictions": [[2, 4, 6, 8]]}
        assert headers["ce-specversion"] == "1.0" and headers["ce-type"] == "io.kserve.inference.response"
        assert headers["ce-source"] == "io.kserve.inference.double" and headers["ce-time"]
        assert uuid.UUID(headers["ce-id"]).version == 4
        status, body, headers = structured(server, f"{root}/models/double:predict", {**ABOUT, "data": {"instances": [ROW]}})
        answer = json.loads(body)
        assert status == 200 and headers["content-type"] == "application/cloudevents+json"
        assert answer["data"] == {"predictions": [[2, 4, 6, 8]]} and answer["source"] == "io.kserve.inference.double"
        large = json.dumps({**ABOUT, "data": {"instances": [ROW]}}) + " " * 200_000  # more than a loop reads
        status, body, _ = server.request(
            "POST", f"{root}/models/double:predict", large.encode(), {"content-type": "application/cloudevents+json"}
        )
        assert status == 200 and json.loads(body)["data"] == {"predictions": [[2, 4, 6, 8]]}
    assert "ce-id" not in binary(server, "/tfserving/v1/models/double:predict", {"instances": [ROW]})[2]
    status, body, headers = binary(server, "/v1/models/none:predict", {"instances": [ROW]})
    assert status == 404 and "ce-id" not in headers and "none" in json.loads(body)["error"]


def test_the_environment_says_of_it_what_it_says_there(serve, model):
    server = serve(model, env={"CE_SOURCE": "mine", "CE_TYPE": "answered", "CE_MERGE": "True"})
    headers = binary(server, "/v1/models/double:predict", {"instances": [ROW]}, tenant="blue")[2]
    assert (headers["ce-source"], headers["ce-type"], headers["ce-tenant"]) == ("mine", "answered", "blue")
    assert headers["ce-id"] != ABOUT["id"]
