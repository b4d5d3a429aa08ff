"""Folders of Hugging Face are served as they are: classification, embeddings, and texts that are streamed."""

import concurrent.futures
import json
import shutil

import numpy as np
import pytest

import no_code_models
import servers
from no_code_models import ask
from servers import run_cli

VENV = no_code_models.venv("pytorch")
SERVED = ("classifier", "scorer", "sentences", "old", "writer")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("huggingface")
    return folder, no_code_models.make("huggingface", "pytorch", folder)


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    models = [made[0] / name for name in SERVED]
    with servers.serving(tmp_path_factory.mktemp("server"), *models, "--python", VENV) as server:
        yield server


def generate(server, **members):
    """(status, the texts of the answers)."""
    status, reply, _ = server.request("POST", "/v2/models/writer/generate_stream", json.dumps(members).encode())
    events = [json.loads(line[6:]) for line in reply.decode().splitlines() if line.startswith("data: ")]
    return status, [event.get("text_output", event.get("error")) for event in events]


def test_answers_are_those_of_the_model(server, made):
    """Texts of unequal length are padded together; each answer is that of the text alone."""
    no_code_models.assert_answers(server, made[1], rtol=2e-4)


def test_what_a_model_takes_and_gives(server):
    classifier = server.get_json("/v2/models/classifier")
    assert [one["name"] for one in classifier["inputs"]] == ["text", "text_pair"]
    assert {one["name"]: one["shape"] for one in classifier["outputs"]} == {"label": [-1], "probabilities": [-1, 3]}
    assert server.get_json("/v2/models/sentences")["outputs"] == [
        {"name": "embedding", "datatype": "FP32", "shape": [-1, 8]},
        {"name": "token_count", "datatype": "INT64", "shape": [-1]},
    ]
    assert server.get_json("/v2/models/old/config")["max_batch_size"] == 32


def test_a_text_longer_than_the_model_reaches_is_cut(server):
    status, reply = ask(server, "old", {"text": ["dog " * 500]})
    assert status == 200 and len(reply["embedding"][0]) == 16, reply


def test_counts_of_tokens_are_for_those_who_ask(server):
    """Also where requests that ask and requests that don't are run together."""
    texts = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["the quick fox", "dog " * 500]}
    plain = {"inputs": [texts]}
    counted = {**plain, "outputs": [{"name": "embedding"}, {"name": "token_count"}]}

    def outputs(request):
        status, reply = server.post_json("/v2/models/old/infer", request)
        assert status == 200, reply
        return {one["name"]: one["data"] for one in reply["outputs"]}

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(outputs, [plain, counted] * 32))
    assert all(list(answer) == ["embedding"] for answer in answers[::2])
    assert all(answer["token_count"] == [3, 64] for answer in answers[1::2])
    for answer in answers:
        np.testing.assert_allclose(answer["embedding"], answers[0]["embedding"], rtol=2e-4, atol=2e-4)


def test_generation_in_one_answer_and_in_pieces(server, made):
    written = json.loads((made[0] / "written.json").read_text())
    request = {"text_input": "the quick fox", "max_new_tokens": 12, "temperature": 0}
    status, (whole,) = generate(server, **request)
    assert status == 200 and whole.strip() == written.strip()
    status, pieces = generate(server, **request, stream=True)
    assert status == 200 and len(pieces) > 3 and "".join(pieces) == whole
    status, reply, _ = server.request("POST", "/v2/models/writer/generate", json.dumps(request).encode())
    assert json.loads(reply)["text_output"] == whole, reply
    word = written.split()[2]
    for stream in (False, True):
        assert "".join(generate(server, **request, stop=word, stream=stream)[1]) == whole[: whole.index(word)]


def test_sampling_by_a_seed(server):
    request = {"text_input": "the lazy dog", "max_new_tokens": 20, "temperature": 1.5, "top_k": 0}
    first, again, other = (generate(server, **request, seed=seed)[1] for seed in (1, 1, 2))
    assert first == again != other


def test_wrong_parameters_of_a_request(server):
    for name, value in (
        ("max_new_tokens", 0),
        ("temperature", "hot"),
        ("temperature", -1),
        ("do_sample", 1),
        ("stop", 3),
    ):
        status, (error,) = generate(server, text_input="the", **{name: value})
        assert status == 400 and f"parameter '{name}'" in error, error
    status, (error,) = generate(server, text_input="dog " * 100)
    assert status == 400 and "tokens; the model takes 63 at most" in error, error


def test_what_is_not_served_says_so(made, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(made[0] / "names", folder / "names")
    shutil.copytree(made[0] / "plain", folder / "code")
    config = json.loads((folder / "code/config.json").read_text())
    del config["model_type"]
    config["auto_map"] = {"AutoModel": "mine.Mine", "AutoConfig": "mine.MineConfig"}
    (folder / "code/config.json").write_text(json.dumps(config))
    (folder / "code/mine.py").write_text("raise SystemExit('this must not run')\n")
    result = run_cli("serve", folder, "--port", 0, "--python", VENV)
    assert result.returncode == 1
    problems = {line.split("'")[1]: line for line in result.stderr.splitlines() if line.startswith("  model '")}
    assert "is BertForTokenClassification" in problems["names"]
    assert "trust_remote_code: true" in problems["code"] and "must not run" not in result.stderr


def test_missing_packages_name_the_command(made):
    result = run_cli("serve", made[0] / "plain", "--port", 0)
    assert result.returncode == 1 and "-m pip install torch transformers" in result.stderr, result.stderr
