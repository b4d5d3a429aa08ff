"""KServe's clients, over V1 and V2."""

import json

import pytest

import client_programs
import models
import servers
from torchserve_archives import write

PROGRAM = "kserve_client_main.py"
SUMS = """
    class Sum:
        def handle(self, data, context):
            return [sum(row["data"]) for row in data]
"""
MANIFEST = {"model": {"modelName": "sums", "modelVersion": "1.0", "handler": "sums_handler.py"}, "runtime": "python"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kserve")
    write(folder / "sums/sums_handler.py", SUMS)
    write(folder / "sums/MAR-INF/MANIFEST.json", json.dumps(MANIFEST))
    models.save(models.mlp(), folder / "mlp.onnx")
    yaml = write(folder / "modelmill.yaml", f"""
        models:
          - path: {folder}/mlp.onnx
          - path: {folder}/sums
            parameters: {{service_envelope: kserve}}
    """)
    graph = write(folder / "graph.yaml", """
        apiVersion: serving.kserve.io/v1alpha1
        kind: InferenceGraph
        metadata: {name: chain}
        spec:
          nodes:
            root:
              routerType: Sequence
              steps:
              - {nodeName: both, name: first}
              - {serviceName: sums, condition: none}
            both:
              routerType: Ensemble
              steps: [{serviceName: mlp, name: one}, {serviceName: mlp, name: other}]
    """)
    with servers.serving(folder, yaml, graph) as server:
        yield client_programs.results(PROGRAM, server.address)


def by_client(check):
    client = "InferenceGRPCClient" if check.startswith("grpc_") else "InferenceRESTClient"
    return pytest.param(check, marks=pytest.mark.conformance(f"kserve {client}"))


@pytest.mark.parametrize("check", map(by_client, client_programs.checks(PROGRAM)))
def test_client(results, check):
    assert results[check] == ""
