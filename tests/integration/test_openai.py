"""OpenAI's models and embeddings: by its own client, and what surrounds a request."""

import json
import subprocess

import numpy as np
import pytest
from onnx import helper

import client_programs
import models
import no_code_models
import servers

PROGRAM = "openai_client_main.py"
LENGTHS = """
from typing import NamedTuple

import modelmill
import numpy as np


class Answer(NamedTuple):
    embedding: modelmill.Tensor[np.float32, 4]
    token_count: int


@modelmill.model(batch=64)
def lengths(text: str) -> Answer:
    if "refused" in text:
        raise modelmill.Error("no such word", code="INVALID_ARGUMENT")
    vectors = [[len(one), len(one.encode()), 1.5, -0.25] for one in text]
    return Answer(np.array(vectors, np.float32), np.array([len(one.split()) for one in text]))
"""
CONFIG = """
models:
  - {{path: {folder}/lengths.py}}
  - {{path: {folder}/mlp.onnx}}
  - {{path: {folder}/pair.onnx}}
  - path: {folder}/tokens.onnx
    parameters: {{matryoshka_dimensions: "2,3"}}
  - name: pipeline
    ensemble:
      steps:
        - model: lengths
          inputs: {{text: text}}
          outputs: {{embedding: embedding, token_count: token_count}}
routes:
  - {{name: route, split: {{lengths: 100}}}}
"""


def tokens():
    """[sum of the tokens, how many there are, and the sum twice more], of what the mask leaves."""
    shape = ("batch", "length")
    return models.model(
        "tokens",
        [
            helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "axes"], ["sum"], keepdims=1),
            helper.make_node("ReduceSum", ["attention_mask", "axes"], ["count"], keepdims=1),
            helper.make_node("Concat", ["sum", "count", "sum", "sum"], ["all"], axis=1),
            helper.make_node("Cast", ["all"], ["sentence_embedding"], to=models.FLOAT),
        ],
        [models.value("input_ids", "INT64", shape), models.value("attention_mask", "INT64", shape)],
        [models.value("sentence_embedding", "FP32", ("batch", 4))],
        {"axes": np.array([1], dtype=np.int64)},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openai")
    (folder / "lengths.py").write_text(LENGTHS)
    models.save(models.mlp(), folder / "mlp.onnx")
    models.save(models.add_sub(), folder / "pair.onnx")
    models.save(tokens(), folder / "tokens.onnx")
    (folder / "modelmill.yaml").write_text("schema_version: 1\n" + CONFIG.format(folder=folder).lstrip())
    with servers.serving(folder, folder / "modelmill.yaml", "--access-log", "--log-format=json") as server:
        yield server


@pytest.fixture(scope="module")
def results(server):
    return client_programs.results(PROGRAM, server.url)


@pytest.mark.conformance("openai")
@pytest.mark.parametrize("check", client_programs.checks(PROGRAM))
def test_client(results, check):
    assert results[check] == ""


def embed(server, value, model="lengths", **options):
    return server.post_json("/v1/embeddings", {"model": model, "input": value}, **options)


def test_the_inputs_of_a_request_are_one_batch(server):
    before = server.settled_stats("lengths")
    assert embed(server, [str(i) for i in range(40)])[0] == 200
    server.wait_executions(before.get("execution_count", 0) + 1, "lengths")
    after = server.stats("lengths")
    assert after["inference_count"] - before.get("inference_count", 0) == 40


def test_a_list_for_three_protocols(server):
    """/v1/models is OpenAI's list and KServe's in one object; the prefixes have each alone."""
    both = server.get_json("/v1/models")
    assert both["models"] == ["lengths", "mlp", "pair", "pipeline", "tokens"]
    assert [one["id"] for one in both["data"]] == both["models"] and both["object"] == "list"
    assert set(server.get_json("/openai/v1/models")) == {"object", "data"}
    assert set(server.get_json("/kserve/v1/models")) == {"models"}
    one = server.get_json("/v1/models/mlp")
    assert one["id"] == one["name"] == "mlp" and one["ready"] is True and one["model_version_status"]


def test_trace_names_and_timing(server):
    headers = {"x-request-id": "seven", "x-server-timing": "1"}
    body = json.dumps({"model": "lengths", "input": "a"}).encode()
    status, _, reply = server.request("POST", "/v1/embeddings", body, headers)
    assert status == 200 and reply["x-request-id"] == "seven" and "compute;dur=" in reply["Server-Timing"]
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert any(line.get("request_id") == "seven" and line["path"] == "/v1/embeddings" for line in lines)


def test_a_body_that_is_too_large_to_parse_on_a_loop(server):
    texts = ["word " * 20] * 2000
    status, reply = embed(server, texts)
    assert status == 200 and reply["usage"]["prompt_tokens"] == 40_000
    assert all(one["embedding"] == [100, 100, 1.5, -0.25] for one in reply["data"])


def test_calls_may_be_restricted(serve, tmp_path):
    server = serve(models.save(tokens(), tmp_path / "tokens.onnx"), "--api", "inference=off")
    assert embed(server, [1, 2], "tokens")[0] == 403
    assert server.get_json("/openai/v1/models")["data"][0]["id"] == "tokens"
    server.stop()


def test_embeddings_of_hugging_face(tmp_path):
    """With the tokenizer's own counts: the folder's model tells them when it is asked."""
    [answer] = [one for one in no_code_models.make("huggingface", "pytorch", tmp_path / "made") if one["model"] == "sentences"]
    texts = answer["inputs"]["text"]
    count = subprocess.run(
        [
            no_code_models.venv("pytorch") / "bin/python",
            "-c",
            "import json, sys, transformers\n"
            "tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])\n"
            "print(sum(len(ids) for ids in tokenizer(json.loads(sys.argv[2]))['input_ids']))",
            tmp_path / "made/sentences",
            json.dumps(texts),
        ],
        capture_output=True, text=True, check=True, timeout=120, env=servers.environment({"HF_HUB_OFFLINE": "1"}),
    )  # fmt: skip
    with servers.serving(tmp_path, tmp_path / "made/sentences", "--python", no_code_models.venv("pytorch")) as server:
        status, reply = embed(server, texts, "sentences")
        assert status == 200, reply
        got = [one["embedding"] for one in reply["data"]]
        np.testing.assert_allclose(got, answer["outputs"]["embedding"], rtol=2e-4, atol=2e-4)
        assert reply["usage"] == {"prompt_tokens": int(count.stdout), "total_tokens": int(count.stdout)}
        status, reply = embed(server, [1, 2], "sentences")
        assert status == 400 and "takes texts and no tokens" in reply["error"]["message"]
