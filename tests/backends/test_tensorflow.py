"""What is TensorFlow's alone: SavedModels as they lie on disk, their signatures, tags, state and threads."""

import concurrent.futures
import functools
import json
import pathlib
import re
import shutil

import numpy as np
import pytest

import servers
from changing_models import control, served_versions
from kits.tensorflow import KIT
from repositories import parameter
from stand import answer, make_models, put
from swap_load import SwapLoad


@pytest.fixture(scope="module")
def made():
    return make_models(KIT)


def serving(tmp_path, *arguments):
    return servers.serving(tmp_path, *arguments, env=KIT.environment())


def explicit(tmp_path, models):
    """A server that has loaded nothing yet."""
    return serving(tmp_path, models, "--model-control-mode=explicit")


def load(server, *models):
    for model in models:
        assert control(server, model, "load")[0] == 200, model


def refusal(server, model):
    """Why a model can't be loaded."""
    status, text = control(server, model, "load")
    assert status >= 400, text
    return text


def test_savedmodels_are_found_as_triton_tensorflow_serving_and_nobody_lay_them_out(made, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(made / "times/1", models / "triton/1/model.savedmodel")
    shutil.copytree(made / "times/2", models / "triton_named/1/net.savedmodel")
    (models / "triton_named/config.pbtxt").write_text(
        'platform: "tensorflow_savedmodel"\ndefault_model_filename: "net.savedmodel"\n'
    )
    shutil.copytree(made / "times/3", models / "serving/0003")
    shutil.copytree(made / "times/2", models / "alone")
    shutil.copytree(made / "times/3", tmp_path / "apart.savedmodel")
    shutil.copytree(made / "times/1", tmp_path / "export")
    with serving(tmp_path, models, tmp_path / "apart.savedmodel", f"named={tmp_path / 'export'}") as server:
        for model, version, factor in (
            ("triton", 1, 1), ("triton_named", 1, 2), ("serving", 3, 3), ("alone", 1, 2), ("apart", 1, 3), ("named", 1, 1),
        ):  # fmt: skip
            assert answer(server, model, {"x": [[1, 2, 3, 4]]})["y"] == [[factor * v for v in (1, 2, 3, 4)]], model
            assert served_versions(server, model) == [str(version)]
        metadata = server.get_json("/v2/models/triton")
        assert metadata["platform"] == "tensorflow_savedmodel"
        assert server.get_json("/v2/models/triton/config")["max_batch_size"] == 64


def test_version_folders_are_swapped_under_load(made, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(made / "times/1", base / "1")
    with serving(tmp_path, base, "--model-control-mode=watch") as server:
        with SwapLoad(server, "base", clients=4) as load:
            for version in (2, 3):
                shutil.copytree(made / f"times/{version}", tmp_path / "making")
                (tmp_path / "making").rename(base / str(version))
                servers.wait_until(lambda v=version: served_versions(server, "base") == [str(v)], f"version {version}")
                servers.wait_until(lambda v=version: v in load.versions, f"an answer of version {version}")
        assert load.failures == []
        assert load.versions >= {1, 2, 3}


def test_the_signature_is_chosen_by_the_configuration(made, tmp_path):
    models = tmp_path / "models"
    put(made, "signatures", models / "default", "")
    put(made, "signatures", models / "add", parameter("TF_SIGNATURE_DEF", "add"))
    put(made, "signatures", models / "wrong", parameter("TF_SIGNATURE_DEF", "subtract"))
    put(made, "only_other", models / "other")
    with explicit(tmp_path, models) as server:
        load(server, "default", "add", "other")
        assert answer(server, "default", {"x": [[1, 2]]}) == {"y": [[2.0, 4.0]]}
        assert answer(server, "add", {"a": [1, 2], "b": [3, 4]}) == {"sum": [4, 6]}
        assert "it has no signature 'subtract'" in refusal(server, "wrong")
        assert "'add', 'classify_x', 'serving_default'" in refusal(server, "wrong")
        assert answer(server, "other", {"a": [1], "b": [3]}) == {"sum": [4]}
        assert "no signature 'serving_default'; 'add' is served" in server.log()


def test_operations_of_initialisation(made, tmp_path):
    """They are run once at loading: `nine` makes the factor 9, which is 5 in the file."""
    models = tmp_path / "models"
    dims = 'input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] } ]\n'
    init = parameter("TF_INIT_OPS_FILE", "init_ops.json")
    for name in ("plain", "outside", "inside", "unknown", "absent"):
        put(made, "tf1", models / name, dims + (init if name != "plain" else ""))
    (models / "outside/init_ops.json").write_text('{"init_ops": ["nine"]}')
    (models / "inside/init_ops.json").write_text('{"init_ops": ["unknown"]}')
    (models / "inside/1/init_ops.json").write_text('{"init_ops": ["nine"]}')
    (models / "unknown/init_ops.json").write_text('{"init_ops": ["ten"]}')
    with explicit(tmp_path, models) as server:
        load(server, "plain", "outside", "inside")
        assert answer(server, "plain", {"x": [1, 2]}) == {"y": [5.0, 10.0]}
        assert answer(server, "outside", {"x": [1, 2]}) == {"y": [9.0, 18.0]}
        assert answer(server, "inside", {"x": [1, 2]}) == {"y": [9.0, 18.0]}
        assert "no operation 'ten'" in refusal(server, "unknown")
        assert "there is no 'init_ops.json'" in refusal(server, "absent")


def test_every_signature_is_served_by_its_name(made, tmp_path):
    models = tmp_path / "models"
    put(made, "signatures", models / "default", "max_batch_size: 4")
    put(made, "signatures", models / "add", parameter("TF_SIGNATURE_DEF", "add"))
    with serving(tmp_path, models) as server:
        ask = functools.partial(signature_answer, server)
        assert ask("default", None, x=[[1.0, 2.0]]) == {"y": [2.0, 4.0]}
        assert ask("default", "serving_default", x=[[1.0, 2.0]]) == {"y": [2.0, 4.0]}
        assert ask("default", "add", a=[1, 2], b=[3, 4]) == {"sum": [4, 6]}
        assert ask("add", None, a=[1, 2], b=[3, 4]) == {"sum": [4, 6]}
        assert ask("add", "serving_default", x=[[1.0, 2.0]]) == {"y": [2.0, 4.0]}
        assert "serves no signature 'subtract'; it serves 'serving_default', 'add', 'classify_x'" in ask(
            "default", "subtract", a=[1], b=[2]
        )
        assert "unexpected inference input 'x'" in ask("default", "add", x=[[1.0, 2.0]], b=[1])
        assert "must be <= 4" in ask("default", "add", a=[0] * 5, b=[0] * 5)
        # Requests for several at once: each answer is that of its own entry point.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sums = [pool.submit(ask, "default", "add", a=[i], b=[1]) for i in range(100)]
            doubles = [pool.submit(ask, "default", None, x=[[float(i), 1.0]]) for i in range(100)]
            assert [f.result() for f in sums] == [{"sum": [i + 1]} for i in range(100)]
            assert [f.result() for f in doubles] == [{"y": [2.0 * i, 2.0]} for i in range(100)]
        explained = server.get_json("/explain/default")
        assert explained["signature"] == "serving_default"
        others = {entry["name"]: entry for entry in explained["signatures"]}
        assert set(others) == {"add", "classify_x"}
        assert {tensor["name"] for tensor in others["add"]["inputs"]} == {"a", "b"}
        assert others["add"]["batching"]["max_rows"] == 4 and others["add"]["instances"]["count"] >= 1
        assert others["add"]["learned"] and others["add"]["advice"]
        text = servers.run_cli("explain", "default", "--server", server.url).stdout
        assert "\nSignature add: " in text and "inputs      a " in text and "\nSignature classify_x: " in text
        listed = servers.run_cli("models", "--server", server.url).stdout
        assert "    signature  serving_default\n" in listed and "    signature  add\n" in listed
        programs = json.loads(servers.run_cli("models", "--json", "--server", server.url).stdout)
        default = next(model for model in programs if model["name"] == "default")
        assert [entry["name"] for entry in default["signatures"]] == ["add", "classify_x"]
        metrics = server.get("/metrics")[1].decode()
        label = 'model="default",version="1",signature'
        assert f'modelmill_signature_requests_total{{{label}="serving_default"}} 102\n' in metrics
        assert f'modelmill_signature_requests_total{{{label}="add"}} 101\n' in metrics
        count = others["add"]["instances"]["count"]
        assert f'modelmill_signature_instances{{{label}="add"}} {count}\n' in metrics
        count = explained["instances"]["count"]
        assert f'modelmill_instances{{model="default",version="1"}} {count}\n' in metrics
        for _ in range(5):  # the session goes with the last of them
            assert control(server, "default", "unload")[0] == 200
            load(server, "default")
        assert ask("default", "add", a=[1, 2], b=[3, 4]) == {"sum": [4, 6]}


def signature_answer(server, model, signature, **inputs):
    """{output: values} of a V2 request, or the error's text."""
    types = {float: "FP32", int: "INT32"}
    tensors = []
    for name, rows in inputs.items():
        flat = [value for row in rows for value in (row if isinstance(row, list) else [row])]
        shape = [len(rows), len(rows[0])] if isinstance(rows[0], list) else [len(rows)]
        tensors.append({"name": name, "datatype": types[type(flat[0])], "shape": shape, "data": flat})
    body = {"inputs": tensors} | ({"parameters": {"signature_name": signature}} if signature else {})
    status, reply = server.post_json(f"/v2/models/{model}/infer", body)
    return {o["name"]: o["data"] for o in reply["outputs"]} if status == 200 else reply["error"]


def test_one_savedmodel_is_served_by_several_names(made, tmp_path):
    shutil.copytree(made / "signatures/1", tmp_path / "export")
    (tmp_path / "modelmill.yaml").write_text(
        """
        schema_version: 1
        models:
          - {name: double, path: export}
          - {name: add, path: export, parameters: {TF_SIGNATURE_DEF: add}}
        """
    )
    with serving(tmp_path, tmp_path / "modelmill.yaml") as server:
        assert answer(server, "double", {"x": [[1, 2]]}) == {"y": [[2.0, 4.0]]}
        assert answer(server, "add", {"a": [1, 2], "b": [3, 4]}) == {"sum": [4, 6]}


def test_tags_and_tensors_of_any_rank(made, tmp_path):
    models = tmp_path / "models"
    shape = 'input { name: "x" data_type: TYPE_FP32 dims: [ 2, -1 ] }\noutput { name: "y" data_type: TYPE_FP32 dims: [ 2, -1 ] }\n'
    put(made, "tf1", models / "any")
    put(made, "tf1", models / "shaped", "max_batch_size: 0\n" + shape)
    put(made, "tagged", models / "untagged", "max_batch_size: 0\n" + shape)
    put(made, "tagged", models / "tagged", "max_batch_size: 0\n" + shape + parameter("TF_GRAPH_TAG", "serve,gpu"))
    with explicit(tmp_path, models) as server:
        load(server, "shaped", "tagged")
        assert "input 'x' may have any number of dimensions" in refusal(server, "any")
        assert answer(server, "shaped", {"x": [[1], [2]]}) == {"y": [[5.0], [10.0]]}
        assert "no graph tagged 'serve', but 'serve,gpu'; name one with the parameter TF_GRAPH_TAG" in refusal(
            server, "untagged"
        )
        assert answer(server, "tagged", {"x": [[1, 2], [3, 4]]}) == {"y": [[5.0, 10.0], [15.0, 20.0]]}


def test_an_input_with_a_default_may_be_left_out(made, tmp_path):
    with serving(tmp_path, made / "scaled") as server:
        assert answer(server, "scaled", {"x": [1, 2]}) == {"y": [3.0, 6.0]}
        assert answer(server, "scaled", {"x": [1, 2], "scale": [4, 5]}) == {"y": [4.0, 10.0]}
        status, reply = server.post_json("/predict/scaled", {"scale": [1]})
        assert status == 400 and "'x'" in reply["error"]


def test_state_is_the_clients_and_outlives_their_requests(made, tmp_path):
    with serving(tmp_path, made / "last") as server:
        assert answer(server, "last", {"x": [7.0] * 512}) == {"before": [0.0] * 512}, "nobody was there before"
        for i in range(20):
            # What was kept is intact, though other requests have used memory since.
            answer(server, "last", {"x": [float(i)] * 512})
            for _ in range(3):
                server.get("/v2/models/last")
            assert answer(server, "last", {"x": [7.0] * 512}) == {"before": [float(i)] * 512}
        assert "neither batched nor warmed up" in server.log()


def test_warm_up_records_run_before_the_model_is_served(made, tmp_path):
    models = tmp_path / "models"
    put(made, "warmed", models / "warmed")
    shutil.copytree(made / "warmed/1", models / "triton/1/model.savedmodel")
    put(made, "warmed_by_examples", models / "examples", parameter("TF_SIGNATURE_DEF", "classify_x"))
    for broken in ("warmed_wrongly", "warmed_in_vain"):
        put(made, broken, models / broken)
    put(made, "warmed", models / "damaged")
    file = models / "damaged/1/assets.extra/tf_serving_warmup_requests"
    file.write_bytes(file.read_bytes()[:-1])
    with explicit(tmp_path, models) as server:
        load(server, "warmed", "triton", "examples")
        for model in ("warmed", "triton"):
            assert answer(server, model, {"x": [1.0] * 512}) == {"before": [7.0] * 512}, "the last record's"
            assert f"warm-up requests come with the model model={model} requests=2 passed_over=1" in server.log()
        assert "model=examples requests=1 passed_over=1" in server.log()
        assert "record 2: input 'x' is TYPE_FP32[3], but the model takes TYPE_FP32[512]" in refusal(server, "warmed_wrongly")
        assert re.search("failed to run warmup sample 'record 1 of .*indices.* = 7", refusal(server, "warmed_in_vain"))
        assert "record 3 is cut" in refusal(server, "damaged")


def threads(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))


def test_threads_are_as_configured_for_each_model(made, tmp_path):
    """An execution stays on its thread by default; a model's own pools are as large as it says, whoever came first."""
    models = tmp_path / "models"
    put(made, "mlp", models / "first", "instance_group { count: 1 }")
    pools = parameter("TF_NUM_INTRA_THREADS", 7) + parameter("TF_NUM_INTER_THREADS", 5) + "instance_group { count: 1 }"
    put(made, "mlp", models / "second", pools)
    put(made, "mlp", models / "wrong", parameter("TF_NUM_INTER_THREADS", -3))
    with serving(tmp_path, models, "--model-control-mode=explicit", "--load-model=first") as server:
        answer(server, "first", {"x": [[0.5] * 64]})
        before = threads(server)
        assert control(server, "second", "load")[0] == 200
        assert threads(server) - before >= 7 - 1 + 5
        random = np.random.default_rng(1).standard_normal((3, 64)).tolist()
        one, other = answer(server, "first", {"x": random}), answer(server, "second", {"x": random})
        np.testing.assert_allclose(one["y"], other["y"], rtol=1e-5, atol=1e-5)
        assert "'TF_NUM_INTER_THREADS' is -3; it must be from 0" in refusal(server, "wrong")


def test_long_strings_are_given_back(made, tmp_path):
    with serving(tmp_path, made / "strings") as server:
        text = "x" * 1_000_000

        def ask(times):
            for _ in range(times):
                assert len(answer(server, "strings", {"s": [text, "y"]})["upper"][0]) == len(text)
            return server.rss_bytes()

        settled = ask(30)
        assert ask(100) - settled < 30e6


def test_what_fails_inside_is_the_requests_error(made, tmp_path):
    with serving(tmp_path, made / "pick") as server:
        status, reply = server.post_json("/predict/pick", {"index": [7]})
        assert status == 400 and re.search(r"TensorFlow: indices\[0\] = 7 is not in \[0, 3\)", reply["error"])
        assert answer(server, "pick", {"index": [2]}) == {"value": [3.0]}
        assert "rendezvous" not in server.log(), "TensorFlow's own warnings of what clients get wrong"


def test_broken_savedmodels_are_told_of(made, tmp_path):
    models = tmp_path / "models"
    put(made, "mlp", models / "cut")
    graph = models / "cut/1/saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])
    put(made, "mlp", models / "weightless")
    next((models / "weightless/1/variables").glob("variables.data*")).unlink()
    put(made, "mlp", models / "on_gpu", "instance_group { kind: KIND_GPU }")
    put(made, "mlp", models / "good")
    with explicit(tmp_path, models) as server:
        load(server, "good")
        for model in ("cut", "weightless"):
            assert re.search(f"model '{model}' version 1: folder .* can't be loaded", refusal(server, model)), model
        assert "GPU" in refusal(server, "on_gpu")
        assert len(answer(server, "good", {"x": [[0.5] * 64]})["y"][0]) == 10
