"""Ensembles of real ONNX models against numpy: Triton's, pipelines and combinations, while members come and go."""

import concurrent.futures
import json
import threading

import clients
import models
import numpy as np
import onnx
import pytest
import servers
from changing_models import control, replace_file, served_versions, states, write_version

RNG = np.random.default_rng(5)
X = RNG.standard_normal((3, 4)).astype(np.float32)


def affine(factor, offset, names=("x", "y")):
    """y = factor * x + offset, rows of four."""
    source, result = names
    nodes = [
        onnx.helper.make_node("Mul", [source, "factor"], ["scaled"]),
        onnx.helper.make_node("Add", ["scaled", "offset"], [result]),
    ]
    constants = {"factor": np.float32(factor), "offset": np.float32(offset)}
    return models.model(
        "affine",
        nodes,
        [models.value(source, "FP32", ("batch", 4))],
        [models.value(result, "FP32", ("batch", 4))],
        constants,
    )


def classifier(weights):
    """Probabilities of three classes, and as `label` the class."""
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "weights"], ["logits"]),
        onnx.helper.make_node("Softmax", ["logits"], ["p"], axis=-1),
        onnx.helper.make_node("ArgMax", ["p"], ["label"], axis=-1, keepdims=0),
    ]
    return models.model(
        "classifier",
        nodes,
        [models.value("x", "FP32", ("batch", 4))],
        [models.value("p", "FP32", ("batch", 3)), models.value("label", "INT64", ("batch",))],
        {"weights": weights},
    )


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def step(model, inputs, outputs, version=-1):
    def maps(key, names):
        return " ".join(f"{key} {{ key: '{k}' value: '{v}' }}" for k, v in names.items())

    return (
        f"{{ model_name: '{model}' model_version: {version} {maps('input_map', inputs)} {maps('output_map', outputs)} }}"
    )


def ensemble_config(steps, more=""):
    return f"platform: 'ensemble' {more} ensemble_scheduling {{ step [ {', '.join(steps)} ] }}"


def tensors(inputs, outputs, batch=8):
    def one(kind, names):
        return " ".join(f"{kind} {{ name: '{name}' data_type: TYPE_FP32 dims: [ 4 ] }}" for name in names)

    return f"max_batch_size: {batch} {one('input', inputs)} {one('output', outputs)}"


def write_ensemble(repository, name, config):
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)


# in -> double -> middle; middle -> plus, minus; both -> together.
DIAMOND = ensemble_config(
    [
        step("together", {"a": "left", "b": "right"}, {"sum": "SUM"}),
        step("plus", {"x": "middle"}, {"y": "left"}),
        step("minus", {"x": "middle"}, {"y": "right"}),
        step("double", {"x": "IN"}, {"y": "middle"}),
    ],
    tensors(["IN"], ["SUM", "left"]),
)


def together():
    return models.model(
        "together",
        [onnx.helper.make_node("Sub", ["a", "b"], ["sum"])],
        [models.value(name, "FP32", ("batch", 4)) for name in "ab"],
        [models.value("sum", "FP32", ("batch", 4))],
    )


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    write_version(folder, "double", 1, affine(2, 0))
    write_version(folder, "plus", 1, affine(1, 10))
    write_version(folder, "minus", 1, affine(-1, 1))
    write_version(folder, "together", 1, together())
    write_ensemble(folder, "diamond", DIAMOND)
    return folder


def diamond(x):
    return (2 * x + 10) - (-2 * x + 1)


@pytest.mark.parametrize("kind", clients.KINDS)
def test_a_diamond_gives_what_numpy_does(tmp_path, repository, kind):
    with servers.serving(tmp_path, repository) as server:
        client = clients.Client(kind, server.address)
        answer = client.infer("diamond", {"IN": X})
        np.testing.assert_allclose(answer.as_numpy("SUM"), diamond(X), rtol=1e-6)
        np.testing.assert_allclose(answer.as_numpy("left"), 2 * X + 10, rtol=1e-6)
        metadata = client.json("get_model_metadata", "diamond")
        assert metadata["platform"] == "ensemble"
        assert [t["name"] for t in metadata["inputs"]] == ["IN"]
        config = client.config("diamond")
        assert config.platform == "ensemble" and len(config.ensemble_scheduling.step) == 4
        assert not config.instance_group and not config.HasField("optimization")
        assert client.is_model_ready("diamond")


