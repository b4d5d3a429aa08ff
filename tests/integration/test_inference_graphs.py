"""KServe's InferenceGraphs over real ONNX models: every kind of node, by V1 and V2, errors, headers, and changes."""

import collections
import gzip
import json
import re

import pytest
import tritonclient.grpc

import models
from servers import ROOT, posted, run_cli, serving, wait_until
from test_cancellation import RESET
from test_observability import of, scrape, wait_pending

ROW = [[1, 2, 3, 4]]
V1 = {"instances": ROW}
V2 = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW[0]}]}
FAILED = "Failed to process request"

GRAPHS = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: two}
spec: {predictor: {model: {modelFormat: {name: onnx}}}}
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: chain}
spec:
  nodes:
    root:
      routerType: Sequence
      steps:
      - serviceName: two
      - {serviceName: three, data: $response, mapPredictionsToInstances: true}
      - serviceUrl: http://two-predictor.default.svc.cluster.local/v1/models/two:predict
        data: $response
        mapPredictionsToInstances: true
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: both}
spec:
  nodes:
    root:
      routerType: Ensemble
      steps: [{serviceName: two, name: double}, {serviceName: three}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: soft}
spec:
  nodes:
    root:
      routerType: Ensemble
      steps: [{serviceName: two, name: good}, {serviceName: five, name: bad}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: hard}
spec:
  nodes:
    root:
      routerType: Ensemble
      steps: [{serviceName: two}, {serviceName: five, dependency: Hard}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: stops}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{serviceName: five, dependency: Hard}, {serviceName: two}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: goes-on}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{serviceName: five}, {serviceName: two, data: $request}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: choice}
spec:
  nodes:
    root:
      routerType: Switch
      steps:
      - {serviceName: two, condition: '[@this].#(source==client)'}
      - {nodeName: further, condition: 'instances.#(#>3)'}
      - {serviceName: five, condition: 'instances.#(%"*red-server*")'}
    further:
      routerType: Sequence
      steps:
      - serviceName: three
      - {nodeName: share, condition: 'predictions.#(0>2)'}
    share:
      routerType: Splitter
      steps: [{serviceName: two, weight: 100}, {serviceName: five, weight: 0}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: split}
spec:
  nodes:
    root:
      routerType: Splitter
      steps: [{serviceName: two, weight: 20}, {serviceName: three, weight: 80}]
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: routed}
spec:
  nodes:
    root:
      routerType: Ensemble
      steps: [{serviceName: reader}, {serviceName: pair}]
"""

LISTING = """
models:
  - {name: two, path: two.onnx}
  - {name: three, path: three.onnx}
  - {name: five, path: five.onnx}
  - name: pair
    ensemble:
      combine: average
      members: [two, three]
routes:
  - name: reader
    split: {two: 100}
    rules: [{when: header:x-tier, is: gold, to: three}]
