"""Requests that schemathesis makes of two OpenAPI documents: the server's own, and the Open Inference Protocol's in our words."""

import json

import pytest
from onnx import helper

import made_requests
import models
import servers
from scoreboard import cases

PROTOCOL = servers.ROOT / "tests/conformance/open_inference/open_inference.json"
PYTHON = """
from typing import NamedTuple

import modelmill
import numpy as np


class Answer(NamedTuple):
    embedding: modelmill.Tensor[np.float32, 2]


@modelmill.model(batch=64)
def lengths(text: str) -> Answer:
    return Answer(np.array([[len(one), len(one.encode())] for one in text], np.float32).reshape(-1, 2))
"""
CONFIG = """
schema_version: 1
models:
  - {{path: {folder}/echo.onnx}}
  - {{path: {folder}/texts.onnx}}
  - {{path: {folder}/pair.onnx}}
  - {{path: {folder}/spare.onnx}}
  - {{path: {folder}/lengths.py}}
  - name: pipeline
    ensemble:
      steps:
        - model: lengths
          inputs: {{text: text}}
          outputs: {{embedding: embedding}}
routes:
  - {{name: route, split: {{echo: 100}}}}
"""
GRAPH = """
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: chain}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{serviceName: echo, name: first}]
"""
# What stands in paths: names that there are, and one that there is not. What is taken away is a model of its own.
SERVED, SPARE = ["echo", "texts", "pair", "lengths", "pipeline", "nobody"], ["spare", "nobody"]
NAMES = {
    "model": SERVED,
    "version": ["1", "2"],
    "file": ["grpc_service.proto", "none.proto"],
    "region": ["region"],
    "graph": ["chain", "nobody"],
    "workflow": ["nobody"],
    "label": ["stable"],
    "route": ["route", "nobody"],
    "rollout": ["route", "nobody"],
    "experiment": ["route", "nobody"],
    "ensemble": ["pipeline", "nobody"],
    "post /v2/repository/models/{model}/load model": SPARE,
    "post /v2/repository/models/{model}/unload model": SPARE,
    "delete /models/{model} model": SPARE,
    "put /models/{model} model": SPARE,
    "put /models/{model}/{version}/set-default model": SPARE,
    "put /admin/models/{model}/labels/{label} model": SPARE,
    "delete /admin/models/{model}/labels/{label} model": SPARE,
    "put /admin/models/{model}/default model": SPARE,
    "delete /admin/models/{model}/default model": SPARE,
    "put /admin/routes/{route} route": ["made", "nobody"],
    "delete /admin/routes/{route} route": ["made", "nobody"],
}

pytestmark = pytest.mark.timeout(900)


def texts():
    return models.model(
        "texts",
        [helper.make_node("Identity", ["x"], ["y"])],
        [models.value("x", "BYTES", ("batch",))],
        [models.value("y", "BYTES", ("batch",))],
    )


@pytest.fixture
def server(tmp_path):
    for name, proto in (("echo", models.identity()), ("texts", texts()), ("pair", models.add_sub()), ("spare", models.scaled(2))):
        models.save(proto, tmp_path / f"{name}.onnx")
    (tmp_path / "lengths.py").write_text(PYTHON)
    (tmp_path / "modelmill.yaml").write_text(CONFIG.format(folder=tmp_path).lstrip())
    (tmp_path / "graph.yaml").write_text(GRAPH)
    arguments = [tmp_path / "modelmill.yaml", tmp_path / "graph.yaml", "--model-control-mode=explicit", "--load-model=*"]
    with servers.serving(tmp_path, *arguments, "--access-log") as server:
        yield server


def check(found, expected, record_property):
    wrong = {operation: text for operation, text in found.items() if text}
    record_property("cases", cases(len(found) - len(wrong), list(wrong)))
    assert set(found) == expected, "operations that were not asked, or that are not in the document"
    assert not wrong, "\n\n".join(f"--- {operation}\n{text[:3000]}" for operation, text in wrong.items())


@pytest.mark.conformance("schemathesis, our OpenAPI")
def test_our_own_description(server, tmp_path, record_property):
    document = made_requests.with_names(server.get_json("/openapi.json"), NAMES)
    found = made_requests.ask(server.url, document, tmp_path / "schemathesis")
    server.assert_alive()
    check(found, made_requests.operations(document), record_property)


@pytest.mark.conformance("schemathesis, Open Inference")
def test_the_protocols_description(server, tmp_path, record_property):
    document = json.loads(PROTOCOL.read_text())
    document["components"]["parameters"]["model"]["schema"] = {"type": "string", "enum": SERVED}
    document["components"]["parameters"]["version"]["schema"] = {"type": "string", "enum": NAMES["version"]}
    found = made_requests.ask(server.url, document, tmp_path / "schemathesis")
    server.assert_alive()
    check(found, made_requests.operations(document), record_property)


def test_it_finds_what_is_wrong(server, tmp_path):
    """So that a run that finds nothing means something: a description that says otherwise than the server does."""
    document = json.loads(PROTOCOL.read_text())
    ready = {"description": "", "content": {"application/json": {"schema": {"type": "object", "required": ["no_such_member"]}}}}
    document["paths"] = {"/v2": {"get": {"operationId": "metadata", "responses": {"200": ready}}}}
    found = made_requests.ask(server.url, document, tmp_path / "schemathesis")
    assert "no_such_member" in found["GET /v2"]