def test_its_numbers_are_counted_as_those_of_a_model(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        client = clients.Client("http", server.address)
        for _ in range(5):
            client.infer("diamond", {"IN": X})
        stats = client.get_inference_statistics("diamond")["model_stats"][0]
        assert (stats["inference_count"], stats["execution_count"]) == (15, 5)
        assert stats["inference_stats"]["success"]["count"] == 5
        assert client.get_inference_statistics("plus")["model_stats"][0]["inference_count"] == 15
        metrics = server.get("/metrics")[1].decode()
        assert 'nv_inference_request_success{model="diamond",version="1"} 5' in metrics
        explained = servers.run_cli("explain", "diamond", "--server", server.url)
        assert explained.returncode == 0, explained.stderr
        assert "double (x: IN) -> (y: middle)" in explained.stdout
        status, body = server.post_json("/predict/diamond", {"IN": X.tolist()})
        assert status == 200, body
        np.testing.assert_allclose(body["SUM"], diamond(X), rtol=1e-5)


def test_only_what_is_asked_for_runs(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        status, answer = server.post_json(
            "/v2/models/diamond/infer",
            {
                "inputs": [{"name": "IN", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}],
                "outputs": [{"name": "left"}],
            },
        )
        assert status == 200, answer
        assert answer["outputs"][0]["data"] == [12, 14, 16, 18]
        client = clients.Client("http", server.address)

        def answered(model):
            return client.get_inference_statistics(model)["model_stats"][0]["inference_stats"]["success"]["count"]

        assert [answered(name) for name in ("double", "plus", "minus", "together")] == [1, 1, 0, 0]


def test_an_ensemble_that_does_not_load_says_why(tmp_path, repository):
    write_ensemble(
        repository,
        "chain",
        ensemble_config([step("double", {"x": "IN"}, {"y": "m"}), step("plus", {"x": "m"}, {"y": "OUT"}, 7)]),
    )
    write_ensemble(repository, "wrong", ensemble_config([step("double", {"z": "IN"}, {"y": "OUT"})]))
    server = servers.Server(tmp_path / "log", repository, check_ready=False)
    try:
        why = {name: reason for (name, _), (_, reason) in states(server).items()}
        assert "ensemble 'chain' depends on 'plus' whose required version 7 is not loaded" in why["chain"]
        assert "ensemble tensor IN is mapping to non-existing input z in model double" in why["wrong"]
        assert why["diamond"] == ""
        assert server.get("/v2/health/ready")[0] != 200
    finally:
        server.kill()


def test_an_error_names_the_member(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        assert control(server, "minus", "unload")[0] == 200
        client = clients.Client("http", server.address)
        servers.wait_until(lambda: not client.is_model_ready("diamond"), "the ensemble is not ready without a member")
        assert client.is_server_ready(), "a client wanted it so"
        with pytest.raises(clients.InferenceServerException) as error:
            client.infer("diamond", {"IN": X})
        assert "in ensemble 'diamond', model 'minus': " in str(error.value)
        assert error.value.status() == "503"
        assert control(server, "minus", "load")[0] == 200
        servers.wait_until(lambda: client.is_model_ready("diamond"), "the ensemble is ready again")
        np.testing.assert_allclose(client.infer("diamond", {"IN": X}).as_numpy("SUM"), diamond(X), rtol=1e-6)


def test_members_are_batched_with_everybody_elses_requests(tmp_path):
    """The member waits for eight rows: they come when those of two ensembles and its own clients are in one batch."""
    folder = tmp_path / "models"
    waits = "max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 60000000 }"
    write_version(folder, "double", 1, affine(2, 0), config=waits)
    for name in ("first", "second"):
        config = ensemble_config([step("double", {"x": "IN"}, {"y": "OUT"})], tensors(["IN"], ["OUT"]))
        write_ensemble(folder, name, config)
    asked = [("first", "IN", "OUT")] * 3 + [("second", "IN", "OUT")] * 3 + [("double", "x", "y")] * 2
    with servers.serving(tmp_path, folder) as server:

        def ask(index):
            name, source, result = asked[index]
            client = clients.Client("grpc", server.address)
            try:
                return client.infer(name, {source: X[:1] + index}).as_numpy(result)
            finally:
                client.close()

        with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(ask, range(len(asked))))
        for index, answer in enumerate(answers):
            np.testing.assert_allclose(answer, 2 * (X[:1] + index), rtol=1e-6)
        server.wait_executions(1, "double")
        assert server.stats("double")["inference_count"] == 8


def test_a_full_queue_of_a_member_fails_and_nothing_hangs(tmp_path):
    folder = tmp_path / "models"
    write_version(
        folder,
        "slow",
        1,
        models.slow(turns=3000),
        config="max_batch_size: 1 instance_group { count: 1 } "
        "dynamic_batching { default_queue_policy { max_queue_size: 1 } }",
    )
    spec = models.slow().graph.input[0]
    width = spec.type.tensor_type.shape.dim[1].dim_value
    names = (spec.name, models.slow().graph.output[0].name)
    write_ensemble(
        folder,
        "two",
        ensemble_config(
            [
                step("slow", {names[0]: "IN"}, {names[1]: "ONE"}),
                step("slow", {names[0]: "IN"}, {names[1]: "TWO"}),
                step("slow", {names[0]: "IN"}, {names[1]: "THREE"}),
            ]
        ),
    )
    x = np.zeros((1, width), np.float32)
    with servers.serving(tmp_path, folder) as server:

        def ask(_):
            client = clients.Client("grpc", server.address)
            try:
                client.infer("two", {"IN": x})
                return "ok"
            except clients.InferenceServerException as error:
                return str(error)
            finally:
                client.close()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(24)))
        failed = [answer for answer in answers if answer != "ok"]
        assert failed, "three steps at a time do not fit into a queue of one"
        assert all("in ensemble 'two', model 'slow': " in answer for answer in failed), failed[:3]