"""


def save_models(folder):
    models.save(models.scaled(2), folder / "two.onnx")
    models.save(models.scaled(3), folder / "three.onnx")
    models.save(models.scaled(5, ("batch", 5)), folder / "five.onnx")
    (folder / "modelmill.yaml").write_text(LISTING)


def graph(name, steps, router="Sequence"):
    return (
        f"apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {{name: {name}}}\n"
        f"spec:\n  nodes:\n    root:\n      routerType: {router}\n      steps:\n" + "".join(f"      - {s}\n" for s in steps)
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    save_models(folder)
    (folder / "graphs.yaml").write_text(GRAPHS)
    arguments = [folder / "modelmill.yaml", folder / "graphs.yaml", "--access-log", "--log-format=json"]
    with serving(folder, *arguments, env={"PROPAGATE_HEADERS": "^X-Tier$,Authorization"}) as server:
        yield server


def by(factor):
    return {"predictions": [[factor * x for x in ROW[0]]]}


def outputs(reply):
    return [tensor["data"] for tensor in reply["outputs"]]


def test_a_sequence(server):
    assert server.post_json("/graphs/chain", V1) == (200, by(12))
    # V2 has no such mapping: what the second step gets is the answer of the first, as it is.
    status, reply = server.post_json("/graphs/chain", V2)
    assert status == 400 and "error" in reply


def test_all_paths_lead_to_a_graph(server):
    paths = ["/graphs/both", "/graphs/both/v1/models/any:predict", "/v1/models/both:predict", "/kserve/v1/models/both:predict"]
    for path in [*paths, "/v2/models/both/infer"]:
        assert server.post_json(path, V1) == (200, {"double": by(2), "1": by(3)}), path
    status, body, headers = server.request("POST", "/", json.dumps(V1).encode(), {"Host": "both.default.example.com"})
    assert status == 200 and json.loads(body) == {"double": by(2), "1": by(3)}
    assert headers["Content-Type"] == "application/json"
    assert server.request("POST", "/", b"{}", {"Host": "none.default.example.com"})[0] == 405
    status, reply = server.post_json("/graphs/none", V1)
    assert status == 404 and "no graph named 'none'" in reply["error"]


def test_steps_speak_v2_where_the_body_does(server):
    for path in ("/graphs/both", "/v2/models/both/infer", "/v1/models/both:predict"):
        status, reply = server.post_json(path, V2)
        assert status == 200
        assert outputs(reply["double"]) == [[2, 4, 6, 8]] and outputs(reply["1"]) == [[3, 6, 9, 12]]
        assert reply["double"]["model_name"] == "two"


def test_large_bodies(server):
    rows = [[i, 0.5, 1, 2] for i in range(20_000)]
    status, reply = server.post_json("/graphs/both", {"instances": rows})
    assert status == 200
    assert reply["1"]["predictions"] == [[3 * x for x in row] for row in rows]
    status, reply = server.post_json("/graphs/chain", {"instances": rows})
    assert status == 200 and reply["predictions"][-1] == [12 * x for x in rows[-1]]


def test_dependencies(server):
    status, error = server.post_json("/kserve/v1/models/five:predict", V1)
    assert status == 400
    assert server.post_json("/graphs/soft", V1) == (200, {"good": by(2), "bad": error})
    assert server.post_json("/graphs/hard", V1) == (400, error)
    assert server.post_json("/graphs/stops", V1) == (400, error)
    assert server.post_json("/graphs/goes-on", V1) == (200, by(2))


def test_a_switch(server):
    assert server.post_json("/graphs/choice", {"source": "client", "instances": [[1, 2, 3, 4]]}) == (200, by(2))
    # Nested: three gives more than 2 in the first column only for a first value above 2/3.
    assert server.post_json("/graphs/choice", V1) == (200, by(2))
    small = {"instances": [[0.5, 2, 3, 4]]}
    assert server.post_json("/graphs/choice", small) == (200, {"predictions": [[1.5, 6, 9, 12]]})
    status, reply = server.post_json("/graphs/choice", {"instances": ["a red-server b"]})
    assert status == 400
    for body in ({"instances": [[1]]}, b"no JSON", b""):
        assert server.post_json("/graphs/choice", body) == (
            404,
            {"error": FAILED, "cause": "None of the routes matched with the switch condition"},
        )


def test_a_splitter(server):
    counts = collections.Counter(server.post_json("/graphs/split", V1)[1]["predictions"][0][0] for _ in range(400))
    assert counts.keys() == {2, 3}
    # 400 draws of one in five: 80, within six standard deviations of 8.
    assert 32 < counts[2] < 128


def test_routes_and_ensembles_are_services_and_headers_reach_them(server):
    status, reply = server.post_json("/graphs/routed", V1)
    assert status == 200 and reply == {"0": by(2), "1": by(2.5)}
    headers = {"X-Tier": "gold", "X-Other": "gold"}
    status, body, _ = server.request("POST", "/graphs/routed", json.dumps(V1).encode(), headers)
    assert status == 200 and json.loads(body)["0"] == by(3)


def test_compressed(server):
    headers = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    body = gzip.compress(json.dumps({"instances": ROW * 1000}).encode())
    status, body, headers = server.request("POST", "/graphs/both", body, headers)
    assert status == 200 and headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(body))["double"]["predictions"][999] == by(2)["predictions"][0]


def test_what_is_told_of_graphs(server):
    names = [one["name"] for one in server.get_json("/graphs")["graphs"]]
    assert names == sorted(names) and "choice" in names
    root = server.get_json("/graphs/split")["nodes"]["root"]
    assert root["routerType"] == "Splitter"
    assert [(step["model"], step["weight"]) for step in root["steps"]] == [("two", 20), ("three", 80)]
    assert server.get_json("/v1/models/split") == {"name": "split", "ready": True}
    assert server.get("/v2/models/split/ready")[0] == 200
    assert server.get("/graphs/none")[0] == 404
    server.post_json("/graphs/both", V1)
    server.post_json("/graphs/hard", V1)
    samples = scrape(server)
    assert of(samples, "modelmill_graph_requests_total", graph="both", result="success") >= 1
    assert of(samples, "modelmill_graph_requests_total", graph="hard", result="failure") >= 1
    assert of(samples, "modelmill_graph_node_requests_total", graph="both", node="root") >= 1
    assert of(samples, "modelmill_graph_latency_us_count", graph="both") >= 1
    lines = [json.loads(line) for line in server.log().splitlines() if '"access"' in line]
    assert any(line.get("path") == "/graphs/both" and line.get("status") == 200 for line in lines)


def test_a_client_that_goes_away_takes_its_steps_along(serve_gated, gate, tmp_path):
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models/graph.yaml").write_text(graph("held", ["serviceName: slow"] * 2, "Ensemble"))
    config = "instance_group { count: 1 kind: KIND_CPU }"
    server = serve_gated("slow", config)
    gate.close()
    body = json.dumps(
        {"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]}
    ).encode()

    def ask(path):
        client = server.connect()
        client.sendall(posted(path, body))
        return client

    with ask("/v2/models/slow/infer") as wanted:
        client = ask("/graphs/held")
        wait_pending(server, 2)
        client.setsockopt(*RESET)
        client.close()
        wait_pending(server, 0)
        assert of(scrape(server), "modelmill_request_cancelled_total", model="slow", reason="client gone") == 2
        gate.open()
        assert wanted.recv(12) == b"HTTP/1.1 200"


def test_files_that_change(serve, tmp_path):
    save_models(tmp_path / "models")
    server = serve(tmp_path / "models", "--model-control-mode=watch")
    assert server.get_json("/graphs") == {"graphs": []}
    file = tmp_path / "models/g.yaml"

    def put(text):
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(file)

    put(graph("g", ["serviceName: two"]))
    wait_until(lambda: server.post_json("/graphs/g", V1) == (200, by(2)), "the graph is there")
    file.write_text(graph("g", ["serviceName: three"]))
    wait_until(lambda: server.post_json("/graphs/g", V1) == (200, by(3)), "it has changed in its place")
    put(graph("g", ["serviceName: late"]))
    wait_until(lambda: "no model, route, ensemble or graph named 'late'" in server.log(), "it is refused")
    assert server.post_json("/graphs/g", V1) == (200, by(3))
    models.save(models.scaled(7), tmp_path / "late.onnx")
    listing = LISTING.replace("models:\n", f"models:\n  - {{name: late, path: {tmp_path}/late.onnx}}\n", 1)
    (tmp_path / "models/modelmill.yaml").write_text(listing)
    wait_until(lambda: server.post_json("/graphs/g", V1) == (200, by(7)), "its model has come")
    file.unlink()
    wait_until(lambda: server.post_json("/graphs/g", V1)[0] == 404, "it is gone")
    file.write_text("")
    wait_until(lambda: server.get_json("/graphs") == {"graphs": []}, "an empty file is none")
    file.write_text(graph("g", ["serviceName: two"]))
    wait_until(lambda: server.post_json("/graphs/g", V1) == (200, by(2)), "it has one in its place")


def test_graphs_lead_to_each_other_and_are_listed(serve, tmp_path):
    save_models(tmp_path / "models")
    file = tmp_path / "models/graphs.yaml"

    def put(text):
        """At once: a file without a graph would be one more change."""
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(file)

    outer = graph("outer", ["serviceName: inner", "{serviceUrl: http://inner.default.svc.cluster.local/, data: $response, mapPredictionsToInstances: true}"])
    file.write_text(outer + "---\n" + graph("inner", ["serviceName: two"]))
    server = serve(tmp_path / "models", "--model-control-mode=watch")
    assert server.post_json("/graphs/outer", V1) == (200, by(4))

    def states():
        status, index = server.post_json("/v2/repository/index", {})
        assert status == 200
        return {one["name"]: (one["state"], one.get("reason", "")) for one in index if not one.get("version")}

    assert states() == {"outer": ("READY", ""), "inner": ("READY", "")}
    assert "Inference graphs\n  inner\n  outer\n" in server.request("GET", "/")[1].decode()
    listed = run_cli("models", "--server", server.url)
    assert listed.returncode == 0, listed.stderr
    assert "outer  READY\n    kind       inference graph" in listed.stdout
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        assert client.is_model_ready("outer")
        assert client.get_model_metadata("outer").platform == "inference_graph"
        assert "outer" in [one.name for one in client.get_model_repository_index().models]

    put(outer + "---\n" + graph("inner", ["serviceName: outer"]))
    circle = "graphs lead to each other in a circle, 'outer' -> 'inner' -> 'outer'"
    wait_until(lambda: circle in server.log(), "it is refused")
    assert server.post_json("/graphs/outer", V1) == (200, by(4)), "those from before are served on"
    wait_until(lambda: "a change of it is not taken: " + circle in states()["inner"][1], "and that is told")
    put(outer + "---\n" + graph("inner", ["serviceName: two"]) + "---\n" + graph("wrong", ["serviceName: nobody"]))
    wait_until(lambda: states().get("wrong", "")[:1] == ("UNAVAILABLE",), "one that can't be taken is listed")
    assert "named 'nobody'" in states()["wrong"][1]
    assert server.post_json("/graphs/wrong", V1)[0] == 404
    refused = [one for one in server.get_json("/graphs")["graphs"] if one["name"] == "wrong"]
    assert refused[0]["state"] == "UNAVAILABLE" and "nodes" not in refused[0]
    put(outer + "---\n" + graph("inner", ["serviceName: two"]) + "---\n" + graph("two", ["serviceName: three"]))
    wait_until(lambda: "two" in [one["name"] for one in server.get_json("/graphs")["graphs"]], "a graph with a model's name is refused")
    assert "two" not in states(), "what is asked by that name is the model"
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        assert client.is_model_ready("two")
        assert client.get_model_metadata("two").inputs


@pytest.mark.parametrize(
    "text,why",
    [
        (graph("g", ["serviceName: missing"]), r"graph\.yaml:9:9: .*no model, route, ensemble or graph named 'missing'"),
        (
            graph("g", ["serviceUrl: http://other.example.com/v1/models/other:predict"]),
            "leads to 'http://other.example.com/v1/models/other:predict', but there is no model",
        ),
        (graph("two", ["serviceName: two"]), "has the name of a model"),
        (graph("g", ["{serviceName: two, weight: 90}"], "Splitter"), "are 90 together, but must be 100"),
        (graph("g", ["{serviceName: two, condition: 'a.@flatten'}"], "Switch"), "the modifier @flatten"),
        (graph("g", ["nodeName: root"]), "node 'root' leads to itself"),
        (graph("g", ["serviceName: g"]), "in a circle, 'g' -> 'g'"),
    ],
    ids=["no-model", "no-service", "name", "weights", "condition", "circle", "graphs in a circle"],
)
def test_what_cant_be_run_is_refused(tmp_path, text, why):
    save_models(tmp_path)
    (tmp_path / "graph.yaml").write_text(text)
    paths = [tmp_path / "modelmill.yaml", tmp_path / "graph.yaml"]
    result = run_cli("lint", *paths)
    assert result.returncode == 1
    assert re.search(why, result.stdout), result.stdout
    assert f"{tmp_path}/graph.yaml:" in result.stdout
    result = run_cli("serve", *paths, "--port=0")
    assert result.returncode == 1
    assert re.search(why, result.stderr), result.stderr


def test_lint_knows_graphs(tmp_path):
    save_models(tmp_path)
    (tmp_path / "graphs.yaml").write_text(GRAPHS + "  minReplicas: 1\n")
    result = run_cli("lint", tmp_path)
    assert result.returncode == 0, result.stdout
    assert "note: 'minReplicas' has no effect" in result.stdout


def test_the_example_of_the_page(tmp_path):
    """docs/inference-graphs.md's own graph can be served."""
    [text] = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/inference-graphs.md").read_text(), re.MULTILINE | re.DOTALL)
    for name in ("cat-dog", "dog-breed", "cat-breed", "sizes"):
        models.save(models.scaled(2), tmp_path / f"models/{name}.onnx")
    (tmp_path / "graph.yaml").write_text(text)
    result = run_cli("lint", tmp_path / "models", tmp_path / "graph.yaml")
    assert result.returncode == 0, result.stdout