def test_a_member_changes_under_load_without_a_lost_request(tmp_path):
    folder = tmp_path / "models"
    for name, factor in (("one", 2), ("two", 3)):
        write_version(folder, name, 1, affine(factor, 0))
    write_ensemble(
        folder,
        "chain",
        ensemble_config([step("one", {"x": "IN"}, {"y": "m"}), step("two", {"x": "m"}, {"y": "OUT"})]),
    )
    with servers.serving(tmp_path, folder, "--model-control-mode=poll", "--repository-poll-secs=1") as server:
        stop, failures, seen = threading.Event(), [], set()

        def ask(kind):
            client = clients.Client(kind, server.address)
            while not stop.is_set():
                try:
                    seen.add(float(client.infer("chain", {"IN": np.ones((1, 4), np.float32)}).as_numpy("OUT")[0, 0]))
                except Exception as error:
                    failures.append(str(error))

        threads = [threading.Thread(target=ask, args=(kind,)) for kind in ("http", "grpc", "grpc")]
        for thread in threads:
            thread.start()
        try:
            for version, factor in ((2, 5), (3, 7)):
                write_version(folder, "two", version, affine(factor, 0))
                servers.wait_until(lambda v=version: served_versions(server, "two") == [str(v)], "the new version serves")
                servers.wait_until(lambda f=factor: 2.0 * f in seen, "the ensemble uses it")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert seen == {6.0, 10.0, 14.0}


WEIGHTS = [RNG.standard_normal((4, 3)).astype(np.float32) for _ in range(3)]


@pytest.fixture
def classifiers(tmp_path):
    folder = tmp_path / "votes"
    folder.mkdir()
    for name, weights in zip("abc", WEIGHTS, strict=True):
        models.save(classifier(weights), folder / f"{name}.onnx")
    (folder / "modelmill.yaml").write_text(
        """
models:
  - {path: a.onnx}
  - {path: b.onnx}
  - {path: c.onnx}
  - {name: mean, ensemble: {combine: average, members: [a, b, c]}}
  - name: weighted
    ensemble: {combine: weighted, members: [a, {model: b, weight: 2}, {model: c@1, weight: 0.5}], outputs: [p]}
  - {name: most, ensemble: {combine: max, members: [a, b, c]}}
  - {name: majority, ensemble: {combine: majority, members: [a, b, c]}}
  - {name: soft, ensemble: {combine: soft_vote, members: [a, b, c]}}
  - name: pipeline
    ensemble:
      steps:
        - {model: mean, inputs: {x: rows}, outputs: {p: scores}}
"""
    )
    return folder


def test_combinations_give_what_numpy_does(tmp_path, classifiers):
    x = RNG.standard_normal((6, 4)).astype(np.float32)
    p = np.stack([softmax(x @ weights) for weights in WEIGHTS])
    labels = p.argmax(-1)
    weights = np.array([1, 2, 0.5])[:, None, None]
    mean = p.mean(0)
    expected = {
        "mean": {"p": mean},
        "weighted": {"p": (p * weights).sum(0) / weights.sum()},
        "most": {"p": p.max(0)},
        "majority": {"label": np.array([max(labels[:, i], key=lambda v, i=i: (labels[:, i] == v).sum()) for i in range(6)])},
        "soft": {"p": mean, "label": mean.argmax(-1)},
    }
    with servers.serving(tmp_path, classifiers) as server:
        for kind in ("http", "grpc"):
            client = clients.Client(kind, server.address)
            for model, outputs in expected.items():
                answer = client.infer(model, {"x": x})
                for name, values in outputs.items():
                    np.testing.assert_allclose(answer.as_numpy(name), values, rtol=1e-5, err_msg=f"{kind} {model}")
                reply = answer.get_response(as_json=True) if client.is_grpc else answer.get_response()
                assert "ensemble_members" in json.dumps(reply["parameters"])
                assert len(client.json("get_model_metadata", model)["outputs"]) == len(outputs)
            np.testing.assert_allclose(
                client.infer("pipeline", {"rows": x}).as_numpy("scores"), mean, rtol=1e-5, err_msg="one in another"
            )


def test_a_quorum_does_without_a_member(tmp_path, classifiers):
    text = (classifiers / "modelmill.yaml").read_text()
    (classifiers / "modelmill.yaml").write_text(
        text + "  - {name: two, ensemble: {combine: average, members: [a, b, c], quorum: 2, deadline: 20s}}\n"
    )
    p = np.stack([softmax(X @ weights) for weights in WEIGHTS])
    with servers.serving(tmp_path, classifiers, "--model-control-mode=explicit", "--load-model=*") as server:
        client = clients.Client("http", server.address)
        whole = client.infer("two", {"x": X})
        np.testing.assert_allclose(whole.as_numpy("p"), p.mean(0), rtol=1e-5)
        assert whole.get_response()["parameters"]["ensemble_members"] == "a,b,c"
        assert control(server, "b", "unload")[0] == 200
        less = client.infer("two", {"x": X})
        np.testing.assert_allclose(less.as_numpy("p"), p[[0, 2]].mean(0), rtol=1e-5)
        assert less.get_response()["parameters"]["ensemble_members"] == "a,c"
        assert less.get_response()["parameters"]["ensemble_missing"] == "b"
        assert control(server, "c", "unload")[0] == 200
        with pytest.raises(clients.InferenceServerException, match="2 of 3 members have failed, and the quorum is 2"):
            client.infer("two", {"x": X})


def test_lint_tells_what_is_wrong(tmp_path, classifiers):
    good = servers.run_cli("lint", classifiers)
    assert good.returncode == 0, good.stdout + good.stderr
    shown = servers.run_cli("lint", "--effective", classifiers)
    assert "ensemble: {combine: soft_vote, members: [a, b, c]}" in shown.stdout
    (classifiers / "modelmill.yaml").write_text(
        "models:\n"
        "  - {path: a.onnx}\n"
        "  - {name: e, ensemble: {combine: average, members: [a, nobody]}}\n"
        "  - {name: f, ensemble: {combine: average, members: [a, a]}}\n"
    )
    bad = servers.run_cli("lint", classifiers)
    assert bad.returncode != 0
    text = bad.stdout + bad.stderr
    assert "ensemble 'e' has the member 'nobody', but there is no model of that name" in text
    assert "'a' is a member twice" in text


def test_a_member_with_other_content_is_used_at_once(tmp_path, classifiers):
    with servers.serving(tmp_path, classifiers) as server:
        client = clients.Client("http", server.address)
        before = client.infer("mean", {"x": X}).as_numpy("p")
        replace_file(classifier(WEIGHTS[0] * 5), classifiers / "a.onnx")
        expected = np.stack([softmax(X @ w) for w in (WEIGHTS[0] * 5, WEIGHTS[1], WEIGHTS[2])]).mean(0)
        assert not np.allclose(before, expected)
        servers.wait_until(
            lambda: np.allclose(client.infer("mean", {"x": X}).as_numpy("p"), expected, rtol=1e-4),
            "the ensemble gives what the new member does",
        )
